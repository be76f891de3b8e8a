/** What is compared: a system of servers and clients that does the same work under its own name. */

/** `linearizable read`: sees everything that was acknowledged to anybody before it. `ephemeral`: create, then delete. */
export type Operation = 'write' | 'read' | 'linearizable read' | 'mixed' | 'ephemeral'

export interface Load {
  readonly operation: Operation
  /** Of a value. */
  readonly bytes: number
  /** How many nodes the operations are spread over: those that `prepare` made. */
  readonly keys: number
  /** Operations under way at any time, over all processes and sessions. 1: from one that does not lead. */
  readonly outstanding: number
  /** Of `mixed`, 0 to 1. */
  readonly readShare?: number
}

/** What one window gave. */
export interface Sample {
  /** Operations that were completed. */
  readonly count: number
  /** Those that failed: a server lost its leader, a request took too long. */
  readonly failed: number
  readonly seconds: number
  /** Of some of them, at random enough. */
  readonly latenciesMs: readonly number[]
}

export type Durability = 'disk' | 'memory'

/** Each commit waits for the disk once. */
export interface Written {
  readonly commits: number
  readonly entries: number
}

/** Three servers by default, and their load. */
export interface Contender {
  readonly name: string
  /** Where its servers listen for clients; none where the application is the server. */
  readonly ports: readonly number[]
  /** Whose CPU time and memory count: servers and load. */
  readonly pids: readonly number[]
  /** Of them those that are load alone: empty where the application is the server. */
  readonly loadPids: readonly number[]
  /** Whether it has this operation. */
  can(operation: Operation): boolean
  /** Makes the nodes `0` to `keys - 1`, each with a value. */
  prepare(keys: number, bytes: number): Promise<void>
  run(load: Load, seconds: number): Promise<Sample>
  /** What all members have written to their stores, where it is known. */
  written?(): Promise<Written>
  stop(): Promise<void>
}

export interface ContenderKind {
  /** For `--peers`. */
  readonly name: string
  /** It differs from another one with such a store alone: it is left out with the others. */
  readonly durability?: Durability
  /** What to do to have it, or `undefined`: it is there. */
  missing(): string | undefined
  /** `started`: those that run already, whose servers it may use. */
  start(durability: Durability, size?: number, started?: readonly Contender[]): Promise<Contender>
}
