/**
 * Who already gets a new configuration while it is rolled out gradually. Every member decides for itself, alike: by its
 * name alone, so nobody has to hand out places, and whoever is in at 10 % is still in at 50 %.
 */
import { stableHash } from '../stable-hash.ts'

/** To whom: the members named, and besides so many in a hundred of all others. */
export interface Audience {
  readonly members?: readonly string[] | undefined
  /** 0 to 100, fractions allowed. Default 0. */
  readonly percent?: number | undefined
}

/** Throws a TypeError or RangeError for what is no audience. */
export function checkAudience({ members, percent }: Audience): void {
  if (members !== undefined && !(Array.isArray(members) && members.every((name) => typeof name === 'string')))
    throw new TypeError('members must be a list of names')
  if (percent === undefined) return
  if (typeof percent !== 'number' || Number.isNaN(percent))
    throw new TypeError(`percent must be a number, not ${String(percent)}`)
  if (percent < 0 || percent > 100) throw new RangeError(`percent must be from 0 to 100, not ${percent}`)
}

/** `salt` is the roll-out's own: so that it is not the same members who go first each time. */
export function isInAudience(member: string, { members = [], percent = 0 }: Audience, salt: string): boolean {
  return members.includes(member) || (stableHash(`${salt}\n${member}`) / 0x1_0000_0000) * 100 < percent
}
