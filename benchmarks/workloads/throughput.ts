/** Reads and writes: three processes of each system, on the same two kinds of store, the same values. */
import type { Contender, Durability, Load, Operation } from '../contenders/contender.ts'
import { keys } from '../fleets.ts'
import { inWindows } from '../windows.ts'
import type { Row, Settings, Workload } from '../workload.ts'

const saturated = 960

/** How it is said in a row. */
const words = {
  disk: 'synced to disk by a majority',
  memory: 'not synced',
} as const satisfies Record<Durability, string>

interface Spec {
  readonly operation: Operation
  readonly durability: Durability
  readonly outstanding: number
  readonly bytes?: number
  readonly readShare?: number
  /** Only those of these names. */
  readonly contenders?: readonly string[]
}

async function measure(setting: string, spec: Spec, settings: Settings): Promise<readonly Row[]> {
  const { durability, contenders: names, bytes = 1024, ...more } = spec
  const all: readonly Contender[] = await settings.fleets.get(durability)
  const contenders = names === undefined ? all : all.filter(({ name }) => names.includes(name))
  const load: Load = { bytes, keys, ...more }
  return inWindows(setting, contenders, load, settings, ({ name }) => ownLoad(name, load))
}

/** An embedded member answers local reads at once: more of them under way only wait for each other. */
function ownLoad(name: string, load: Load): Load {
  return name.startsWith('embedded-coord') && load.operation === 'read' && load.outstanding > 1
    ? { ...load, outstanding: 3 }
    : load
}

const workload = (what: string, specs: Readonly<Record<string, Spec>>): Workload => ({
  what,
  run: async (settings) => {
    const rows: Row[] = []
    const all = Object.entries(specs)
    for (const [setting, spec] of settings.smoke ? all.slice(0, 1) : all)
      rows.push(...(await measure(setting, spec, settings)))
    return rows
  },
})

export const durable: Workload = workload('Writes on disk.', {
  [`writes of 1 KB, 960 under way; ${words.disk}`]: {
    operation: 'write',
    durability: 'disk',
    outstanding: saturated,
  },
})

export const memory: Workload = workload('Writes in memory.', {
  [`writes of 1 KB, 960 under way; ${words.memory}`]: {
    operation: 'write',
    durability: 'memory',
    outstanding: saturated,
  },
})

export const single: Workload = workload('One durable write at a time, by a process that does not lead.', {
  [`one write of 1 KB at a time; ${words.disk}`]: { operation: 'write', durability: 'disk', outstanding: 1 },
})

export const singleMemory: Workload = workload('The same in memory.', {
  [`one write of 1 KB at a time; ${words.memory}`]: { operation: 'write', durability: 'memory', outstanding: 1 },
})

export const read: Workload = workload("Reads with ZooKeeper's guarantee: sequential, own writes seen.", {
  'reads of 1 KB, sequential consistency; saturated': {
    operation: 'read',
    durability: 'disk',
    outstanding: saturated,
  },
  'one read of 1 KB at a time, sequential consistency': { operation: 'read', durability: 'disk', outstanding: 1 },
})

export const linearizable: Workload = workload('Reads that see everything that was acknowledged before.', {
  'linearizable reads of 1 KB, 960 under way': {
    operation: 'linearizable read',
    durability: 'disk',
    outstanding: saturated,
  },
  'one linearizable read of 1 KB at a time': { operation: 'linearizable read', durability: 'disk', outstanding: 1 },
})

export const mixed: Workload = workload('Nine reads for each write.', {
  [`90 % reads, 1 KB, 960 under way; ${words.disk}`]: {
    operation: 'mixed',
    durability: 'disk',
    outstanding: saturated,
    readShare: 0.9,
  },
})

export const ephemeral: Workload = workload('Ephemeral sequential nodes made and deleted: what recipes do.', {
  [`create and delete of ephemeral-sequential, 100 B, 960 under way; ${words.disk}`]: {
    operation: 'ephemeral',
    durability: 'disk',
    outstanding: saturated,
    bytes: 100,
  },
})

const shares = [0, 20, 40, 60, 80, 90, 100]

/** ZooKeeper's own figure. */
export const share: Workload = {
  ...workload(
    'Throughput against the share of reads.',
    Object.fromEntries(
      shares.map((percent) => [
        `${percent} % reads, 1 KB, 960 under way; ${words.disk}`,
        { operation: 'mixed', durability: 'disk', outstanding: saturated, readShare: percent / 100 },
      ]),
    ),
  ),
  chart: { title: 'Throughput against the share of reads', x: '% reads', figure: 'ops per CPU-s', logarithmic: true },
}
