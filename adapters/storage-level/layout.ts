/**
 * The keys of a store, as ordered strings. Everything lies under one prefix, so that keys of the application in the same
 * database are left alone.
 *
 *     coord/log/<last zxid>           one log record, by its last zxid in 16 hex digits
 *     coord/manifest                  the checkpoint: first = its zxid, last = number of chunks, link = last chunk;
 *                                     its body is the generation, which tells where the chunks are
 *     coord/seal                      what the store holds, all told; first = number of commits, last = last zxid
 *     coord/snapshot/<gen>/<index>    one chunk: first = zxid, last = index, link = chunk before it. Generation and
 *                                     index are counted down, in 8 hex digits each
 *     coord/value/<name>              one small value
 *
 * The next checkpoint is written beside the one in force, as the next generation, and the manifest changes over.
 *
 * **Why in this order, and why downwards.** LevelDB keeps tables sorted, and whatever a new one overlaps is merged with it
 * and written again. A new one holds the end of the log, the seal, and what was staged since: where the log grows upwards before
 * the seal, and chunks downwards behind it, these are neighbours, and nothing that was written before lies between them.
 */
const prefix = 'coord/'

export const sealKey: string = `${prefix}seal`
export const manifestKey: string = `${prefix}manifest`
export const valuePrefix: string = `${prefix}value/`
export const logPrefix: string = `${prefix}log/`
const snapshotPrefix = `${prefix}snapshot/`

const downwards = (number: number): string => (0xffff_ffff - number).toString(16).padStart(8, '0')

export const valueKey = (name: string): string => valuePrefix + name
export const logKey = (last: bigint): string => logPrefix + last.toString(16).padStart(16, '0')
export const generationPrefix = (generation: number): string => `${snapshotPrefix}${downwards(generation)}/`
export const chunkKey = (generation: number, index: number): string => generationPrefix(generation) + downwards(index)

/** The index of the chunk whose key this is. */
export const indexOf = (key: string): number => 0xffff_ffff - Number.parseInt(key.slice(-8), 16)

/** All keys that begin with `start`: the separator is followed by the next character in order. */
export function rangeOf(start: string): { gte: string; lt: string } {
  return { gte: start, lt: `${start.slice(0, -1)}0` }
}

/** Every key of a store. */
export const everything: { gte: string; lt: string } = rangeOf(prefix)

/** For messages: zxids read best as ZooKeeper prints them. */
export const hex = (zxid: bigint): string => `0x${zxid.toString(16)}`
