/**
 * Who the ensemble is (design D8). The configuration lives in the log: an entry changes it, and it is in force from the
 * moment the entry is *in* a member's log, committed or not; a truncated log takes it back.
 *
 * A change is joint consensus: from its entry on, old and new quorums are both needed, until a later batch header in
 * the log says that both have acknowledged the entry ("settled"). Replacing one voter of three needs this: {A,B1,C} and
 * {A,B2,C} have quorums that do not meet, {B1,C} and {A,B2}.
 */
import { assert } from '../../errors.ts'
import { type Batch, reconfigurationsIn } from './batch.ts'
import type { Zxid } from './zxid.ts'

declare const brand: unique symbol

/** Who a member is, this incarnation of it: a member that lost its memory comes back under another id (design D7). */
export type MemberId = string & { readonly [brand]: 'MemberId' }

export function memberIdFrom(text: string): MemberId {
  assert(text.length > 0 && text.length <= 64, () => `not a member id: ${text}`)
  return text as MemberId
}

/** Whether two lists of founders are one and the same, in the same order. */
export function areSameFounders(one: readonly string[] | undefined, other: readonly string[]): boolean {
  return one?.length === other.length && one.every((address, index) => address === other[index])
}

/** A member as the configuration records it. `name` is the same after a restart, `id` only where a store kept it. */
export interface MemberRecord {
  readonly id: MemberId
  readonly name: string
  readonly address: string
}

export interface Configuration {
  readonly voters: readonly MemberRecord[]
  readonly observers: readonly MemberRecord[]
  /** Addresses of the founders: every quorum includes a voter at one of them, so that founders who restarted blank can never found a second ensemble beside this one. */
  readonly founders: readonly string[]
  /** How many voters are wanted, odd. There may be fewer, where there are fewer members, and more, as founded. */
  readonly seats: number
  /** The state machine evaluates entries at this level: every member has it (features.ts). */
  readonly features: number
  /** Names that an operator made observers: they take no seat, whatever they ask for themselves. Oldest first. */
  readonly pinned: readonly string[]
  /** Ids that an operator removed: they do not come back. Oldest first. */
  readonly removed: readonly MemberId[]
}

/** Of `pinned` and `removed` each: the oldest are forgotten. */
const rulingsMax = 256

/** Adds one at the end of a bounded list, once. */
export function withRuling<T>(list: readonly T[], one: T): readonly T[] {
  return [...list.filter((other) => other !== one), one].slice(-rulingsMax)
}

/** Whether it has a voter at a founder's address: without one there is no quorum. */
export function hasFounder({ voters, founders }: Configuration): boolean {
  return voters.some(({ address }) => founders.includes(address))
}

/** Every member, voters first. */
export function membersOf({ voters, observers }: Configuration): readonly MemberRecord[] {
  return [...voters, ...observers]
}

/** A configuration in the log: at which entry it came, and with which batch it was seen acknowledged by both quorums. */
export interface LoggedConfiguration {
  readonly zxid: Zxid
  readonly configuration: Configuration
  readonly settledAt: Zxid | undefined
}

/** The configuration as `/zookeeper/config` shows it, in the lines of ZooKeeper; its version is the zxid of its entry. */
export function configurationText({ voters, observers }: Configuration, zxid: Zxid): string {
  const line = ({ address }: MemberRecord, index: number, role: string): string => {
    const [, host = address, port = '0'] = /^(?:\w+:\/\/)?(.*?)(?::(\d+))?(?:\/.*)?$/.exec(address) ?? []
    return `server.${index}=${host}:${port}:${port}:${role}\n`
  }
  const participants = voters.map((member, index) => line(member, index + 1, 'participant'))
  const watching = observers.map((member, index) => line(member, voters.length + index + 1, 'observer'))
  return `${[...participants, ...watching].join('')}version=${zxid.toString(16)}`
}

/** The configurations in the log, oldest first: settled ones, and after them at most one that is not yet. */
export class ConfigurationHistory {
  #logged: LoggedConfiguration[]

  constructor(logged: readonly LoggedConfiguration[]) {
    this.#logged = [...logged]
  }

  /** A member that has not yet heard from its ensemble knows none. */
  get isEmpty(): boolean {
    return this.#logged.length === 0
  }

  get latest(): LoggedConfiguration | undefined {
    return this.#logged.at(-1)
  }

  /** The configurations whose quorums are needed now: one, two during a change, none where none is known. */
  get active(): readonly Configuration[] {
    const last = this.#logged.at(-1)
    const before = this.#logged.at(-2)
    if (last === undefined) return []
    if (last.settledAt !== undefined || before === undefined) return [last.configuration]
    return [before.configuration, last.configuration]
  }

  /** The change that is in the log and not settled yet. */
  get pending(): LoggedConfiguration | undefined {
    const last = this.#logged.at(-1)
    return last?.settledAt === undefined ? last : undefined
  }

  isVoter(id: MemberId): boolean {
    return this.active.some((configuration) => configuration.voters.some((voter) => voter.id === id))
  }

  /** Every member of the active configurations, voters first, each once. */
  members(): readonly MemberRecord[] {
    const byId = new Map<MemberId, MemberRecord>()
    for (const configuration of this.active) {
      for (const member of membersOf(configuration)) byId.set(member.id, member)
    }
    return [...byId.values()]
  }

  /** Takes note of a batch that was appended to the log. Returns whether anything changed. */
  append(batch: Batch): boolean {
    let changed = false
    const pending = this.pending
    if (pending !== undefined && batch.settled >= pending.zxid) {
      this.#logged[this.#logged.length - 1] = { ...pending, settledAt: batch.first }
      changed = true
    }
    for (const { zxid, configuration } of reconfigurationsIn(batch)) {
      assert(this.pending === undefined, 'a configuration may not change while another change is pending')
      this.#logged.push({ zxid, configuration, settledAt: undefined })
      changed = true
    }
    return changed
  }

  /** Forgets what a truncated log no longer says. */
  truncateAfter(zxid: Zxid): void {
    this.#logged = this.at(zxid)
    assert(this.#logged.length > 0, 'a truncated log keeps a configuration')
  }

  /** Drops what can no longer come back, because the log is applied through here. */
  prune(applied: Zxid): void {
    const keep = this.#logged.findLastIndex(({ settledAt }) => settledAt !== undefined && settledAt <= applied)
    if (keep > 0) this.#logged.splice(0, keep)
  }

  /** The history as a log that ends at `zxid` tells it: what a snapshot at `zxid` carries. */
  at(zxid: Zxid): LoggedConfiguration[] {
    return this.#logged
      .filter((logged) => logged.zxid <= zxid)
      .map((logged) =>
        logged.settledAt !== undefined && logged.settledAt > zxid ? { ...logged, settledAt: undefined } : logged,
      )
  }
}
