/**
 * Situations that seeds of the swarm seldom come to: plans made around one kind of trouble, again and again in one run. A
 * seed varies what is left to chance.
 */
import { Random } from '../../lib/testing/random.ts'
import type { ClientPlan, Fault, Operation, Plan, WatcherPlan } from './plan.ts'
import { planOf } from './swarm.ts'

export type Scenario = (seed: number) => Plan

const chaosMs = 60_000

/** Three members with disks, all others of the plan as the seed has it. */
function threeWithDisks(seed: number, tight: Plan['ensemble']['tight'], faults: readonly Fault[]): Plan {
  const plan = planOf(seed)
  const ensemble: Plan['ensemble'] = {
    durable: [true, true, true],
    networkDelayMs: { min: 1, max: 5 },
    syncMs: 10,
    clockDrift: 0,
    sessionTimeoutMs: 4_000,
    requestTimeoutMs: 2_000,
    tight,
  }
  const clients = plan.clients.map((client) => ({ ...client, machine: client.machine % 3 }))
  return { seed, ensemble, chaosMs, faults: [...faults].sort((a, b) => a.at - b.at), clients, holders: [] }
}

/** Every few seconds, at any moment, the power of all is cut, while checkpoints are made all the time. */
const powerCuts: Scenario = (seed) => {
  const random = new Random(seed, 'power cuts')
  const faults: Fault[] = []
  for (let at = 4_000; at < chaosMs - 5_000; at += random.between(2_500, 4_000))
    faults.push({ at: at + random.between(0, 999), kind: 'power-cut-all', kept: random.between(0, 1), forMs: 100 })
  return threeWithDisks(seed, { checkpointEntries: 2 }, faults)
}

/**
 * Of three, one is behind; another one forgets everything; the third, the only one that remembers, is cut off just when the
 * first comes back.
 */
function onlyOneRemembers(seed: number, forgets: 'wipe' | 'crash'): Plan {
  const random = new Random(seed, 'wiped voter')
  const faults: Fault[] = []
  // The first time before anything is written: then nobody but the third can know what the second one acknowledged.
  for (let at = random.between(50, 600); at < chaosMs - 15_000; at += 15_000) {
    const behind = random.between(0, 2)
    const forgetful = (behind + random.between(1, 2)) % 3
    const only = 3 - behind - forgetful
    faults.push({ at, kind: 'isolate', machine: behind, forMs: 4_000 })
    faults.push({ at: at + 3_500, kind: forgets, machine: forgetful, forMs: 300 })
    faults.push({ at: at + 3_550, kind: 'isolate', machine: only, forMs: 6_000 })
  }
  return threeWithDisks(seed, {}, faults)
}

/** One loses its disk. */
const wipedVoter: Scenario = (seed) => onlyOneRemembers(seed, 'wipe')

/** None of them has a disk: whose process dies has forgotten. */
const forgetfulVoter: Scenario = (seed) => {
  const plan = onlyOneRemembers(seed, 'crash')
  return { ...plan, ensemble: { ...plan.ensemble, durable: [false, false, false] } }
}

/** A transport that is no TCP at all, between all of them, all the time. */
const hostileNetwork: Scenario = (seed) => {
  const random = new Random(seed, 'hostile network')
  const hostility = { lose: 0.05, repeat: 0.05, reorder: random.pick([0.05, 0.2]), intrude: 0.5 }
  const pairs = [0, 1, 2].flatMap((machine) =>
    [0, 1, 2].filter((far) => far !== machine).map((far) => ({ machine, far })),
  )
  const faults = pairs.map(
    (pair): Fault => ({ at: 3_000, kind: 'hostile', ...pair, hostility, forMs: chaosMs - 8_000 }),
  )
  return threeWithDisks(seed, {}, faults)
}

/** Much is written, and the links to one follower are too narrow for it. */
const slowPeer: Scenario = (seed) => {
  const random = new Random(seed, 'slow peer')
  const far = random.between(0, 2)
  const others = [0, 1, 2].filter((machine) => machine !== far)
  const faults = others.map(
    (machine): Fault => ({ at: 5_000, kind: 'narrow', machine, far, bytesPerMs: 2, forMs: 50_000 }),
  )
  const plan = threeWithDisks(seed, { bufferedBytesMax: 20_000, frameBytesMax: 10_000 }, faults)
  const clients = plan.clients.map((client) => ({
    ...client,
    machine: others[client.machine % 2] ?? 0,
    valueBytes: 3_000,
  }))
  return { ...plan, clients }
}

/** A workload of recipes, by members that often do not know what became of a write; where they crash, sessions end, too. */
function recipeOf(name: string, stream: string, crashes: boolean): Scenario {
  return (seed) => {
    const random = new Random(seed, stream)
    const faults: Fault[] = []
    for (let at = 3_000; at < chaosMs - 5_000; at += random.between(500, 4_000)) {
      const machine = random.between(0, 2)
      const far = (machine + random.between(1, 2)) % 3
      const forMs = random.between(100, 3_500)
      const kinds: readonly Fault[] = [
        { at, kind: 'isolate', machine, forMs },
        { at, kind: 'cut-one-way', machine, far, forMs },
        { at, kind: 'pause', machine, first: 'timer', forMs },
        { at, kind: 'transfer', machine },
        ...(crashes ? [{ at, kind: 'crash', machine, forMs } as const] : []),
      ]
      faults.push(random.pick(kinds))
    }
    return { ...threeWithDisks(seed, {}, faults), clients: [], recipes: [{ name, machines: 3 }] }
  }
}

/** Locks, shared and not, and semaphores. */
const lines = recipeOf('locks', 'lines', false)
const rollOuts = recipeOf('rollOuts', 'roll-outs', true)
const balancing = recipeOf('balancing', 'balancing', true)
const claims = recipeOf('claims', 'claims', true)

/** Streams of everything, read by somebody who is often busy with something else, and little of what happened is kept. */
const slowWatchers: Scenario = (seed) => {
  const random = new Random(seed, 'slow watchers')
  const faults: Fault[] = []
  for (let at = 5_000; at < chaosMs - 5_000; at += random.between(4_000, 12_000))
    faults.push({ at, kind: 'reset', machine: random.between(0, 2), far: random.between(0, 2) })
  const watchers = [0, 1, 2].map((machine): WatcherPlan => {
    const naps: WatcherPlan['naps'][number][] = []
    for (let at = 3_000; at < chaosMs - 5_000; at += random.between(2_000, 6_000))
      naps.push({ at, forMs: random.between(500, 4_000) })
    const how = random.pick(['stream', 'stream', 'resumed stream'] as const)
    return { machine, how, path: '/', recursive: true, includeData: random.chance(0.5), naps }
  })
  return { ...threeWithDisks(seed, { windowChanges: random.between(1, 5) }, faults), watchers }
}

/** Little room in two parts of a tree, one within the other, and members that get the tree from a checkpoint or a snapshot. */
const quotas: Scenario = (seed) => {
  const random = new Random(seed, 'quotas')
  const roots = ['/a', '/a/y'] as const
  const paths = ['/a', '/a/x', '/a/y', '/a/y/z', '/a/y/z/w'] as const
  const faults: Fault[] = []
  for (let at = 5_000; at < chaosMs - 5_000; at += random.between(3_000, 6_000))
    faults.push({ at, kind: 'crash', machine: random.between(0, 2), forMs: random.between(100, 1_500) })
  const draw = (at: number): Operation => {
    const [path, root, dice] = [random.pick(paths), random.pick(roots), random.random()]
    if (dice < 0.4) return { at, do: 'create', path, mode: 'persistent', parents: true }
    if (dice < 0.6) return { at, do: 'delete', path, version: 'any', recursive: random.chance(0.5) }
    if (dice < 0.7) return { at, do: 'setData', path, version: 'any' }
    if (dice < 0.73) return { at, do: 'endQuota', path: root }
    if (dice < 0.8)
      return { at, do: 'setQuota', path: root, nodes: random.between(1, 4), bytes: random.pick([null, 20]) }
    const stats = `/zookeeper/quota${root}/zookeeper_stats`
    return { at, do: 'read', call: 'getData', path: stats, watch: false, linearizable: random.chance(0.3) }
  }
  const clients = [0, 1, 2].map((machine): ClientPlan => {
    const operations: Operation[] = []
    for (let at = 3_000; at < chaosMs; at += random.between(50, 700)) operations.push(draw(at))
    return { machine, sessionTimeoutMs: null, operations }
  })
  return { ...threeWithDisks(seed, { checkpointEntries: 5, tailEntries: 0 }, faults), clients }
}

export const scenarios: Readonly<Record<string, Scenario>> = {
  powerCuts,
  wipedVoter,
  forgetfulVoter,
  hostileNetwork,
  slowPeer,
  lines,
  rollOuts,
  balancing,
  claims,
  slowWatchers,
  quotas,
}
