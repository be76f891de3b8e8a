/**
 * Where the clients of the recipes' tests come from. The tests of `cases/` run on any stage: on a virtual ensemble
 * (`virtual-stage.ts`), where time passes only when the test says so, and on servers of Apache ZooKeeper
 * (`test/zookeeper`), where it passes by itself. So they say what must have come about, and within which time; a stage
 * of real time looks until it is so, or a minute is over, and shortens what is only waited for.
 */
import type { ValueEncoding, ValueOf } from '../../lib/api/values.ts'
import type { Client } from '../../lib/client.ts'

export interface StageOptions<S extends number = number, E extends ValueEncoding = 'view'> {
  /** How many clients, each at a member or server of its own. Default 3. */
  readonly size?: S | undefined
  readonly seed?: number | undefined
  readonly valueEncoding?: E | undefined
  readonly sessionTimeoutMs?: number | undefined
  /** Of the virtual network, one way. */
  readonly networkDelayMs?: { readonly min: number; readonly max: number } | undefined
}

/** A tuple where the size is a literal. */
export type Clients<S extends number, V> = number extends S ? Client<V>[] : TupleOf<S, Client<V>>
type TupleOf<S extends number, T, R extends T[] = []> = R['length'] extends S ? R : TupleOf<S, T, [...R, T]>

export interface Stage<S extends number, V> extends AsyncDisposable {
  readonly clients: Clients<S, V>
  /** The option `member` by which each client is known; undefined where its member has a name of its own: a, b, c. */
  readonly memberOptions: readonly (string | undefined)[]
  /** Whether time passes only when the test says so: only then can it ask for exact times, or for hundreds of waiters. */
  readonly isVirtual: boolean
  /** Milliseconds since some time. */
  readonly now: number
  until<T>(promise: Promise<T>): Promise<T>
  /** What must hold when so many milliseconds have passed: then, or in real time as soon as it does. */
  within(ms: number, check: () => void | Promise<void>): Promise<void>
  /** Lets time pass in which nothing is to happen that would not show in a fraction of it. */
  quiet(ms: number): Promise<void>
  /** The client reaches nobody any more, and nobody reaches it, until `heal`. */
  cutOff(client: Client<V>): void
  heal(): void
  /** The client's process is gone for good. */
  crash(client: Client<V>): void
  /** Another client in the place of one that crashed. */
  restart(client: Client<V>): Promise<Client<V>>
  /** The client's process does nothing for so long: its event loop hangs. */
  pause(client: Client<V>, ms: number): Promise<void>
  /** The ensemble ends the client's session. */
  expireSession(client: Client<V>): Promise<void>
  /**
   * A linearizable read: resolves with what it reads. A stage that has none asserts that it is refused by its type, and
   * reads what is there after a `sync`.
   */
  linearizable<T>(client: Client<V>, read: (consistency: 'linearizable' | 'session') => Promise<T>): Promise<T>
}

export type OpenStage = <const S extends number = 3, const E extends ValueEncoding = 'view'>(
  options?: StageOptions<S, E>,
) => Promise<Stage<S, ValueOf<E>>>
