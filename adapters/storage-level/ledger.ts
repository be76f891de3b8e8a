/**
 * What a store holds, in a few numbers. The ledger is kept in memory from `open` on; its summary, the *seal*, is written
 * with every change. A batch that the database lost in the middle leaves entries that are each sound and yet belong to
 * different moments: the seal of the last batch tells.
 *
 * What it cannot tell is that the last batches are gone, seal and all: that is for the peers, who remember what this
 * member acknowledged.
 */
import { crc32 } from 'node:zlib'
import { type EncodedFrame, encodeFrame, type Frame } from './frame.ts'
import { sealKey } from './layout.ts'

export interface LedgerRecord {
  readonly last: bigint
  readonly crc: number
}

export interface Ledger {
  /** How many changes were committed, ever. */
  commits: bigint
  /** What the first record links to: the CRC of the last one purged. */
  base: number
  /** Ascending. */
  records: LedgerRecord[]
  /** The CRC of each value, by name. */
  readonly values: Map<string, number>
  /** The CRC of the checkpoint's manifest, its generation, and how many chunks it has. */
  manifest: number | undefined
  generation: number
  chunks: number
  /** What is staged as the next generation. */
  staged: { readonly zxid: bigint; count: number; link: number } | undefined
  /** Chunks of the next generation may lie at these indices, from 0 on. */
  extent: number
}

export const emptyLedger = (): Ledger => ({
  commits: 0n,
  base: 0,
  records: [],
  values: new Map(),
  manifest: undefined,
  generation: 0,
  chunks: 0,
  staged: undefined,
  extent: 0,
})

/** What the next record links to. */
export const headOf = (ledger: Ledger): number => ledger.records.at(-1)?.crc ?? ledger.base

/** The summary that is sealed. */
export interface Summary {
  readonly base: number
  readonly head: number
  readonly records: number
  readonly values: number
  readonly manifest: number
}

const fields = ['base', 'head', 'records', 'values', 'manifest'] as const satisfies (keyof Summary)[]

export const summaryOf = (ledger: Ledger): Summary => ({
  base: ledger.base,
  head: headOf(ledger),
  records: ledger.records.length,
  values: valuesDigest(ledger.values),
  manifest: ledger.manifest ?? 0,
})

export function encodeSeal(ledger: Ledger): EncodedFrame {
  const summary = summaryOf(ledger)
  const body = Buffer.alloc(fields.length * 4)
  for (const [index, field] of fields.entries()) body.writeUInt32BE(summary[field], index * 4)
  const last = ledger.records.at(-1)?.last ?? 0n
  return encodeFrame(sealKey, { kind: 'seal', first: ledger.commits, last, link: 0 }, body)
}

export function decodeSeal(frame: Frame): Summary {
  const body = new DataView(frame.body.buffer, frame.body.byteOffset, frame.body.byteLength)
  const at = (field: keyof Summary): number => body.getUint32(fields.indexOf(field) * 4)
  return {
    base: at('base'),
    head: at('head'),
    records: at('records'),
    values: at('values'),
    manifest: at('manifest'),
  }
}

/** The body of a manifest. */
export function encodeGeneration(generation: number): Uint8Array {
  const body = Buffer.alloc(4)
  body.writeUInt32BE(generation)
  return body
}

export function decodeGeneration({ body }: Frame): number {
  return new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0)
}

/** Each CRC covers its name, so their sequence in the order of the names stands for all values. */
function valuesDigest(values: ReadonlyMap<string, number>): number {
  const crcs = Buffer.alloc(values.size * 4)
  for (const [index, name] of [...values.keys()].sort().entries()) crcs.writeUInt32BE(values.get(name) ?? 0, index * 4)
  return crc32(crcs)
}
