/**
 * Everything that a member may want of the world, as values: the whole interface out of the core. Outputs of one step
 * are performed in order; `applied` ones concern this process alone.
 */
import type { ReplicatedState } from './tree/apply.ts'
import type { Applied } from './tree/operation.ts'
import type { MemberRecord } from './zab/configuration.ts'
import type { Standing } from './zab/message.ts'
import type { RoleName } from './zab/roles.ts'
import type { ZabOutput } from './zab/zab.ts'

/** What a member is doing, as its own process sees it. */
export interface Status {
  readonly role: RoleName
  /** An up-to-date and sound member of an ensemble with a leader: requests are taken, reads are served. */
  readonly serving: boolean
  readonly leader: MemberRecord | undefined
  /** Of the leader; 0 while there is none. */
  readonly epoch: number
  readonly isVoter: boolean
  readonly cluster: string
  /** Counts terms of service: requests not answered in an older term were perhaps lost and are sent again. */
  readonly term: number
  /** Too many voters came back without their memory: no quorum is left. */
  readonly majorityLost: boolean
  /** Whether its state is that of the others (divergence.ts). */
  readonly standing: Standing
  /** Why it does not serve: for people. */
  readonly reason: string
}

/** A member of the configuration, and whether a link to it is up. */
export interface MemberInfo extends MemberRecord {
  readonly isVoter: boolean
  readonly isLinked: boolean
}

export type Output =
  | ZabOutput
  /** A committed entry was applied here. */
  | { readonly type: 'applied'; readonly applied: Applied }
  /** The whole state was replaced by a snapshot: watches and waiting requests of hosted sessions are checked against it. */
  | { readonly type: 'installed'; readonly before: ReplicatedState }
  | { readonly type: 'status'; readonly status: Status }
  /** The members of the configuration, or what is known of them, changed. */
  | { readonly type: 'members'; readonly members: readonly MemberInfo[] }
