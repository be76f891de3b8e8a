/**
 * Performs a plan: chaos, then everything heals, and the ensemble must come to rest: one leader, every call answered, all
 * replicas equal, every session that is nobody's gone. Then the history is checked. Throws a `Violation`.
 */

import { levelStorage } from '../../adapters/storage-level/index.ts'
import type { Storage } from '../../lib/ports/storage.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import type { MemberLimits } from '../../lib/runtime/member.ts'
import type { Machine } from '../../lib/testing/world.ts'
import { World } from '../../lib/testing/world.ts'
import { encodeRecords, encodeSnapshotHead } from '../../lib/wire/stored.ts'
import { checkHistory } from './checks/index.ts'
import { WorldClient } from './client.ts'
import { Faults } from './faults.ts'
import type { History } from './history.ts'
import { Holder, Resource } from './holders.ts'
import { textOf } from './model/text.ts'
import type { EnsemblePlan, Plan } from './plan.ts'
import { Recipe } from './recipes.ts'
import { Recorder } from './recorder.ts'
import { Violation } from './violation.ts'
import { Watcher } from './watchers.ts'

export interface RunResult {
  readonly virtualMs: number
  /** Calls that sessions made: each one was checked. */
  readonly calls: number
  readonly entries: number
  /** How often a fenced resource was used by whoever held it. */
  readonly uses: number
  readonly hits: ReadonlyMap<string, number>
  readonly marks: ReadonlyMap<string, number>
  readonly traceHash: string
}

/** A failed run: what was violated, and what had happened. */
export interface Failure {
  readonly violation: Violation
  readonly recorder: Recorder
}

/** Until a leader serves everybody, once all is well: some election timeouts, redials and joins. */
const servingMs = 10_000
const slowestSyncMs = 30_000
const restMs = 30_000
const streamsMs = 3_000
/** Frames that may leave on a link in one turn. */
const turnFrames = 4
const names = 'abcdefghij'

export async function runPlan(plan: Plan): Promise<RunResult | Failure> {
  const run = new Run(plan)
  try {
    return await run.run()
  } catch (error) {
    if (!(error instanceof Violation)) throw error
    return { violation: error, recorder: run.recorder }
  } finally {
    await run.world.end()
  }
}

class Run {
  readonly world: World
  readonly recorder: Recorder
  readonly #plan: Plan
  readonly #machines: Machine[]
  readonly #faults: Faults
  readonly #clients: readonly WorldClient[]
  readonly #holders: readonly Holder[]
  readonly #watchers: readonly Watcher[]
  readonly #recipes: readonly Recipe[]
  readonly #marks = new Map<string, number>()

  constructor(plan: Plan) {
    this.#plan = plan
    const { ensemble, seed } = plan
    const { networkDelayMs, syncMs, clockDrift, sessionTimeoutMs, requestTimeoutMs } = ensemble
    this.recorder = new Recorder(() => this.world.now)
    this.world = new World({
      seed,
      network: { delayMs: networkDelayMs, onMisdeed: (what) => this.#faults.hit(`frame ${what}`) },
      syncMs,
      clockDrift,
      join: { sessionTimeoutMs, requestTimeoutMs, joinTimeoutMs: 3_600_000 },
      inner: {
        limits: limitsOf(ensemble),
        counterLast: ensemble.tight.counterLast,
        mark: (name) => this.#marks.set(name, (this.#marks.get(name) ?? 0) + 1),
      },
      onMember: (machine, member) => this.recorder.observe(machine, member),
    })
    this.#machines = ensemble.durable.map((durable, index) => this.world.addMachine(names[index] ?? '', durable))
    this.#clients = plan.clients.map(
      (client, index) => new WorldClient(this.world, this.recorder, this.#machines, client, `c${index}`),
    )
    const resource = new Resource('r', this.world, this.recorder)
    this.#holders = plan.holders.map((holder, index) => {
      const machine = this.#machines[holder.machine] as Machine
      return new Holder(this.world, machine, holder, resource, `h${index}`)
    })
    this.#watchers = (plan.watchers ?? []).map(
      (watcher) => new Watcher(this.world, this.recorder, this.#machines[watcher.machine] as Machine, watcher),
    )
    this.#recipes = (plan.recipes ?? []).map((recipe) => new Recipe(this.world, this.recorder, this.#machines, recipe))
    this.#faults = new Faults({
      world: this.world,
      recorder: this.recorder,
      machines: this.#machines,
      founders: this.#machines.map(({ address }) => address),
      syncMs,
      sessionOf: (client) => this.#clients[client % this.#clients.length]?.sessionId,
      onJoined: () => {},
    })
  }

  async run(): Promise<RunResult> {
    const { scheduler } = this.world
    const { faults, chaosMs } = this.#plan
    for (const machine of this.#machines) this.#faults.start(machine)
    this.#faults.schedule(faults)
    for (const one of [...this.#clients, ...this.#holders, ...this.#watchers, ...this.#recipes]) one.start()
    for (let at = 0; at < chaosMs; at += 1_000) {
      await scheduler.advance(1_000)
      this.#look()
    }
    this.recorder.note('everything heals')
    this.#faults.heal()
    await this.#rest()
    for (const watcher of this.#watchers) watcher.end()
    await this.#takeFinals()
    checkHistory(this.#history)
    const { calls, entries, fencedWrites } = this.#history
    const { traceHash } = this.recorder
    return {
      virtualMs: this.world.now,
      calls: calls.length,
      entries: entries.length,
      uses: fencedWrites.length,
      hits: this.#faults.hits,
      marks: this.#marks,
      traceHash: `${(traceHash >>> 0).toString(16)}-${scheduler.count}`,
    }
  }

  get #history(): History {
    return this.recorder.history
  }

  /** What is looked at now and then: bounds, and the configurations that members know. */
  #look(): void {
    const { gauges, configurations } = this.#history
    const { tight } = this.#plan.ensemble
    for (const { bufferedBytes } of this.world.network.connections) {
      const { frameBytesMax } = defaultLimits.link
      const { bufferedBytesMax = defaultLimits.link.bufferedBytesMax, frameBytesMax: frame = frameBytesMax } = tight
      // What leaves in one turn is looked at when it has left.
      const limit = bufferedBytesMax + turnFrames * frame
      if (bufferedBytes > limit / 1_000) gauges.push({ what: 'bytes waiting on a link', value: bufferedBytes, limit })
    }
    for (const machine of this.#machines) {
      const zab = machine.isUp ? machine.member?.peer?.zab : undefined
      const latest = zab?.configurations.latest
      if (zab === undefined || latest?.settledAt === undefined) continue
      // Who prepares another founding still knows the configuration of the one that this has frozen.
      if (zab.belonging.presence === 'prepared') continue
      const { cluster } = zab.belonging
      const { zxid, configuration } = latest
      const life = `${machine.name} ${machine.starts}`
      const voters = configuration.voters.map(({ id }) => id)
      configurations.push({ order: this.recorder.next(), cluster, life, zxid, voters, text: textOf(configuration) })
    }
  }

  /** Demands rest. Each thing has its limit; what does not come in time is noted, and the check of liveness finds it. */
  async #rest(): Promise<void> {
    // A sync that hangs may take until then: nobody else need wait for it, unless others have forgotten.
    const mayHaveForgotten = this.#machines.some(({ disk }) => !disk.durable) || this.#faults.hits.has('wipe')
    const leaderMs = mayHaveForgotten ? slowestSyncMs + servingMs : servingMs
    await this.#demand('a leader that serves most members', leaderMs, () => this.#isMostlyServing())
    await this.#demand('a leader that serves every member', slowestSyncMs + servingMs, () => this.#isServing())
    await this.#demand('an answer to every call', restMs, this.#everyAnswer())
    await this.#demand('every seat taken by its member', restMs, () => this.#isSeated())
    for (const recipe of this.#recipes) await recipe.rest()
    for (const one of [...this.#holders, ...this.#clients]) void one.end()
    await this.#demand('the end of sessions that nobody has', slowestSyncMs + restMs, () => this.#isTidy())
    await this.#demand('equal replicas', restMs, () => this.#isServing() && this.#isEqual())
    // Streams that wait for a new session, and the like, open anew.
    if (this.#watchers.length > 0) await this.world.scheduler.advance(streamsMs)
  }

  async #demand(what: string, usualMs: number, isThere: () => boolean): Promise<void> {
    const limitMs = this.#plan.restMs ?? usualMs
    const begun = this.world.now
    while (!isThere()) {
      if (this.world.now - begun >= limitMs) {
        this.#history.demands.push({ what: `${what}: ${this.#state()}`, tookMs: Number.POSITIVE_INFINITY, limitMs })
        return
      }
      await this.world.scheduler.advance(100)
      this.#look()
    }
    this.#history.demands.push({ what, tookMs: this.world.now - begun, limitMs })
  }

  /**
   * Whether there is a moment in which nobody waits for an answer. Busy recipes may leave none: after a while, it is enough
   * that those have one who waited when this began.
   */
  #everyAnswer(): () => boolean {
    const waiting = new Set(this.recorder.pending())
    const begun = this.world.now
    return () => {
      const left = this.recorder.pending()
      return left.length === 0 || (this.world.now - begun >= restMs / 2 && !left.some((call) => waiting.has(call)))
    }
  }

  /** Of each member, the leader that serves it. */
  #leaders(): (string | undefined)[] {
    const statuses = this.#machines.map(({ isUp, member }) => (isUp ? member?.status : undefined))
    return statuses.map((status) => (status?.serving === true ? status.leader?.id : undefined))
  }

  #isMostlyServing(): boolean {
    const leaders = this.#leaders()
    const served = leaders.filter((leader) => leader !== undefined)
    return new Set(served).size === 1 && served.length * 2 > leaders.length
  }

  #isServing(): boolean {
    const leaders = new Set(this.#leaders())
    return leaders.size === 1 && !leaders.has(undefined)
  }

  /** No seat is that of a member that will not come back. */
  #isSeated(): boolean {
    const ids = new Set(this.#machines.map(({ member }) => member?.peer && member.self.id))
    return this.#machines.every(({ member }) => {
      const history = member?.peer?.zab.configurations
      return history?.pending === undefined && history?.latest?.configuration.voters.every(({ id }) => ids.has(id))
    })
  }

  #isTidy(): boolean {
    const open = new Set(this.recorder.openSessions())
    return this.#machines.every(({ member }) => member?.peer?.state.sessions.list().every(({ id }) => open.has(id)))
  }

  #isEqual(): boolean {
    const ends = this.#machines.map(({ member }) => `${member?.peer?.state.lastZxid} ${member?.peer?.zab.log.last}`)
    const { lastZxid } = this.#machines[0]?.member?.peer?.state ?? {}
    return new Set(ends).size === 1 && ends[0] === `${lastZxid} ${lastZxid}`
  }

  #state(): string {
    const members = this.#machines.map(({ name, isUp, member }) => {
      const { status, peer } = member ?? {}
      const zab = peer?.zab
      const role = zab?.role
      const phase = role !== undefined && 'phase' in role ? ` ${role.phase} ${role.epoch}` : ''
      const doing = isUp ? `${role?.name}${phase}, ${status?.serving ? 'serving' : status?.reason}` : 'down'
      return `${name}: ${doing}, log ${zab?.log.last}, applied ${peer?.state.lastZxid}`
    })
    const open = new Set(this.recorder.openSessions())
    const known = this.#machines.flatMap(({ member }) => member?.peer?.state.sessions.list() ?? [])
    const stray = new Set(
      known.filter(({ id }) => !open.has(id)).map(({ id, timeoutMs }) => `${id.toString(16)} (${timeoutMs} ms)`),
    )
    const pending = this.recorder.pending().slice(0, 3)
    return `${members.join('; ')}; sessions of nobody: ${[...stray].join()}; ${pending.length} calls wait ${textOf(pending.map(({ id, at, request }) => ({ id, at, request })))}`
  }

  /** Through which entry each disk holds the log, as its store reads it back; or why it does not. What is under way may end. */
  async #storedThrough(): Promise<ReadonlyMap<Machine, string>> {
    const found = new Map<Machine, string>()
    for (let waitedMs = 0; waitedMs <= slowestSyncMs; waitedMs += 100) {
      let isComplete = true
      for (const machine of this.#machines.filter(({ disk }) => disk.durable)) {
        const { disk, process, member } = machine
        const text = await readBack(levelStorage(disk.level(process)))
        found.set(machine, text)
        if (text !== `${member?.peer?.zab.log.last}`) isComplete = false
      }
      // What a leader reaps meanwhile is on its way to the others.
      if (isComplete && this.#isEqual()) break
      await this.world.scheduler.advance(100)
    }
    return found
  }

  async #takeFinals(): Promise<void> {
    const stored = await this.#storedThrough()
    for (const machine of this.#machines) {
      const { peer } = machine.member ?? {}
      if (peer === undefined) continue
      const { state } = peer
      const { lastZxid: zxid } = state
      const configurations = peer.zab.configurations.at(zxid).slice(-1)
      const chunks = [encodeSnapshotHead({ zxid, configurations, marks: [] }), encodeRecords([...state.snapshot()])]
      const nodes = new Map(
        [...state.tree.walk('/')].map(({ path, node }) => [
          path,
          textOf([state.tree.getData(path)?.data, node.stat()]),
        ]),
      )
      this.#history.finals.push({
        life: `${machine.name} ${machine.starts}`,
        zxid,
        digest: state.digest(),
        exported: Buffer.concat(chunks).toString('hex'),
        nodes,
        sessions: state.sessions.list().map(({ id }) => id),
        // What is in its log and not applied yet is another matter.
        stored: stored.get(machine) === `${peer.zab.log.last}` ? `${zxid}` : stored.get(machine),
      })
      if (machine.disk.writesAfterFailure > 0)
        this.#history.breakdowns.push(`${machine.name} wrote to a store that had failed`)
    }
    this.#history.openAtEnd.push(...this.recorder.openSessions())
  }
}

async function readBack(storage: Storage): Promise<string> {
  try {
    const { records, checkpoint } = await storage.open()
    return `${records.at(-1)?.last ?? checkpoint?.zxid}`
  } catch (error) {
    return (error as Error).message
  }
}

function limitsOf({ tight }: EnsemblePlan): Partial<MemberLimits> {
  const {
    checkpointEntries,
    tailEntries,
    batchBytesMax,
    chunkBytesMax,
    slice,
    frameBytesMax,
    windowChanges,
    bufferedBytesMax,
  } = tight
  const link = {
    ...defaultLimits.link,
    ...(frameBytesMax === undefined ? {} : { frameBytesMax }),
    ...(bufferedBytesMax === undefined ? {} : { bufferedBytesMax }),
  }
  return {
    reapIntervalMs: 2_000,
    ...(checkpointEntries === undefined ? {} : { checkpointEntries, checkpointShare: 0 }),
    ...(tailEntries === undefined ? {} : { tail: { entries: tailEntries, bytes: 1 << 14 } }),
    ...(batchBytesMax === undefined ? {} : { batchBytesMax }),
    ...(chunkBytesMax === undefined ? {} : { chunkBytesMax }),
    ...(slice === undefined ? {} : { slice }),
    ...(windowChanges === undefined
      ? {}
      : { session: { ...defaultLimits.session, window: { ...defaultLimits.session.window, changes: windowChanges } } }),
    ...(frameBytesMax === undefined && bufferedBytesMax === undefined ? {} : { link }),
  }
}
