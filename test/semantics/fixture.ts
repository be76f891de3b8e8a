/**
 * What the tests of the rows share: an ensemble on a virtual clock whose limits can be chosen, listeners that write down
 * what they hear, and raw calls at the session link, past the checks of the API.
 */
import assert from 'node:assert/strict'
import type { Coord, JoinOptions, Session, WatchEvent } from '../../lib/index.ts'
import { CoordError, digestId, type ErrorCode } from '../../lib/index.ts'
import type { CallResult, SessionCall, SessionItem, SessionOpening } from '../../lib/ports/session-link.ts'
import type { MemberLimits } from '../../lib/runtime/member.ts'
import { type Machine, World } from '../../lib/testing/world.ts'

export interface Given {
  /** How many founders. Default 1. */
  readonly size?: number
  readonly join?: JoinOptions
  readonly limits?: Partial<MemberLimits>
  /** At this counter a leader goes to its next epoch. */
  readonly counterLast?: number
  readonly durable?: boolean
}

/** Values are texts. */
export class Ensemble implements AsyncDisposable {
  readonly coords: Coord<string>[] = []
  readonly #world: World
  readonly #machines: Machine[]

  private constructor(world: World, machines: Machine[]) {
    this.#world = world
    this.#machines = machines
  }

  static async start({
    size = 1,
    join = {},
    limits = {},
    counterLast,
    durable = false,
  }: Given = {}): Promise<Ensemble> {
    const world = new World({
      seed: 1,
      network: { delayMs: { min: 0, max: 0 } },
      syncMs: 0,
      clockDrift: 0,
      join: { valueEncoding: 'utf8', ...join },
      inner: { limits, ...(counterLast === undefined ? {} : { counterLast }) },
    })
    const machines = ['a', 'b', 'c', 'd', 'e'].slice(0, size).map((name) => world.addMachine(name, durable))
    const ensemble = new Ensemble(world, machines)
    const peers = machines.map(({ address }) => address)
    const starting = Promise.all(machines.map((machine) => world.start(machine, peers)))
    ensemble.coords.push(...((await world.until(starting, 'the founders', 60_000)) as Coord<string>[]))
    return ensemble
  }

  /** The first member's. */
  get coord(): Coord<string> {
    return this.coords[0] as Coord<string>
  }

  get leader(): Coord<string> {
    const leader = this.coords.find(({ member }) => member.role === 'leader')
    assert.ok(leader, 'there is no leader')
    return leader
  }

  get follower(): Coord<string> {
    const follower = this.coords.find(({ member }) => member.role === 'follower')
    assert.ok(follower, 'there is no follower')
    return follower
  }

  get now(): number {
    return this.#world.now
  }

  async advance(ms: number): Promise<void> {
    await this.#world.scheduler.advance(ms)
  }

  /** Lets time pass until it settles. */
  async until<T>(promise: Promise<T>): Promise<T> {
    return this.#world.until(promise, 'what was waited for', 120_000)
  }

  /** Nothing gets from one member to the others any more, nor back. */
  isolate(coord: Coord<string>): void {
    const own = this.#machineOf(coord)
    for (const other of this.#machines) {
      if (other === own) continue
      this.#world.network.block(own.name, other.name)
      this.#world.network.block(other.name, own.name)
    }
  }

  heal(): void {
    this.#world.network.heal()
  }

  crash(coord: Coord<string>): void {
    this.#world.crash(this.#machineOf(coord))
  }

  async restart(coord: Coord<string>): Promise<Coord<string>> {
    const index = this.coords.indexOf(coord)
    const machine = this.#machineOf(coord)
    if (machine.isUp) this.crash(coord)
    const peers = this.#machines.map(({ address }) => address)
    const restarted = (await this.until(this.#world.start(machine, peers))) as Coord<string>
    this.coords[index] = restarted
    return restarted
  }

  jumpWallClock(coord: Coord<string>, ms: number): void {
    this.#machineOf(coord).process.jumpWallClock(ms)
  }

  expireSession(session: bigint): void {
    assert.ok(this.#world.expireSession(session), 'the leader does not know the session')
  }

  /** Puts a node there as a superuser would: for what the ACLs of a test forbid. */
  async put(path: string): Promise<void> {
    const raw = new RawSession(this.coord, { superDigest: digestId('root', 'secret') })
    await raw.call(this, { kind: 'auth', scheme: 'digest', credentials: new TextEncoder().encode('root:secret') })
    const operation = { type: 'create', path, data: undefined, mode: 'persistent' } as const
    assert.equal((await raw.call(this, { kind: 'write', operation })).type, 'create')
  }

  /** The digest of a member's whole replicated state. */
  digest(coord: Coord<string> = this.coord): string {
    const { member } = this.#machineOf(coord)
    assert.ok(member)
    return member.state.digest()
  }

  /** The digest of a member's tree alone: what a write that was refused must not change. */
  treeOf(coord: Coord<string> = this.coord): unknown {
    const { member } = this.#machineOf(coord)
    assert.ok(member)
    return [...member.state.tree.walk('/')].map(({ path, node }) => node.record(path))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world.end()
  }

  #machineOf(coord: Coord<string>): Machine {
    return this.#machines[this.coords.indexOf(coord)] as Machine
  }
}

/** Writes down what listeners hear, in its order: "name type path". */
export class Heard {
  readonly lines: string[] = []
  readonly events: WatchEvent[] = []

  by(name: string): (event: WatchEvent) => void {
    return (event) => {
      this.events.push(event)
      this.lines.push(`${name} ${event.type} ${event.path}`)
    }
  }

  note(line: string): void {
    this.lines.push(line)
  }

  /** What was heard since the last time. */
  take(): string[] {
    this.events.length = 0
    return this.lines.splice(0)
  }
}

type CallOfLink<C = SessionCall> = C extends { id: number } ? Omit<C, 'id'> : never

/** A session at the seam itself: what a gateway or a broken client might ask. */
export class RawSession {
  readonly items: SessionItem[] = []
  readonly #link
  #lastId = 0

  constructor(coord: Coord<string>, opening: Partial<SessionOpening> = {}) {
    const { door } = coord.hosting
    this.#link = door.open({ timeoutMs: 10_000, requestTimeoutMs: 10_000, ...opening }, (item) => {
      this.items.push(item)
    })
  }

  get id(): bigint {
    return this.#link.id
  }

  /** The result of a call, once the world has answered it. */
  async call(ensemble: Ensemble, call: CallOfLink): Promise<CallResult> {
    this.#lastId += 1
    const id = this.#lastId
    this.#link.call({ ...call, id } as SessionCall)
    for (;;) {
      const reply = this.items.find((item) => item.kind === 'reply' && item.id === id)
      if (reply?.kind === 'reply') return reply.result
      await ensemble.advance(1)
    }
  }
}

/** Waits for a rejection with this code and returns it. */
export async function fails(code: ErrorCode, promise: Promise<unknown>): Promise<CoordError> {
  const error = await promise.then(
    () => assert.fail(`did not reject with ${code}`),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof CoordError, `not a CoordError: ${String(error)}`)
  assert.equal(error.code, code, error.message)
  return error
}

/** Another session on the same member. */
export function openSession(coord: Coord<string>, timeoutMs?: number): Promise<Session<string>> {
  return coord.openSession(timeoutMs === undefined ? {} : { timeoutMs })
}
