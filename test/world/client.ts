/**
 * One client of a run: it makes the operations of its plan at their times, whether or not the ones before are answered,
 * in whatever process its machine runs at that time. What it knows (versions, sequential nodes, tokens) it learned from
 * answers.
 */
import { formatLimits, limitsPathOf, statsPathOf } from '../../lib/core/tree/quota.ts'
import type { AclEntry, Client, Coord, MultiOperation, Session } from '../../lib/index.ts'
import type { Machine, World } from '../../lib/testing/world.ts'
import type { ClientPlan, Operation, SubOperation, Version } from './plan.ts'
import type { Recorder } from './recorder.ts'

type Api = Client<Uint8Array> | Session<Uint8Array>

/** An ACL that gives the same to all. */
const everybody = (permissions: string): AclEntry[] => [{ scheme: 'world', id: 'anyone', permissions }]

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export class WorldClient {
  readonly #world: World
  readonly #recorder: Recorder
  readonly #machines: readonly Machine[]
  readonly #plan: ClientPlan
  readonly #name: string
  /** Per path, as last seen. */
  readonly #versions = new Map<string, number>()
  readonly #made: string[] = []
  #held: { readonly path: string; readonly token: bigint } | undefined
  #session: Session<Uint8Array> | undefined
  #opening = false
  #machine: number
  #count = 0

  constructor(world: World, recorder: Recorder, machines: readonly Machine[], plan: ClientPlan, name: string) {
    this.#world = world
    this.#recorder = recorder
    this.#machines = machines
    this.#plan = plan
    this.#name = name
    this.#machine = plan.machine
  }

  /** The id of the session that it uses now. */
  get sessionId(): bigint | undefined {
    return this.#plan.sessionTimeoutMs === null ? this.#coord()?.session.id : this.#session?.id
  }

  start(): void {
    for (const operation of this.#plan.operations) {
      this.#world.scheduler.schedule(operation.at - this.#world.now, () => this.#do(operation))
    }
  }

  /** Closes its session, if it has one of its own. */
  async end(): Promise<void> {
    const session = this.#session
    if (session !== undefined && session.state !== 'lost') await session.close()
  }

  #coord(): Coord<Uint8Array> | undefined {
    const machine = this.#machines[this.#machine]
    const coord = machine?.isUp === true && !machine.process.isPaused ? machine.coord : undefined
    return coord?.state === 'closed' ? undefined : (coord as Coord<Uint8Array> | undefined)
  }

  #do(operation: Operation): void {
    const coord = this.#coord()
    if (coord === undefined) return
    if (operation.do === 'reopen' || operation.do === 'move') {
      if (this.#plan.sessionTimeoutMs !== null && !this.#opening) this.#renew(operation)
      return
    }
    const api = this.#api(coord)
    if (api !== undefined) this.#make(api, operation)
  }

  /** Where calls go now: none while a session of its own is being opened. */
  #api(coord: Coord<Uint8Array>): Api | undefined {
    const { sessionTimeoutMs } = this.#plan
    if (sessionTimeoutMs === null) return coord
    const session = this.#session
    if (session !== undefined && session.state !== 'lost' && session.state !== 'closed') return session
    if (!this.#opening) this.#open(coord.openSession({ timeoutMs: sessionTimeoutMs }))
    return undefined
  }

  #open(opening: Promise<Session<Uint8Array>>): void {
    this.#opening = true
    this.#session = undefined
    const { process } = this.#machines[this.#machine] as Machine
    const settled = (session?: Session<Uint8Array>): void => {
      this.#opening = false
      if (!process.isDead) this.#session = session
    }
    opening.then(settled, () => settled())
    // A process that dies never says so: then this client begins anew.
    const watch = (): void => {
      if (!this.#opening) return
      if (process.isDead) settled()
      else this.#world.scheduler.schedule(500, watch)
    }
    this.#world.scheduler.schedule(500, watch)
  }

  /** Closes the session and opens another one, or takes it along to another machine. */
  #renew(operation: Extract<Operation, { do: 'reopen' | 'move' }>): void {
    const before = this.#session
    if (before === undefined) return
    const timeoutMs = this.#plan.sessionTimeoutMs ?? undefined
    if (operation.do === 'reopen') {
      void this.#recorder.perform(() => before.close())
      this.#session = undefined
      return
    }
    const from = this.#machine
    this.#machine = operation.machine % this.#machines.length
    const coord = this.#coord()
    if (coord === undefined) this.#machine = from
    else this.#open(coord.openSession({ timeoutMs, attach: { id: before.id, password: before.password } }))
  }

  #make(api: Api, operation: Operation): void {
    const { abortMs } = operation
    const abort = abortMs === undefined ? undefined : new AbortController()
    const signal = abort?.signal
    if (abortMs !== undefined) this.#world.scheduler.schedule(abortMs, () => abort?.abort())
    void this.#perform(api, operation, signal).catch(() => {})
  }

  async #perform(api: Api, operation: Operation, signal: AbortSignal | undefined): Promise<void> {
    const recorder = this.#recorder
    switch (operation.do) {
      case 'create': {
        const { path, mode, parents, permissions, ttlMs } = operation
        const acl = permissions === undefined ? undefined : everybody(permissions)
        const options = { mode, parents, acl, ttlMs, signal }
        const made = await recorder.perform(() => api.createWithStat(path, this.#value(), options))
        if (made !== undefined) this.#onMade(made.path, mode, made.stat.czxid)
        return
      }
      case 'setData': {
        const { path } = operation
        const version = this.#version(path, operation.version)
        const stat = await recorder.perform(() => api.setData(path, this.#value(), { version, signal }))
        if (stat !== undefined) this.#versions.set(path, stat.version)
        return
      }
      case 'delete': {
        const { path, recursive } = operation
        const version = this.#version(path, operation.version)
        await recorder.perform(() => api.delete(path, { version, recursive, signal }))
        return
      }
      case 'take': {
        const path = this.#made.shift()
        if (path !== undefined) await recorder.perform(() => api.delete(path, { signal }))
        return
      }
      case 'read':
        return this.#read(api, operation, signal)
      case 'setAcl':
        await recorder.perform(() => api.setAcl(operation.path, everybody(operation.permissions), { signal }))
        return
      case 'getAcl':
        await recorder.perform(() => api.getAcl(operation.path, { signal }))
        return
      case 'multiRead': {
        const types = ['exists', 'getData', 'getChildren'] as const
        const reads = operation.paths.map((path, index) => ({ type: types[index % 3] ?? 'exists', path }))
        await recorder.perform(() => api.multiRead(reads, { signal }))
        return
      }
      case 'count':
        await recorder.perform(() => api.getAllChildrenNumber(operation.path, { signal }))
        return
      case 'ephemerals':
        await recorder.perform(() => api.getEphemerals(operation.path, { signal }))
        return
      case 'multi': {
        const operations = operation.operations.map((sub) => this.#sub(sub))
        const ifHeld = operation.ifHeld ? this.#held : undefined
        const results = await recorder.perform(() => api.multi(operations, { ifHeld, signal }))
        results?.forEach((result, index) => {
          const sub = operation.operations[index]
          if (result.type === 'create' && sub?.type === 'create') this.#onMade(result.path, sub.mode, result.stat.czxid)
        })
        return
      }
      case 'setQuota': {
        // What `setQuota` of the library writes, as calls of their own.
        const { path, nodes, bytes: bytesMax } = operation
        const data = bytes(formatLimits({ hardCount: nodes ?? undefined, hardBytes: bytesMax ?? undefined }))
        const options = { parents: true, signal }
        const limitsPath = limitsPathOf(path)
        const isNew = (await recorder.perform(() => api.createWithStat(limitsPath, data, options))) !== undefined
        if (!isNew) await recorder.perform(() => api.setData(limitsPath, data, { signal }))
        else await recorder.perform(() => api.createWithStat(statsPathOf(path), bytes(''), options))
        return
      }
      case 'endQuota': {
        const gone = [limitsPathOf(operation.path), statsPathOf(operation.path)].map(
          (path) => ({ type: 'delete', path }) as const,
        )
        await recorder.perform(() => api.multi(gone, { signal }))
        return
      }
      case 'sync':
        await recorder.perform(() => api.sync(undefined, { signal }))
        return
      case 'await': {
        const zxid = this.#machines[operation.machine]?.member?.peer?.state.lastZxid
        if (zxid !== undefined) await recorder.perform(() => api.awaitZxid(zxid, { signal }))
        return
      }
      case 'reopen':
      case 'move':
    }
  }

  async #read(api: Api, operation: Extract<Operation, { do: 'read' }>, signal: AbortSignal | undefined): Promise<void> {
    const { path, call } = operation
    const consistency = operation.linearizable ? 'linearizable' : 'session'
    const found = await this.#recorder.perform<unknown>(
      (listener) => {
        const watch = operation.watch ? listener : undefined
        return api[call](path, { consistency, watch, signal })
      },
      { session: 'session' in api ? api.session.id : api.id, type: call, path },
    )
    const version = (found as { stat?: { version: number } } | undefined)?.stat?.version
    if (version !== undefined) this.#versions.set(path, version)
  }

  /** Unlike any other. */
  #value(): Uint8Array {
    this.#count += 1
    return bytes(`${this.#name}.${this.#count}`.padEnd(this.#plan.valueBytes ?? 0, '.'))
  }

  #version(path: string, version: Version): number | undefined {
    const known = this.#versions.get(path)
    if (version === 'any' || known === undefined) return undefined
    return version === 'known' ? known : known + 7
  }

  #sub(sub: SubOperation): MultiOperation<Uint8Array> {
    if (sub.type === 'create') return { ...sub, data: this.#value() }
    const version = this.#version(sub.path, sub.version)
    return sub.type === 'setData'
      ? { type: 'setData', path: sub.path, data: this.#value(), version }
      : { type: sub.type, path: sub.path, version }
  }

  #onMade(path: string, mode: string, token: bigint): void {
    if (mode.includes('sequential')) this.#made.push(path)
    if (mode.startsWith('ephemeral')) this.#held = { path, token }
  }
}
