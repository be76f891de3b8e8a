/**
 * Performs a plan on one system, by ZooKeeper's wire protocol, and writes down what each step gave: the reply, and the
 * events of every session up to then, in their order. What two systems name differently is made equal: zxids are told by
 * their rank in this plan, sessions by their place, times left out.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { WireOperation, WireResult } from '../../adapters/zookeeper/multi.ts'
import { addWatchModes, eventTypes, watcherTypes } from '../../adapters/zookeeper/protocol.ts'
import type { WatcherEvent, WireStat } from '../../adapters/zookeeper/records.ts'
import { ZkClient } from '../adapters/zookeeper/zk-client.ts'
import {
  type Plan,
  type PlannedCreate,
  type PlannedOperation,
  type PlannedSub,
  persistentlyWatched,
  sessionCount,
} from './plan.ts'

/** What one step gave. */
export interface Observed {
  readonly operation: PlannedOperation
  readonly session: number
  readonly outcome: unknown
  /** By session. */
  readonly events: readonly (readonly string[])[]
}

const bytesOf = (data: string | null): Uint8Array | undefined =>
  data === null ? undefined : new Uint8Array(Buffer.from(data))
const textOf = (data: Uint8Array | undefined): string | null =>
  data === undefined ? null : Buffer.from(data).toString()

const eventNames = new Map<number, string>(Object.entries(eventTypes).map(([name, number]) => [number, name]))

/** Long: nothing expires but what a plan lets expire. */
const timeoutMs = 10_000

/** A zxid until the plan is over. */
class Zxid {
  readonly value: bigint
  constructor(value: bigint) {
    this.value = value
  }
}

/** What a client knows of its watches, to bring them along when it comes back. */
class Watches {
  readonly data = new Set<string>()
  readonly exists = new Set<string>()
  readonly children = new Set<string>()
  readonly persistent = new Set<string>()
  readonly recursive = new Set<string>()

  fired({ type, path }: WatcherEvent): void {
    if (type === eventTypes.children) this.children.delete(path)
    else {
      this.data.delete(path)
      this.exists.delete(path)
    }
    if (type === eventTypes.deleted) this.children.delete(path)
  }

  removed(path: string, type: number): void {
    if (type !== 2) this.children.delete(path)
    if (type !== 1) {
      this.data.delete(path)
      this.exists.delete(path)
    }
    if (type !== 3) return
    this.persistent.delete(path)
    this.recursive.delete(path)
  }

  get isEmpty(): boolean {
    return this.data.size + this.exists.size + this.children.size + this.persistent.size + this.recursive.size === 0
  }
}

interface Slot {
  client: ZkClient
  watches: Watches
  credentials: string[]
  isCut: boolean
  lastZxid: bigint
}

export class Execution {
  readonly #port: number
  readonly #root: string
  readonly #plan: Plan
  readonly #slots: Slot[] = []
  readonly #sessions = new Map<bigint, string>()

  constructor(port: number, root: string, plan: Plan) {
    this.#port = port
    this.#root = root
    this.#plan = plan
  }

  async run(): Promise<Observed[]> {
    const pings = setInterval(() => this.#ping(), 300)
    try {
      for (let session = 0; session < sessionCount; session += 1) this.#slots.push(await this.#open())
      await (this.#slots[0] as Slot).client.create(this.#root)
      const observed: Observed[] = []
      for (const { session, operation } of this.#plan.steps) {
        const outcome = await this.#perform(session, operation)
        const events = await this.#collect(operation)
        observed.push({ operation, session, outcome, events })
      }
      return ranked(observed) as Observed[]
    } finally {
      clearInterval(pings)
      await Promise.all(this.#connected().map((client) => client.close()))
    }
  }

  #connected(): ZkClient[] {
    return this.#slots.filter(({ isCut }) => !isCut).map(({ client }) => client)
  }

  /** Steps of the other sessions may take their time. */
  #ping(): void {
    for (const { connection } of this.#connected()) {
      if (!connection.isEnded) connection.send('ping', undefined, () => {})
    }
  }

  async #open(): Promise<Slot> {
    const client = await ZkClient.connect(this.#port, { timeoutMs })
    this.#sessions.set(client.opened.sessionId, `session ${this.#sessions.size}`)
    return { client, watches: new Watches(), credentials: [], isCut: false, lastZxid: 0n }
  }

  async #perform(session: number, operation: PlannedOperation): Promise<unknown> {
    const slot = this.#slots[session] as Slot
    if (slot.isCut) await this.#restore(slot)
    switch (operation.op) {
      case 'close': {
        const { error } = await slot.client.request('closeSession', undefined)
        slot.client.connection.close('closed')
        this.#slots[session] = await this.#open()
        return { error }
      }
      case 'cut':
        slot.isCut = true
        slot.client.connection.close('cut')
        return 'cut'
      case 'expire':
        await this.#expire(session, slot)
        return 'expired'
      case 'setQuota':
        return this.#setQuota(slot.client, operation.path, operation.limits)
      default:
        return this.#request(slot, operation)
    }
  }

  /** Everything that was sent to the sessions before now has arrived when their pings are answered. */
  async #collect(operation: PlannedOperation): Promise<string[][]> {
    await Promise.all(this.#connected().map((client) => client.request('ping', undefined)))
    // The nodes of a session that ends go in no particular order.
    const isUnordered = operation.op === 'close' || operation.op === 'expire'
    return this.#slots.map(({ client, watches }) => {
      const events = client.events.splice(0)
      for (const event of events) watches.fired(event)
      const texts = events.map(({ type, path }) => `${eventNames.get(type) ?? type} ${this.#shown(path)}`)
      return isUnordered ? texts.sort() : texts
    })
  }

  /** As clients do: the credentials first, then the watches. */
  async #restore(slot: Slot): Promise<void> {
    const { id, password } = slot.client.ticket
    const lastZxidSeen = slot.client.connection.lastZxid
    slot.client = await ZkClient.connect(this.#port, {
      timeoutMs,
      ticket: { id, password },
      lastZxidSeen,
    })
    slot.isCut = false
    if (slot.client.opened.sessionId !== id) throw new Error('the session was not there any more')
    for (const credentials of slot.credentials) await slot.client.request('auth', authOf(credentials))
    const { data, exists, children, persistent, recursive } = slot.watches
    if (slot.watches.isEmpty) return
    await slot.client.expect('setWatches2', {
      relativeZxid: lastZxidSeen,
      data: [...data],
      exists: [...exists],
      children: [...children],
      persistent: [...persistent],
      persistentRecursive: [...recursive],
    })
  }

  /** A node of the session shows when it is over. */
  async #expire(session: number, slot: Slot): Promise<void> {
    const marker = `${this.#root}-marker-${this.#sessions.size}`
    await slot.client.create(marker, '', 1)
    slot.client.connection.close('comes back with a shorter timeout')
    slot.isCut = true
    const { ticket } = slot.client
    const lastZxidSeen = slot.client.connection.lastZxid
    const short = await ZkClient.connect(this.#port, { timeoutMs: 1000, ticket, lastZxidSeen })
    short.connection.close('silent')
    const others = this.#slots.filter((other) => other !== slot && !other.isCut)
    const asker = others[0]?.client ?? (await ZkClient.connect(this.#port, { timeoutMs }))
    for (let waited = 0; ; waited += 1) {
      const { error } = await asker.request('exists', { path: marker, watch: false })
      if (error !== 0) break
      if (waited > 600) throw new Error('the session did not expire')
      await Promise.all(others.map(({ client }) => client.request('ping', undefined)))
      await sleep(50)
    }
    if (others.length === 0) await asker.close()
    this.#slots[session] = await this.#open()
  }

  async #setQuota(client: ZkClient, path: string, limits: string): Promise<unknown> {
    const errors: number[] = []
    let node = '/zookeeper/quota'
    for (const name of `${this.#root}${path}`.slice(1).split('/')) {
      node += `/${name}`
      errors.push(await this.#createPlain(client, node, ''))
    }
    errors.push(await this.#createPlain(client, `${node}/zookeeper_limits`, limits))
    errors.push(await this.#createPlain(client, `${node}/zookeeper_stats`, 'count=0,bytes=0'))
    const { error } = await client.request('setData', {
      path: `${node}/zookeeper_limits`,
      data: bytesOf(limits),
      version: -1,
    })
    return [...errors, error]
  }

  async #createPlain(client: ZkClient, path: string, data: string): Promise<number> {
    const acl = [{ perms: 31, scheme: 'world', id: 'anyone' }]
    return (await client.request('create', { path, data: bytesOf(data), acl, flags: 0 })).error
  }

  async #request(slot: Slot, operation: PlannedOperation): Promise<unknown> {
    const { client, watches } = slot
    switch (operation.op) {
      case 'create':
      case 'create2':
      case 'createContainer': {
        const { error, response } = await client.request(operation.op, this.#creation(operation))
        return { error, response: response === undefined ? undefined : this.#created(response) }
      }
      case 'createTTL': {
        const request = { ...this.#creation(operation), ttlMs: operation.ttlMs }
        const { error, response } = await client.request('createTTL', request)
        return { error, response: response === undefined ? undefined : this.#created(response) }
      }
      case 'delete':
        return client
          .request('delete', { path: this.#full(operation.path), version: operation.version })
          .then(({ error }) => ({ error }))
      case 'check':
        throw new Error('a check alone')
      case 'setData': {
        const { path, data, version } = operation
        const { error, response } = await client.request('setData', {
          path: this.#full(path),
          data: bytesOf(data),
          version,
        })
        return { error, stat: this.#stat(response?.stat) }
      }
      case 'exists': {
        const path = this.#full(operation.path)
        const watch = operation.watch && !persistentlyWatched.has(operation.path)
        const { error, response } = await client.request('exists', { path, watch })
        if (watch && error === 0) watches.data.add(path)
        if (watch && error === -101) watches.exists.add(path)
        // Where one side may refuse to show the stat, its zxids must not count in the ranks.
        return this.#plan.subject === 'acls' ? { error } : { error, stat: this.#stat(response?.stat) }
      }
      case 'getData': {
        const path = this.#full(operation.path)
        const watch = operation.watch && !persistentlyWatched.has(operation.path)
        const { error, response } = await client.request('getData', { path, watch })
        if (watch && error === 0) watches.data.add(path)
        return { error, data: textOf(response?.data), stat: this.#stat(response?.stat) }
      }
      case 'getChildren': {
        const path = this.#full(operation.path)
        const watch = operation.watch && !persistentlyWatched.has(operation.path)
        const { error, response } = await client.request('getChildren', { path, watch })
        if (watch && error === 0) watches.children.add(path)
        return { error, children: [...(response?.children ?? [])].sort() }
      }
      case 'getChildren2': {
        const path = this.#full(operation.path)
        const watch = operation.watch && !persistentlyWatched.has(operation.path)
        const { error, response } = await client.request('getChildren2', { path, watch })
        if (watch && error === 0) watches.children.add(path)
        return { error, children: [...(response?.children ?? [])].sort(), stat: this.#stat(response?.stat) }
      }
      case 'getACL': {
        const { error, response } = await client.request('getACL', { path: this.#full(operation.path) })
        return { error, acl: response?.acl, stat: this.#stat(response?.stat) }
      }
      case 'setACL': {
        const { path, acl, version } = operation
        const { error, response } = await client.request('setACL', { path: this.#full(path), acl, version })
        return { error, stat: this.#stat(response?.stat) }
      }
      case 'getAllChildrenNumber': {
        const { error, response } = await client.request('getAllChildrenNumber', { path: this.#full(operation.path) })
        return { error, count: response?.count }
      }
      case 'getEphemerals': {
        const { error, response } = await client.request('getEphemerals', { prefix: this.#full(operation.path) })
        return { error, paths: response?.paths.map((path) => this.#shown(path)).sort() }
      }
      case 'sync': {
        const { error, response } = await client.request('sync', { path: this.#full(operation.path) })
        return { error, path: this.#shown(response?.path ?? '') }
      }
      case 'multi': {
        const { error, response } = await client.request(
          'multi',
          operation.operations.map((sub) => this.#sub(sub)),
        )
        return { error, results: response?.map((result) => this.#result(result)) }
      }
      case 'multiRead': {
        const { error, response } = await client.request(
          'multiRead',
          operation.operations.map(({ op, path }) => ({ type: op, request: { path: this.#full(path) } })),
        )
        return { error, results: response?.map((result) => this.#result(result)) }
      }
      case 'addWatch': {
        const path = this.#full(operation.path)
        const isRecursive = persistentlyWatched.get(operation.path) === 'recursive'
        const mode = isRecursive ? addWatchModes.persistentRecursive : addWatchModes.persistent
        const { error } = await client.request('addWatch', { path, mode })
        if (error === 0) (isRecursive ? watches.recursive : watches.persistent).add(path)
        return { error }
      }
      case 'removeWatches':
      case 'checkWatches': {
        const path = this.#full(operation.path)
        // 3.8.0 keeps a persistent watch among the data and the child watches, and takes it apart by type.
        const type = persistentlyWatched.has(operation.path) ? watcherTypes.any : operation.type
        const { error } = await client.request(operation.op, { path, type })
        if (error === 0 && operation.op === 'removeWatches') watches.removed(path, type)
        return { error }
      }
      case 'auth': {
        const { error } = await client.request('auth', authOf(operation.credentials))
        if (error === 0) slot.credentials.push(operation.credentials)
        return { error }
      }
      case 'whoAmI': {
        const { error, response } = await client.request('whoAmI', undefined)
        return { error, identities: response?.identities.map(({ scheme, id }) => `${scheme}:${id}`).sort() }
      }
      case 'readQuota': {
        const path = `/zookeeper/quota${this.#root}${operation.path}/zookeeper_stats`
        const { error, response } = await client.request('getData', { path, watch: false })
        return { error, data: textOf(response?.data) }
      }
      default:
        throw new Error(`not a request: ${operation.op}`)
    }
  }

  #creation({ path, data, acl, flags }: PlannedCreate): {
    path: string
    data: Uint8Array | undefined
    acl: PlannedCreate['acl']
    flags: number
  } {
    return { path: this.#full(path), data: bytesOf(data), acl, flags }
  }

  #created(response: { readonly path: string; readonly stat?: WireStat }): unknown {
    return { path: this.#shown(response.path), stat: this.#stat(response.stat) }
  }

  #sub(sub: PlannedSub): WireOperation {
    switch (sub.op) {
      case 'create':
      case 'create2':
      case 'createContainer':
        return { type: sub.op, request: this.#creation(sub) }
      case 'createTTL':
        return { type: sub.op, request: { ...this.#creation(sub), ttlMs: sub.ttlMs } }
      case 'setData':
        return {
          type: 'setData',
          request: { path: this.#full(sub.path), data: bytesOf(sub.data), version: sub.version },
        }
      default:
        return { type: sub.op, request: { path: this.#full(sub.path), version: sub.version } }
    }
  }

  #result(result: WireResult): unknown {
    switch (result.type) {
      case 'create':
        return { ...result, path: this.#shown(result.path) }
      case 'create2':
        return { ...result, path: this.#shown(result.path), stat: this.#stat(result.stat) }
      case 'setData':
        return { ...result, stat: this.#stat(result.stat) }
      case 'getData':
        return { ...result, data: textOf(result.data), stat: this.#stat(result.stat) }
      case 'getChildren':
        return { ...result, children: [...result.children].sort() }
      default:
        return result
    }
  }

  #stat(stat: WireStat | undefined): unknown {
    if (stat === undefined) return undefined
    const { czxid, mzxid, pzxid, ctime, mtime, ephemeralOwner, ...rest } = stat
    const owner = ephemeralOwner === 0n ? 'nobody' : (this.#sessions.get(ephemeralOwner) ?? `${ephemeralOwner}`)
    return {
      ...rest,
      owner,
      czxid: new Zxid(czxid),
      mzxid: new Zxid(mzxid),
      pzxid: new Zxid(pzxid),
      isTimely: ctime <= mtime,
    }
  }

  #full(path: string): string {
    return `${this.#root}${path}`
  }

  #shown(path: string): string {
    return path.replaceAll(this.#root, '~')
  }
}

function authOf(credentials: string): { type: number; scheme: string; auth: Uint8Array } {
  return { type: 0, scheme: 'digest', auth: new Uint8Array(Buffer.from(credentials)) }
}

/** The same with each zxid as its rank among all of them. */
function ranked(observed: unknown): unknown {
  const all = new Set<bigint>()
  const gather = (value: unknown): void => {
    if (value instanceof Zxid) all.add(value.value)
    else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) gather(inner)
  }
  gather(observed)
  const ranks = new Map([...all].sort((a, b) => (a < b ? -1 : 1)).map((zxid, rank) => [zxid, `zxid ${rank}`]))
  const replace = (value: unknown): unknown => {
    if (value instanceof Zxid) return ranks.get(value.value)
    if (Array.isArray(value)) return value.map(replace)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replace(inner)]))
  }
  return replace(observed)
}
