/**
 * What happened in a run, as plain values: what the checks read. Everything that was observed has an `order`, its place in
 * the one sequence of events of the world: that is real time, as an outside observer would have it.
 */
import type { StreamedEvent } from '../../lib/api/watch.ts'
import type { PublishConfiguration, RequestResult, TreeChange, TreeRequest } from '../../lib/core/tree/operation.ts'
import type { CallResult, SessionCall, WatchEvent } from '../../lib/ports/session-link.ts'

/** A committed entry, as the first member applied it. */
export interface Entry {
  readonly order: number
  readonly at: number
  readonly host: string
  readonly zxid: bigint
  readonly timeMs: number
  readonly clockMs: number
  readonly request: TreeRequest | PublishConfiguration
  readonly result: RequestResult
  readonly changes: readonly Pick<TreeChange, 'type' | 'path'>[]
  /** Of an expiry: applications that took this session for alive at that moment. */
  readonly believers: readonly string[]
  /** The expiry was ordered by the test, not found by the leader. */
  readonly isOrdered: boolean
}

/** Some member applied an entry. */
export interface Application {
  readonly order: number
  /** The machine and its start: `b 2`. */
  readonly life: string
  readonly zxid: bigint
  /** A hash of everything that came of it. */
  readonly print: number
  /** Now and then: the digest of the whole state behind it. */
  readonly digest?: string | undefined
}

/** A snapshot took the place of entries on some member. */
export interface Installation {
  readonly order: number
  readonly life: string
  readonly before: bigint
  readonly after: bigint
}

/** A member began to serve, under a leader that may be itself. */
export interface Term {
  readonly order: number
  readonly at: number
  readonly life: string
  readonly member: string
  readonly leader: string
  readonly epoch: number
  readonly isLeader: boolean
  /** Where its log ended. */
  readonly logged: bigint
  /** The highest zxid that anybody had applied or been told of until then. */
  readonly known: bigint
}

export type Request =
  Extract<SessionCall, { kind: 'write' | 'read' | 'sync' | 'awaitZxid' | 'auth' }> extends infer C
    ? C extends { id: number }
      ? Omit<C, 'id'>
      : never
    : never

/** One call of a session, at the session link: every call there is, also those of recipes. */
export interface Call {
  readonly id: number
  /** The opened or attached session that it was made on. */
  readonly stream: number
  readonly order: number
  readonly at: number
  readonly request: Request
  isCancelled: boolean
  reply?: Reply | undefined
}

export interface Reply {
  readonly order: number
  readonly at: number
  /** Through which zxid the replica had applied the log when it answered. */
  readonly zxid: bigint
  readonly result: CallResult
}

/** What the application was told: of the calls that a workload made. */
export interface Outcome {
  readonly call: number
  readonly order: number
  readonly at: number
  readonly value?: unknown
  readonly error?: { readonly code: string; readonly retryable: boolean } | undefined
}

/** A session as one place had it: moved to another member, it is another stream. */
export interface Stream {
  readonly id: number
  readonly session: bigint
  readonly life: string
  readonly order: number
  readonly timeoutMs: number
  readonly isAttached: boolean
  /** When it was lost or closed, if it was. */
  ended?: number | undefined
}

/** A one-shot watch, set by a read. */
export interface Watch {
  readonly id: number
  readonly call: number
  readonly events: { readonly order: number; readonly event: WatchEvent }[]
}

/** A stream of events, as the application consumed it. */
export interface Stretch {
  readonly life: string
  readonly path: string
  readonly recursive: boolean
  readonly includeData: boolean
  /** It goes on behind this zxid; else it begins by stating what exists. */
  readonly from: bigint | undefined
  readonly events: { readonly order: number; readonly event: StreamedEvent }[]
  /** The process that consumed it still does. */
  isOpen: boolean
}

/** An event that a session was sent about a place in a line, or the line itself. */
export interface Wakening {
  readonly order: number
  readonly stream: number
  readonly event: WatchEvent
}

/** A persistent watch, set by a call. */
export interface Persistent {
  readonly call: number
  readonly path: string
  readonly recursive: boolean
  readonly events: { readonly order: number; readonly event: WatchEvent }[]
}

/** How long something took that must come to pass. */
export interface Demand {
  readonly what: string
  /** Infinite where it never came. */
  readonly tookMs: number
  readonly limitMs: number
}

/** A quantity that has a bound. */
export interface Gauge {
  readonly what: string
  readonly value: number
  readonly limit: number
}

/** A member that came back under its id: through which entry its disk was known to hold the log, and does. */
export interface Return {
  readonly order: number
  readonly life: string
  readonly before: bigint
  readonly now: bigint
}

/** How one member ended up, when everything had healed. */
export interface Final {
  readonly life: string
  readonly zxid: bigint
  readonly digest: string
  /** All of its state as bytes, in hex. */
  readonly exported: string
  /** The nodes: path to stat and data, as text. */
  readonly nodes: ReadonlyMap<string, string>
  readonly sessions: readonly bigint[]
  /** Through which zxid its disk holds the log; or why it cannot be read. Of members with disks. */
  readonly stored?: string | undefined
}

/** One member's opinion about a configuration. */
export interface ConfigurationSeen {
  readonly order: number
  /** A founding that failed may have left another one behind. */
  readonly cluster: string
  readonly life: string
  readonly zxid: bigint
  readonly voters: readonly string[]
  readonly text: string
}

/** A fenced resource outside of the ensemble saw this token, from a holder that believed in it. */
export interface FencedWrite {
  readonly order: number
  readonly resource: string
  readonly holder: string
  readonly token: bigint
  readonly accepted: boolean
  /** Others that believed that they held it at that moment, and were not stopped. */
  readonly rivals: readonly string[]
}

export interface History {
  readonly entries: Entry[]
  readonly applications: Application[]
  readonly installations: Installation[]
  readonly terms: Term[]
  readonly streams: Stream[]
  readonly calls: Call[]
  readonly outcomes: Outcome[]
  readonly watches: Watch[]
  readonly stretches: Stretch[]
  readonly persistents: Persistent[]
  readonly wakenings: Wakening[]
  readonly demands: Demand[]
  readonly gauges: Gauge[]
  readonly configurations: ConfigurationSeen[]
  readonly fencedWrites: FencedWrite[]
  readonly finals: Final[]
  /** Of members with disks that came back under their ids. */
  readonly returns: Return[]
  /** Sessions that live applications had open at the end. */
  readonly openAtEnd: bigint[]
  /** Members that stopped by themselves although nothing was done to their disks; and the like. */
  readonly breakdowns: string[]
}

export function emptyHistory(): History {
  return {
    entries: [],
    applications: [],
    installations: [],
    terms: [],
    streams: [],
    calls: [],
    outcomes: [],
    watches: [],
    stretches: [],
    persistents: [],
    wakenings: [],
    demands: [],
    gauges: [],
    configurations: [],
    fencedWrites: [],
    finals: [],
    returns: [],
    openAtEnd: [],
    breakdowns: [],
  }
}
