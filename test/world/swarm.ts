/**
 * The plan that a seed stands for: its own size, mix of members, faults and operations, and its own idea of what is
 * common. One in ten has no faults at all. Each kind of fault and each client draws from a stream of its own.
 */
import type { CreateMode } from '../../lib/core/tree/operation.ts'
import { Random } from '../../lib/testing/random.ts'
import { workloads } from '../recipes/swarm/workloads.ts'
import type {
  ClientPlan,
  EnsemblePlan,
  Fault,
  FaultKind,
  HolderPlan,
  Operation,
  Plan,
  RecipePlan,
  SubOperation,
  Version,
  WatcherPlan,
} from './plan.ts'

/** Few paths, so that everybody meets everybody. */
const paths = ['/a', '/a/x', '/a/y', '/a/y/z', '/b', '/b/x', '/c', '/c/x'] as const
const sequential = ['/q/n-', '/a/s-', '/c/'] as const
const chaosMs = 60_000

type Draw = (random: Random, machines: number) => Omit<Fault, 'at' | 'kind'>

/** How long and how strong each kind of fault is; and its mean distance, milliseconds. */
const kinds: { readonly [K in FaultKind]: { readonly everyMs: number; readonly draw: Draw } } = {
  isolate: { everyMs: 15_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 8_000) }) },
  'cut-out': { everyMs: 15_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 6_000) }) },
  'cut-in': { everyMs: 15_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 6_000) }) },
  'cut-one-way': { everyMs: 10_000, draw: (random, n) => ({ ...pairOf(random, n), forMs: length(random, 6_000) }) },
  'cut-pair': { everyMs: 10_000, draw: (random, n) => ({ ...pairOf(random, n), forMs: length(random, 8_000) }) },
  split: { everyMs: 15_000, draw: drawSplit },
  flap: {
    everyMs: 20_000,
    draw: (random, n) => ({ ...pairOf(random, n), everyMs: random.between(50, 500), forMs: length(random, 4_000) }),
  },
  reset: { everyMs: 4_000, draw: (random, n) => pairOf(random, n) },
  'half-open': { everyMs: 8_000, draw: (random, n) => pairOf(random, n) },
  delay: { everyMs: 12_000, draw: drawDelay },
  narrow: {
    everyMs: 12_000,
    draw: (random, n) => ({
      ...pairOf(random, n),
      bytesPerMs: random.pick([0.5, 5, 50]),
      forMs: length(random, 5_000),
    }),
  },
  hostile: { everyMs: 15_000, draw: drawHostile },
  crash: { everyMs: 8_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 4_000) }) },
  vanish: { everyMs: 15_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 5_000) }) },
  close: { everyMs: 15_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 1_000) }) },
  leave: { everyMs: 20_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 5_000) }) },
  transfer: { everyMs: 10_000, draw: (random, n) => ({ machine: oneOf(random, n) }) },
  'power-cut': {
    everyMs: 10_000,
    draw: (random, n) => ({ machine: oneOf(random, n), kept: random.between(0, 1), forMs: length(random, 3_000) }),
  },
  'power-cut-all': {
    everyMs: 25_000,
    draw: (random) => ({ kept: random.between(0, 1), forMs: length(random, 3_000) }),
  },
  pause: {
    everyMs: 8_000,
    draw: (random, n) => ({
      machine: oneOf(random, n),
      first: random.pick(['timer', 'input'] as const),
      forMs: length(random, 4_000),
    }),
  },
  'wall-jump': {
    everyMs: 10_000,
    draw: (random, n) => ({ machine: oneOf(random, n), byMs: random.between(-3_600_000, 3_600_000) }),
  },
  'sync-error': {
    everyMs: 20_000,
    draw: (random, n) => ({
      machine: oneOf(random, n),
      error: random.pick(['written', 'lost'] as const),
      forMs: length(random, 3_000),
    }),
  },
  'disk-full': { everyMs: 25_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 4_000) }) },
  'slow-disk': {
    everyMs: 15_000,
    draw: (random, n) => ({
      machine: oneOf(random, n),
      syncMs: random.pick([50, 300, 3_000, 30_000]),
      forMs: length(random, 6_000),
    }),
  },
  wipe: { everyMs: 25_000, draw: (random, n) => ({ machine: oneOf(random, n), forMs: length(random, 3_000) }) },
  'bit-flip': {
    everyMs: 20_000,
    draw: (random, n) => ({ machine: oneOf(random, n), where: random.random(), forMs: length(random, 2_000) }),
  },
  join: { everyMs: 50_000, draw: (random) => ({ durable: random.chance(0.5) }) },
  expire: { everyMs: 12_000, draw: (random) => ({ client: random.between(0, 9) }) },
}

export const faultKinds: readonly FaultKind[] = Object.keys(kinds) as FaultKind[]

/** What a run of many seeds must have hit: each kind of fault, and what came of some. */
export const expectedHits: readonly string[] = [
  ...faultKinds,
  'frame lost',
  'frame repeated',
  'frame reordered',
  'frame intruded',
  'loss of memory',
  'un-synced batch lost',
  'failed sync, not written',
  'failed sync, written',
  'woken by timers first',
  'woken by input first',
]

export function planOf(seed: number): Plan {
  const random = new Random(seed, 'plan')
  const ensemble = drawEnsemble(random)
  const size = ensemble.durable.length
  const isCalm = random.chance(0.1)
  const share = random.pick([0.15, 0.3, 0.5])
  const recipes = drawRecipes(new Random(seed, 'recipes'), size)
  // Firings go by the wall clock: after a jump back, the next one may be an hour away.
  const isTimed = recipes.some(({ name }) => name === 'elections')
  const faults = faultKinds
    .filter((kind) => !(isTimed && kind === 'wall-jump'))
    .flatMap((kind) => (isCalm ? [] : drawFaults(new Random(seed, `fault ${kind}`), kind, size, share)))
    .sort((a, b) => a.at - b.at)
  const count = random.between(3, 6)
  const paceMs = random.pick([200, 500, 1_000])
  const quotas = drawQuotas(new Random(seed, 'quotas'))
  const clients = Array.from({ length: count }, (_, index) => {
    const client = drawClient(new Random(seed, `client ${index}`), size, paceMs)
    if (index > 0 || quotas.length === 0) return client
    return { ...client, operations: [...client.operations, ...quotas].sort((a, b) => a.at - b.at) }
  })
  const holders = drawHolders(new Random(seed, 'holders'), size)
  const { watchers, windowChanges } = drawWatchers(new Random(seed, 'watchers'), size)
  const { counterLast } = ensemble.tight
  const tight = {
    ...ensemble.tight,
    ...(windowChanges === undefined ? {} : { windowChanges }),
    ...drawSlice(new Random(seed, 'slice')),
    // Recipes write much: with an epoch every second, each of which grants the sessions their time, none would ever expire.
    ...(counterLast === undefined || recipes.length === 0 ? {} : { counterLast: counterLast + 1_000 }),
  }
  return { seed, ensemble: { ...ensemble, tight }, chaosMs, faults, clients, holders, watchers, recipes }
}

/** In a third of the runs, few entries are delivered and little of the log is sent in one turn. */
function drawSlice(random: Random): EnsemblePlan['tight'] {
  if (!random.chance(0.3)) return {}
  return { slice: { entries: random.pick([1, 3, 20]), bytes: random.pick([1, 500]), pauseMs: 8 } }
}

/** A quarter of the runs has a workload of recipes: those cost about as much as all else. */
function drawRecipes(random: Random, machines: number): RecipePlan[] {
  if (machines < 3 || !random.chance(0.25)) return []
  return [{ name: random.pick(recipeNames), machines: 3 }]
}

const recipeNames = Object.keys(workloads)

const followed = ['/', '/a', '/a', '/a/y', '/b', '/c', '/q', '/locks/r'] as const

/** Some follow what happens; in some runs little of it is kept for those who are slow. */
function drawWatchers(
  random: Random,
  machines: number,
): { readonly watchers: readonly WatcherPlan[]; readonly windowChanges: number | undefined } {
  const windowChanges = random.chance(0.3) ? random.between(1, 40) : undefined
  const watchers = Array.from({ length: random.pick([0, 0, 1, 2, 3]) }, (): WatcherPlan => {
    const naps: WatcherPlan['naps'][number][] = []
    if (random.chance(0.5))
      for (let at = between(random, 8_000); at < chaosMs; at += between(random, 8_000))
        naps.push({ at, forMs: Math.min(between(random, 3_000), chaosMs - at) })
    return {
      machine: oneOf(random, machines),
      how: random.pick(['stream', 'resumed stream', 'watch'] as const),
      path: random.pick(followed),
      recursive: random.chance(0.6),
      includeData: random.chance(0.5),
      naps,
    }
  })
  return { watchers, windowChanges }
}

/** Locks and candidates do not mix: each run has one of them, or none. */
function drawHolders(random: Random, machines: number): HolderPlan[] {
  const how = random.pick([undefined, 'lock', 'election'] as const)
  if (how === undefined) return []
  return Array.from({ length: random.between(2, 4) }, () => {
    const turns: HolderPlan['turns'][number][] = []
    for (let at = between(random, 2_000); at < chaosMs; at += between(random, 4_000))
      turns.push({ at, forMs: between(random, 1_500) })
    return { machine: oneOf(random, machines), how: how === 'lock' && random.chance(0.3) ? 'tryLock' : how, turns }
  })
}

function drawEnsemble(random: Random): EnsemblePlan {
  const size = random.pick([1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7])
  const mix = random.pick(['durable', 'durable', 'volatile', 'mixed'] as const)
  const durable = Array.from({ length: size }, () => (mix === 'mixed' ? random.chance(0.5) : mix === 'durable'))
  return {
    durable,
    networkDelayMs: random.pick([
      { min: 0, max: 0 },
      { min: 1, max: 5 },
      { min: 1, max: 5 },
      { min: 5, max: 80 },
    ]),
    syncMs: random.pick([0, 1, 10]),
    clockDrift: random.pick([0, 0.0004]),
    sessionTimeoutMs: random.pick([4_000, 10_000]),
    requestTimeoutMs: random.pick([2_000, 10_000]),
    tight: {
      ...(random.chance(0.5) ? { checkpointEntries: random.between(2, 30) } : {}),
      ...(random.chance(0.5) ? { tailEntries: random.between(0, 8) } : {}),
      ...(random.chance(0.3) ? { batchBytesMax: 1 } : {}),
      ...(random.chance(0.3) ? { chunkBytesMax: random.pick([1, 200]) } : {}),
      ...(random.chance(0.2) ? { frameBytesMax: 20_000 } : {}),
      ...(random.chance(0.15) ? { counterLast: random.between(5, 60) } : {}),
    },
  }
}

function drawFaults(random: Random, kind: FaultKind, machines: number, share: number): Fault[] {
  const { everyMs, draw } = kinds[kind]
  if (!random.chance(share)) return []
  const faults: Fault[] = []
  for (let at = between(random, everyMs); at < chaosMs; at += between(random, everyMs)) {
    const drawn = draw(random, machines)
    const forMs = 'forMs' in drawn ? { forMs: Math.min(drawn.forMs as number, chaosMs - at) } : {}
    faults.push({ at, kind, ...drawn, ...forMs } as Fault)
  }
  return faults
}

/** Exponential: mostly near, seldom far. */
function between(random: Random, meanMs: number): number {
  return Math.ceil(-meanMs * Math.log(1 - random.random()))
}

function length(random: Random, meanMs: number): number {
  return random.chance(0.3) ? random.between(1, 50) : between(random, meanMs)
}

const oneOf = (random: Random, machines: number): number => random.between(0, machines - 1)

function pairOf(random: Random, machines: number): { readonly machine: number; readonly far: number } {
  const machine = oneOf(random, machines)
  return { machine, far: (machine + random.between(1, Math.max(1, machines - 1))) % machines }
}

function drawSplit(random: Random, machines: number): ReturnType<Draw> {
  const all = Array.from({ length: machines }, (_, index) => index)
  const side = all.filter(() => random.chance(0.5))
  return { side, bridge: random.chance(0.4) ? oneOf(random, machines) : null, forMs: length(random, 8_000) } as never
}

function drawDelay(random: Random, machines: number): ReturnType<Draw> {
  const delayMs = random.pick([
    { min: 20, max: 60 },
    { min: 200, max: 900 },
    { min: 1_500, max: 2_500 },
  ])
  return { ...pairOf(random, machines), delayMs, forMs: length(random, 6_000) } as never
}

function drawHostile(random: Random, machines: number): ReturnType<Draw> {
  const often = random.pick([0.002, 0.01, 0.05])
  const hostility = { lose: often, repeat: often, reorder: often, intrude: 0.5 }
  return { ...pairOf(random, machines), hostility, forMs: length(random, 8_000) } as never
}

function drawClient(random: Random, machines: number, paceMs: number): ClientPlan {
  const operations: Operation[] = []
  for (let at = between(random, paceMs); at < chaosMs; at += between(random, paceMs)) {
    // Now and then a burst: they go out together.
    const burst = random.chance(0.15) ? random.between(2, 8) : 1
    for (let index = 0; index < burst; index += 1) {
      const abort = random.chance(0.03) ? { abortMs: random.between(0, 100) } : {}
      operations.push({ at, ...abort, ...drawOperation(random, machines) } as Operation)
    }
  }
  const sessionTimeoutMs = random.chance(0.5) ? random.pick([2_000, 4_000, 12_000]) : null
  return { machine: oneOf(random, machines), sessionTimeoutMs, operations }
}

/** In some runs there is little room in parts of the tree; one quota lies within another. */
function drawQuotas(random: Random): Operation[] {
  const operations: Operation[] = []
  if (!random.chance(0.3)) return operations
  for (let at = between(random, 2_000); at < chaosMs; at += between(random, 4_000)) {
    const path = random.pick(['/a', '/a/y', '/b', '/c', '/q'] as const)
    const nodes = random.chance(0.6) ? random.between(1, 8) : null
    const bytes = nodes === null || random.chance(0.3) ? random.between(5, 60) : null
    if (random.chance(0.3)) operations.push({ at, do: 'endQuota', path })
    else operations.push({ at, do: 'setQuota', path, nodes, bytes })
    const stats = `/zookeeper/quota${path}/zookeeper_stats`
    const later = at + random.between(10, 3_000)
    operations.push({
      at: later,
      do: 'read',
      call: 'getData',
      path: stats,
      watch: false,
      linearizable: random.chance(0.3),
    })
  }
  return operations
}

type Drawn = Operation extends infer O ? (O extends Operation ? Omit<O, 'at' | 'abortMs'> : never) : never

const drawVersion = (random: Random): Version => random.pick(['any', 'known', 'known', 'stale'] as const)

function drawOperation(random: Random, machines: number): Drawn {
  const path = random.pick(paths)
  const drawn = random.between(0, 99)
  if (drawn < 18) return drawCreate(random)
  if (drawn < 32) return { do: 'setData', path, version: drawVersion(random) }
  if (drawn < 40) return { do: 'delete', path, version: drawVersion(random), recursive: random.chance(0.2) }
  if (drawn < 48) return { do: 'take' }
  if (drawn < 74) {
    const call = random.pick(['exists', 'getData', 'getChildren'] as const)
    return { do: 'read', call, path, watch: random.chance(0.4), linearizable: random.chance(0.25) }
  }
  if (drawn < 76) return drawAcl(random, path)
  if (drawn < 78) return { do: random.pick(['count', 'ephemerals'] as const), path }
  if (drawn < 88) {
    const operations = Array.from({ length: random.between(1, 4) }, () => drawSub(random))
    return { do: 'multi', operations, ifHeld: random.chance(0.2) }
  }
  if (drawn < 93) return { do: 'sync' }
  if (drawn < 96) return { do: 'await', machine: oneOf(random, machines) }
  return { do: random.pick(['reopen', 'move', 'move'] as const), machine: oneOf(random, machines) }
}

/** Only on leaves, so that the tree stays alive. */
const guarded = ['/a/y/z', '/b/x', '/c/x'] as const
const permissions = ['cdrwa', 'cdra', 'cdwa', 'crwa', 'r'] as const

function drawAcl(random: Random, path: string): Drawn {
  const kind = random.pick(['setAcl', 'getAcl', 'multiRead'] as const)
  if (kind === 'setAcl') return { do: kind, path: random.pick(guarded), permissions: random.pick(permissions) }
  if (kind === 'getAcl') return { do: kind, path }
  return { do: kind, paths: [path, random.pick(paths), random.pick(paths)] }
}

const plainModes: readonly CreateMode[] = ['persistent', 'persistent', 'ephemeral']
const sequentialModes: readonly CreateMode[] = ['persistent-sequential', 'ephemeral-sequential']

function drawCreate(random: Random): Drawn {
  if (random.chance(0.4))
    return { do: 'create', path: random.pick(sequential), mode: random.pick(sequentialModes), parents: true }
  if (random.chance(0.15)) return drawMortal(random)
  const acl = random.chance(0.1) ? { path: random.pick(guarded), permissions: random.pick(permissions) } : {}
  const mode = random.pick(plainModes)
  return { do: 'create', path: random.pick(paths), mode, parents: random.chance(0.3), ...acl }
}

/** What goes by itself one day. */
function drawMortal(random: Random): Drawn {
  if (random.chance(0.4)) return { do: 'create', path: random.pick(['/b', '/c']), mode: 'container', parents: false }
  const mode = random.pick(['persistent-ttl', 'persistent-sequential-ttl'] as const)
  const path = mode === 'persistent-ttl' ? random.pick(paths) : '/c/'
  return { do: 'create', path, mode, ttlMs: random.between(1, 5_000), parents: false }
}

function drawSub(random: Random): SubOperation {
  const path = random.pick(paths)
  const type = random.pick(['create', 'setData', 'setData', 'delete', 'check'] as const)
  if (type !== 'create') return { type, path, version: drawVersion(random) }
  return random.chance(0.4)
    ? { type, path: random.pick(sequential), mode: random.pick(sequentialModes) }
    : { type, path, mode: random.pick(plainModes) }
}
