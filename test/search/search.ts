/**
 * Small-scope exhaustive search: every state that a small world can get into within its bounds, each once, by the shipped
 * core, with the simulator's invariants looking at every step. States with fewer deviations come first, and among those
 * the ones that take fewer events: what is found is a short story.
 */
import { createHash } from 'node:crypto'
import { lastOf } from '../../lib/core/zab/batch.ts'
import type { MemberRecord } from '../../lib/core/zab/configuration.ts'
import { featureLevel } from '../../lib/core/zab/features.ts'
import type { Belonging, ZabOptions } from '../../lib/core/zab/zab.ts'
import { zxidZero } from '../../lib/core/zab/zxid.ts'
import { DiskImage } from '../sim/disk.ts'
import { failureOf } from '../sim/failure.ts'
import { History } from '../sim/history.ts'
import { Violation } from '../sim/invariants/invariant.ts'
import type { Bounds } from './bounds.ts'
import { Draft, type Ground } from './draft.ts'
import { Events, idleTicksMax, idOf, isServing } from './events.ts'
import { Processes } from './process.ts'
import { type MemberState, pairsOf, type WorldState } from './state.ts'
import { Pool } from './text.ts'

export interface Found {
  readonly check: string
  readonly message: string
  /** What happened, in order. */
  readonly events: readonly string[]
}

export interface Result {
  /** Different ones. */
  readonly states: number
  readonly transitions: number
  /** The most events that lead to one of them, as shortly as can be with as few deviations. */
  readonly depth: number
  /** All states with so many deviations were seen; -1 if the search ended before that. */
  readonly deviations: number
  /** States of single processes. */
  readonly processes: number
  /** States at rest: nothing is left to happen, everybody is served, all logs are equal. */
  readonly atRest: number
  readonly found: Found | undefined
}

/** How a state was first reached. */
interface Step {
  readonly before: Step | undefined
  readonly name: string
  readonly depth: number
}

interface Node {
  readonly key: string
  readonly state: WorldState
  readonly step: Step
}

const founders = ['host-a:1', 'host-b:1', 'host-c:1', 'host-d:1', 'host-e:1']
const foundedMs = 1_789_999_000_000
const firstEpoch = 10

export function search(bounds: Bounds): Result {
  const ground = groundOf(bounds)
  const events = new Events(bounds, ground)
  const costOf = new Map<string, number>()
  const layers: (Node | undefined)[][] = [[]]
  const limit = bounds.deviations === Number.POSITIVE_INFINITY ? 0 : bounds.deviations
  let transitions = 0
  let depth = 0
  let atRest = 0
  let done = -1
  const resultOf = (found: Found | undefined): Result => ({
    states: costOf.size,
    transitions,
    depth,
    deviations: done,
    processes: ground.processes.size,
    atRest,
    found,
  })
  const add = (state: WorldState, cost: number, step: Step): void => {
    const key = keyOf(state)
    const known = costOf.get(key)
    if (known !== undefined && known <= cost) return
    costOf.set(key, cost)
    depth = Math.max(depth, step.depth)
    const layer = layers[cost] ?? []
    layers[cost] = layer
    layer.push({ key, state, step })
  }

  try {
    add(beginning(bounds, ground), 0, { before: undefined, name: 'founded', depth: 0 })
  } catch (error) {
    return resultOf({ ...failureOf(error), events: [] })
  }
  for (let cost = 0; cost <= limit; cost += 1) {
    const layer = layers[cost] ?? []
    for (let index = 0; index < layer.length; index += 1) {
      const { key, state, step } = layer[index] as Node
      // Looked at, it is not needed any more.
      layer[index] = undefined
      if (costOf.get(key) !== cost) continue
      const next = events.of(state)
      try {
        if (isAtRest(state, next)) {
          atRest += 1
          checkAtRest(ground, state)
        }
      } catch (error) {
        return resultOf({ ...failureOf(error), events: namesOf(step) })
      }
      for (const event of next) {
        if (cost + event.cost > limit) continue
        const after: Step = { before: step, name: event.name, depth: step.depth + 1 }
        transitions += 1
        try {
          add(event.happen(), cost + event.cost, after)
        } catch (error) {
          return resultOf({ ...failureOf(error), events: namesOf(after) })
        }
        if (costOf.size >= bounds.states) return resultOf(undefined)
      }
    }
    done = cost
  }
  return resultOf(undefined)
}

function groundOf({ tailEntries }: Bounds): Ground {
  const options: ZabOptions = {
    timing: {
      pingIntervalMs: 250,
      syncLimitMs: 2000,
      electionSettleMs: 200,
      seatStableMs: 1e9,
      seatFailedMs: 1e9,
      forgetMs: 1e9,
    },
    tail: { entries: tailEntries, bytes: 1 << 20 },
    batchBytesMax: 1 << 16,
    chunkBytesMax: 1 << 16,
    slice: { entries: 500, bytes: 1 << 16, pauseMs: 0 },
    founders: [],
  }
  return { processes: new Processes(options), images: new Pool(), jobs: new Pool() }
}

/** An ensemble that has been founded, all members down. */
function beginning(bounds: Bounds, ground: Ground): WorldState {
  const addresses = founders.slice(0, bounds.members)
  const records: MemberRecord[] = addresses.map((address, index) => ({ id: idOf(index), name: idOf(index), address }))
  const preparation = {
    cluster: 'small',
    epoch: firstEpoch,
    wallMs: foundedMs,
    members: records,
    seats: bounds.members,
    features: featureLevel,
  }
  const belonging: Belonging = {
    presence: 'founded',
    cluster: 'small',
    since: foundedMs,
    preparation: undefined,
    founded: preparation,
    founders: addresses,
  }
  const members = records.map((record): MemberState => {
    const image = new DiskImage()
    image.belonging = belonging
    image.epochs = { accepted: firstEpoch, acceptedFrom: undefined, current: 0 }
    return { record, process: undefined, image, imageNumber: -1, jobs: [], log: [], delivered: 0, committed: 0 }
  })
  const { entries, crashes, partitions, timeouts } = bounds
  const draft = new Draft(ground, {
    members,
    links: pairsOf(bounds.members).map(() => undefined),
    cutOff: undefined,
    history: new History(),
    historyKey: '',
    budget: { entries, crashes, partitions, timeouts, idleTicks: idleTicksMax },
    turn: 0,
  })
  for (const index of records.keys()) draft.start(index)
  return draft.freeze({})
}

/** What tells two states apart; deviations do not. */
function keyOf({ members, links, cutOff, historyKey, budget, turn }: WorldState): string {
  const parts = members.map(({ process, imageNumber, jobs, log, delivered, committed }) => [
    process?.number ?? '',
    imageNumber,
    jobs.map(({ number }) => number).join(' '),
    log.map(({ first }) => first).join(' '),
    delivered,
    committed,
  ])
  const queues = links.map((link) => (link === undefined ? '' : `${link.isOpen}${link.queues.join('/')}`))
  const { entries, crashes, partitions, timeouts, idleTicks } = budget
  const text = [...parts, ...queues, cutOff, historyKey, entries, crashes, partitions, timeouts, idleTicks, turn].join(
    '|',
  )
  return createHash('sha1').update(text).digest('base64')
}

/** Nothing is left to happen by itself. */
function isAtRest(state: WorldState, events: readonly { readonly name: string; readonly cost: number }[]): boolean {
  const isQuiet = state.members.every(({ jobs, process }) => jobs.length === 0 && process !== undefined)
  if (!isQuiet || state.links.some((link) => link === undefined || link.queues.some((queue) => queue.length > 0))) {
    return false
  }
  return !events.some(({ name }) => name.startsWith('client') || name.startsWith('link') || name === 'heal')
}

/** Then everybody is served, and has everything. */
function checkAtRest(ground: Ground, state: WorldState): void {
  if (!isServing(state)) {
    if (state.budget.idleTicks > 0) return
    const roles = state.members.map(({ process }) => JSON.stringify(process?.peer.status.role)).join(' ')
    throw new Violation('Liveness', `nobody is served, whatever time passes: ${roles}`)
  }
  const last = state.history.lastCommitted
  for (const { record, log, delivered } of state.members) {
    const own = log[delivered - 1] === undefined ? zxidZero : lastOf(log[delivered - 1] as (typeof log)[number])
    if (own < last) throw new Violation('AckedWrites', `${record.name} never reached what is committed`)
  }
  new Draft(ground, state).check('onEnd')
}

function namesOf(step: Step | undefined): readonly string[] {
  const names: string[] = []
  for (let one = step; one !== undefined; one = one.before) names.push(one.name)
  return names.reverse()
}
