/**
 * The recipes' tests on an ensemble of Apache ZooKeeper: each client is `connectZooKeeper` at a server of its own, over a
 * link that can be cut, and each test has a part of the tree of its own.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { connectZooKeeper } from '../../adapters/zookeeper/index.ts'
import type { ValueEncoding, ValueOf } from '../../lib/api/values.ts'
import type { Client } from '../../lib/client.ts'
import { ZkClient } from '../adapters/zookeeper/zk-client.ts'
import type { Clients, OpenStage, Stage, StageOptions } from '../recipes/stage.ts'
import { CuttableLink } from './cuttable-link.ts'
import type { ZooKeeperServer } from './server.ts'

/** How long what must come about may take, on a machine that does other things as well. */
const patienceMs = 60_000
/** The longest wait for what is not to happen. */
const quietMaxMs = 250
/** Tests that wait for the end of sessions name their timeout; sessions of the others should outlive any stall. */
const sessionTimeoutMs = { lost: 3_000, kept: 10_000 } as const

interface Place<V> {
  readonly link: CuttableLink
  readonly server: ZooKeeperServer
  readonly client: Client<V>
}

class ZooKeeperStage<S extends number, V> implements Stage<S, V> {
  readonly isVirtual = false
  readonly memberOptions: readonly string[]
  readonly #places: Place<V>[]
  readonly #enter: (server: ZooKeeperServer) => Promise<Place<V>>
  readonly #crashed = new Set<Client<V>>()

  constructor(places: Place<V>[], enter: (server: ZooKeeperServer) => Promise<Place<V>>) {
    this.#places = places
    this.#enter = enter
    this.memberOptions = places.map((_, index) => 'abc'[index] as string)
  }

  get clients(): Clients<S, V> {
    return this.#places.map(({ client }) => client) as Clients<S, V>
  }

  get now(): number {
    return performance.now()
  }

  async until<T>(promise: Promise<T>): Promise<T> {
    const late = new AbortController()
    const tooLate = sleep(patienceMs, undefined, { signal: late.signal }).then(
      () => assert.fail(`nothing came of it within ${patienceMs} ms`),
      () => assert.fail('not waited for'),
    )
    tooLate.catch(() => {})
    try {
      return await Promise.race([promise, tooLate])
    } finally {
      late.abort()
    }
  }

  async within(_ms: number, check: () => void | Promise<void>): Promise<void> {
    for (const deadline = this.now + patienceMs; ; await sleep(10)) {
      try {
        await check()
        return
      } catch (error) {
        if (!(error instanceof assert.AssertionError) || this.now > deadline) throw error
      }
    }
  }

  async quiet(ms: number): Promise<void> {
    await sleep(Math.min(ms, quietMaxMs))
  }

  cutOff(client: Client<V>): void {
    this.#placeOf(client).link.cut()
  }

  heal(): void {
    for (const { client, link } of this.#places) if (!this.#crashed.has(client)) link.heal()
  }

  /** It runs on, but whatever it does, nobody hears of it. */
  crash(client: Client<V>): void {
    this.#crashed.add(client)
    this.cutOff(client)
  }

  async restart(client: Client<V>): Promise<Client<V>> {
    const place = await this.#enter(this.#placeOf(client).server)
    this.#places.push(place)
    return place.client
  }

  /** All of this process: everybody in it finds the session gone, as who was paused does. */
  async pause(): Promise<void> {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, sessionTimeoutMs.lost + 1_000)
  }

  /** As ZooKeeper's own tests do: another connection takes the session over, and closes it. */
  async expireSession(client: Client<V>): Promise<void> {
    const { id, password } = client.session
    const { port } = this.#placeOf(client).server
    const thief = await ZkClient.connect(port, { ticket: { id: BigInt.asIntN(64, id), password } })
    await thief.close()
  }

  async linearizable<T>(client: Client<V>, read: (consistency: 'linearizable' | 'session') => Promise<T>): Promise<T> {
    await assert.rejects(read('linearizable'), { code: 'COORD_UNIMPLEMENTED' })
    await client.sync()
    return read('session')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#places.map(async ({ client, link }) => {
        // Nobody answers who is cut off.
        await client.close({ timeoutMs: this.#crashed.has(client) ? 1 : 2_000 })
        await link[Symbol.asyncDispose]()
      }),
    )
  }

  #placeOf(wanted: Client<V>): Place<V> {
    return this.#places.find(({ client }) => client === wanted) as Place<V>
  }
}

/** Stages on these servers. */
export function stagesOn(servers: () => readonly ZooKeeperServer[]): OpenStage {
  let count = 0
  return async <const S extends number, const E extends ValueEncoding>(options: StageOptions<S, E> = {}) => {
    const { size = 3, valueEncoding = 'view', sessionTimeoutMs: given } = options
    count += 1
    const root = `/stage-${count}`
    const timeoutMs = given === undefined ? sessionTimeoutMs.kept : sessionTimeoutMs.lost
    const enter = async (server: ZooKeeperServer): Promise<Place<ValueOf<E>>> => {
      const link = await CuttableLink.open(server.port)
      const servers = `127.0.0.1:${link.port}${root}`
      const client = await connectZooKeeper(servers, { sessionTimeoutMs: timeoutMs, valueEncoding: valueEncoding as E })
      return { link, server, client: client as Client<ValueOf<E>> }
    }
    const places = await Promise.all(servers().slice(0, size).map(enter))
    await places[0]?.client.create('/', undefined)
    for (const { client } of places) await client.sync()
    return new ZooKeeperStage<S, ValueOf<E>>(places, enter)
  }
}
