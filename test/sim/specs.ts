/** Who a schedule is about, and its times. */
import type { MemberSpec } from './sim-member.ts'

export const letters = 'abcdefg'

/** Founders named a, b, c …, and newcomers that only join. */
export function specsOf(founders: number, joiners: number, isDurable: (index: number) => boolean): MemberSpec[] {
  const addressOf = (index: number): string => `host-${letters[index]}:1`
  const list = Array.from({ length: founders }, (_, index) => addressOf(index)).sort()
  return Array.from({ length: founders + joiners }, (_, index) => ({
    name: letters[index] as string,
    address: addressOf(index),
    isDurable: isDurable(index),
    founders: index < founders ? list : [],
  }))
}

/** To the hundredth of a millisecond: short in a file, and fine enough. */
export function round(ms: number): number {
  return Math.round(ms * 100) / 100
}

export function inTime(a: { readonly at: number }, b: { readonly at: number }): number {
  return a.at - b.at
}
