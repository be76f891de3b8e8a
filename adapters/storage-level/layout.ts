/**
 * The keys of a store, as ordered strings. Everything lies under one prefix, so that keys of the application in the same
 * database are left alone.
 *
 *     coord/seal                      what the store holds, all told; first = number of commits, last = last zxid
 *     coord/value/<name>              one small value
 *     coord/log/<last zxid>           one log record, by its last zxid in 16 hex digits
 *     coord/manifest                  the checkpoint: first = its zxid, last = number of chunks, link = last chunk;
 *                                     one byte says in which slot the chunks are
 *     coord/chunk/<slot>/<index>      one chunk: first = zxid, last = index, link = chunk before it
 *
 * There are two slots, 0 and 1: the next checkpoint is written beside the one in force, and the manifest changes over.
 */
const prefix = 'coord/'

export const sealKey: string = `${prefix}seal`
export const manifestKey: string = `${prefix}manifest`
export const valuePrefix: string = `${prefix}value/`
export const logPrefix: string = `${prefix}log/`
export const chunkPrefix: string = `${prefix}chunk/`

export type Slot = 0 | 1
export const otherSlot = (slot: Slot): Slot => (slot === 0 ? 1 : 0)

export const valueKey = (name: string): string => valuePrefix + name
export const logKey = (last: bigint): string => logPrefix + last.toString(16).padStart(16, '0')
export const slotPrefix = (slot: Slot): string => `${chunkPrefix}${slot}/`
export const chunkKey = (slot: Slot, index: number): string => slotPrefix(slot) + index.toString(16).padStart(8, '0')

/** All keys that begin with `start`: the separator is followed by the next character in order. */
export function rangeOf(start: string): { gte: string; lt: string } {
  return { gte: start, lt: `${start.slice(0, -1)}0` }
}

/** Every key of a store. */
export const everything: { gte: string; lt: string } = rangeOf(prefix)

/** For messages: zxids read best as ZooKeeper prints them. */
export const hex = (zxid: bigint): string => `0x${zxid.toString(16)}`
