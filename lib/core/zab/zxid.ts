/**
 * Transaction ids: `epoch << 32 | counter`, as ZooKeeper's, in a branded `bigint` (a JS number loses bits from epoch
 * 2²¹ on). The epoch stays below 2³¹, so that a zxid is a positive signed 64-bit number. The cast to the brand occurs
 * in this file alone.
 */
import { assert } from '../../errors.ts'

declare const brand: unique symbol

/** A transaction id. Ordered by `<`; 0 stands for "nothing yet". */
export type Zxid = bigint & { readonly [brand]: 'Zxid' }

const counterBits = 32n
const counterMask = 0xffff_ffffn

/** The largest epoch and counter that a zxid can carry. */
export const epochMax: number = 0x7fff_ffff
export const counterMax: number = 0xffff_ffff

/** Before every transaction. */
export const zxidZero: Zxid = 0n as Zxid

/** The zxid of an epoch and a counter. Throws if either does not fit. */
export function zxidOf(epoch: number, counter: number): Zxid {
  assert(Number.isInteger(epoch) && epoch >= 0 && epoch <= epochMax, () => `epoch out of range: ${epoch}`)
  assert(Number.isInteger(counter) && counter >= 0 && counter <= counterMax, () => `counter out of range: ${counter}`)
  return ((BigInt(epoch) << counterBits) | BigInt(counter)) as Zxid
}

/** The zxid that a positive 64-bit number stands for (from the wire, a store, an application). */
export function zxidFrom(value: bigint): Zxid {
  assert(value >= 0n && value >> 63n === 0n, () => `not a zxid: ${value}`)
  return value as Zxid
}

export function epochOf(zxid: Zxid): number {
  return Number(zxid >> counterBits)
}

export function counterOf(zxid: Zxid): number {
  return Number(zxid & counterMask)
}

/** The zxid `steps` later in the same epoch. Throws at the end of the counter: leaders change epoch long before. */
export function zxidPlus(zxid: Zxid, steps: number): Zxid {
  const later = (zxid + BigInt(steps)) as Zxid
  assert(later >> counterBits === zxid >> counterBits, () => `the counter of epoch ${epochOf(zxid)} has ended`)
  return later
}

/** The zxid of the next entry of the same epoch. */
export function zxidNext(zxid: Zxid): Zxid {
  const next = (zxid + 1n) as Zxid
  assert((next & counterMask) !== 0n, () => `the counter of epoch ${epochOf(zxid)} has ended`)
  return next
}

/** The number below: in order before this one, and after every smaller zxid. */
export function zxidBefore(zxid: Zxid): Zxid {
  assert(zxid > zxidZero, 'nothing is before the first zxid')
  return (zxid - 1n) as Zxid
}

/** `epoch.counter` in decimal, for people. */
export function formatZxid(zxid: Zxid): string {
  return `${epochOf(zxid)}.${counterOf(zxid)}`
}
