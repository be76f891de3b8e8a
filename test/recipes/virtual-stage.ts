/** The stage of `npm test`: a virtual ensemble, whose members are the clients. */
import type { ValueEncoding, ValueOf } from '../../lib/api/values.ts'
import type { Client } from '../../lib/client.ts'
import type { Coord } from '../../lib/index.ts'
import { createTestEnsemble, type TestEnsemble } from '../../lib/testing/index.ts'
import type { Clients, OpenStage, Stage, StageOptions } from './stage.ts'

class VirtualStage<S extends number, V> implements Stage<S, V> {
  readonly isVirtual = true
  readonly memberOptions: readonly undefined[]
  readonly #ensemble: TestEnsemble<S, V>

  constructor(ensemble: TestEnsemble<S, V>) {
    this.#ensemble = ensemble
    this.memberOptions = this.#coords.map(() => undefined)
  }

  get clients(): Clients<S, V> {
    return this.#ensemble.coords as unknown as Clients<S, V>
  }

  get #coords(): readonly Coord<V>[] {
    return this.#ensemble.coords as readonly Coord<V>[]
  }

  get now(): number {
    return this.#ensemble.now
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.#ensemble.until(promise)
  }

  async within(ms: number, check: () => void | Promise<void>): Promise<void> {
    await this.#ensemble.advance(ms)
    await check()
  }

  quiet(ms: number): Promise<void> {
    return this.#ensemble.advance(ms)
  }

  cutOff(client: Client<V>): void {
    const others = this.#coords.filter((coord) => coord !== client)
    this.#ensemble.partition([client as Coord<V>], others)
  }

  heal(): void {
    this.#ensemble.heal()
  }

  crash(client: Client<V>): void {
    this.#ensemble.crash(client as Coord<V>)
  }

  restart(client: Client<V>): Promise<Client<V>> {
    return this.#ensemble.restart(client as Coord<V>)
  }

  async pause(client: Client<V>, ms: number): Promise<void> {
    this.#ensemble.pause(client as Coord<V>, ms)
    await this.#ensemble.advance(ms)
  }

  async expireSession(client: Client<V>): Promise<void> {
    this.#ensemble.expireSession(client as Coord<V>)
  }

  linearizable<T>(_client: Client<V>, read: (consistency: 'linearizable') => Promise<T>): Promise<T> {
    return this.#ensemble.until(read('linearizable'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ensemble[Symbol.asyncDispose]()
  }
}

export const openVirtualStage: OpenStage = async <const S extends number, const E extends ValueEncoding>(
  options: StageOptions<S, E> = {},
) => new VirtualStage<S, ValueOf<E>>(await createTestEnsemble<S, E>(options))
