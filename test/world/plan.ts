/**
 * What a run does, as data: the ensemble, the faults and the operations, each with its time. A seed stands for a plan
 * (`swarm.ts`); a failing one is shrunk by leaving items out (`shrink.ts`) and kept as a file. Nothing else decides what
 * happens, so a plan gives the same run whenever the code is the same.
 */
import type { CreateMode } from '../../lib/core/tree/operation.ts'
import type { Slice } from '../../lib/core/zab/zab.ts'
import type { DelayRange, Hostility } from '../../lib/testing/virtual-network.ts'

export interface Plan {
  readonly seed: number
  readonly ensemble: EnsemblePlan
  /** Until when faults and operations come; then everything heals. Milliseconds. */
  readonly chaosMs: number
  /** How long the ensemble has to come to rest, each step of it: for tests of the world itself. Default: enough. */
  readonly restMs?: number
  readonly faults: readonly Fault[]
  readonly clients: readonly ClientPlan[]
  readonly holders: readonly HolderPlan[]
  readonly watchers?: readonly WatcherPlan[]
  readonly recipes?: readonly RecipePlan[]
}

/** Somebody who follows what happens at a path, or at and below it, in each process of a machine. */
export interface WatcherPlan {
  readonly machine: number
  /** A stream of events; one that goes on, in the next process, where the last one ended; or a persistent watch. */
  readonly how: 'stream' | 'resumed stream' | 'watch'
  readonly path: string
  readonly recursive: boolean
  readonly includeData: boolean
  /** When it is busy with something else. */
  readonly naps: readonly { readonly at: number; readonly forMs: number }[]
}

/** A workload of recipes (test/recipes/swarm), on so many machines, the first ones. */
export interface RecipePlan {
  readonly name: string
  readonly machines: number
}

/** Somebody who wants what only one may have, again and again. */
export interface HolderPlan {
  readonly machine: number
  readonly how: 'lock' | 'tryLock' | 'election'
  readonly turns: readonly { readonly at: number; readonly forMs: number }[]
}

export interface EnsemblePlan {
  /** For each founder, whether it has a disk. */
  readonly durable: readonly boolean[]
  readonly networkDelayMs: DelayRange
  readonly syncMs: number
  readonly clockDrift: number
  readonly sessionTimeoutMs: number
  readonly requestTimeoutMs: number
  /** What is rare with the defaults is made common. */
  readonly tight: {
    readonly checkpointEntries?: number
    readonly tailEntries?: number
    readonly batchBytesMax?: number
    readonly chunkBytesMax?: number
    /** Entries delivered, and bytes of the log sent, in one turn. */
    readonly slice?: Slice
    readonly frameBytesMax?: number
    readonly counterLast?: number
    readonly windowChanges?: number
    /** Bytes that may wait for a slow peer. */
    readonly bufferedBytesMax?: number
  }
}

/** One member of the union for each kind, so that a kind tells the rest. */
type Kinds<K extends string, F> = K extends unknown ? { readonly at: number; readonly kind: K } & Readonly<F> : never

/** Machines are numbers; `far` of a fault between two is the second one. `forMs`: how long it lasts. */
export type Fault =
  | Kinds<'isolate' | 'cut-out' | 'cut-in', { machine: number; forMs: number }>
  | Kinds<'cut-one-way' | 'cut-pair', { machine: number; far: number; forMs: number }>
  /** The machines in `side` see nothing of the others; `bridge` sees both. */
  | Kinds<'split', { side: readonly number[]; bridge: number | null; forMs: number }>
  | Kinds<'flap', { machine: number; far: number; everyMs: number; forMs: number }>
  | Kinds<'reset' | 'half-open', { machine: number; far: number }>
  | Kinds<'delay', { machine: number; far: number; delayMs: DelayRange; forMs: number }>
  | Kinds<'narrow', { machine: number; far: number; bytesPerMs: number; forMs: number }>
  | Kinds<'hostile', { machine: number; far: number; hostility: Hostility; forMs: number }>
  | Kinds<'crash' | 'vanish' | 'close' | 'leave', { machine: number; forMs: number }>
  /** The machine, too: of what was not synced, only so many batches survive. */
  | Kinds<'power-cut', { machine: number; kept: number; forMs: number }>
  | Kinds<'power-cut-all', { kept: number; forMs: number }>
  | Kinds<'pause', { machine: number; first: 'timer' | 'input'; forMs: number }>
  | Kinds<'wall-jump', { machine: number; byMs: number }>
  | Kinds<'sync-error', { machine: number; error: 'written' | 'lost'; forMs: number }>
  | Kinds<'disk-full', { machine: number; forMs: number }>
  | Kinds<'slow-disk', { machine: number; syncMs: number; forMs: number }>
  /** The disk is replaced by an empty one while the machine is down. */
  | Kinds<'wipe', { machine: number; forMs: number }>
  /** One bit of what lies on the disk is another one while the machine is down; `where` in [0, 1). */
  | Kinds<'bit-flip', { machine: number; where: number; forMs: number }>
  | Kinds<'join', { durable: boolean }>
  /** Leadership is passed on to whoever is furthest. */
  | Kinds<'transfer', { machine: number }>
  | Kinds<'expire', { client: number }>

export type FaultKind = Fault['kind']
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>

export interface ClientPlan {
  /** The machine whose process it runs in. */
  readonly machine: number
  /** A session of its own with this timeout; `null`: the coord's, which renews itself. */
  readonly sessionTimeoutMs: number | null
  /** What it writes is at least as long. Default: short. */
  readonly valueBytes?: number
  readonly operations: readonly Operation[]
}

/** `known`: the version that the client last saw of that node; `stale`: the one before. */
export type Version = 'any' | 'known' | 'stale'

export type SubOperation =
  | { readonly type: 'create'; readonly path: string; readonly mode: CreateMode }
  | { readonly type: 'setData'; readonly path: string; readonly version: Version }
  | { readonly type: 'delete'; readonly path: string; readonly version: Version }
  | { readonly type: 'check'; readonly path: string; readonly version: Version }

export type Operation = { readonly at: number; readonly abortMs?: number } & (
  | {
      readonly do: 'create'
      readonly path: string
      readonly mode: CreateMode
      readonly parents: boolean
      /** What everybody may do with it; all, where it is left out. */
      readonly permissions?: string
      readonly ttlMs?: number
    }
  | { readonly do: 'setAcl'; readonly path: string; readonly permissions: string }
  | { readonly do: 'getAcl'; readonly path: string }
  | { readonly do: 'multiRead'; readonly paths: readonly string[] }
  | { readonly do: 'setData'; readonly path: string; readonly version: Version }
  | { readonly do: 'delete'; readonly path: string; readonly version: Version; readonly recursive: boolean }
  /** The oldest sequential node that this client has made and not taken away yet. */
  | { readonly do: 'take' }
  | {
      readonly do: 'read'
      readonly call: 'exists' | 'getData' | 'getChildren'
      readonly path: string
      readonly watch: boolean
      readonly linearizable: boolean
    }
  | { readonly do: 'count' | 'ephemerals'; readonly path: string }
  | { readonly do: 'multi'; readonly operations: readonly SubOperation[]; readonly ifHeld: boolean }
  /** Hard limits of what may be at and below a path; `null`: none of that kind. */
  | { readonly do: 'setQuota'; readonly path: string; readonly nodes: number | null; readonly bytes: number | null }
  | { readonly do: 'endQuota'; readonly path: string }
  | { readonly do: 'sync' }
  /** Waits for what another machine has applied. */
  | { readonly do: 'await'; readonly machine: number }
  /** Only where the client has a session of its own. */
  | { readonly do: 'reopen' | 'move'; readonly machine: number }
)
