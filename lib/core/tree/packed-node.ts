/**
 * The fields of a node and its value as bytes, and these bytes as one string: a character each, which takes a byte each.
 * So a node rests in memory, and so it lies in snapshots; an object with its numbers, and an array for its value, take
 * twice as much. Only what is unusual takes room: a node that was created and never changed has 22 bytes and its value.
 *
 * | bytes | |
 * |---|---|
 * | 2 | what the value is, which of the optional fields there are, the mode |
 * | 8, 6, 6 | czxid, ctime, touchedClockMs |
 * | 8, 6 | mzxid and mtime, unless they are those of the creation |
 * | 8 | pzxid, unless it is the czxid |
 * | 4, 6, 4, 6, 8 | version, creates, aversion, ttlMs, ephemeralOwner: each unless it is 0 |
 * | the rest | the value, unless it is null or too long |
 *
 * Equal nodes are equal strings. All numbers are big-endian.
 */
import { bytesOfLatin1, Scratch } from '../../bytes.ts'
import { assert } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import type { SessionId } from './session-id.ts'
import { requireIntact } from './snapshot.ts'

const modes = ['persistent', 'ephemeral', 'container', 'ttl'] as const

/** Everything of a node but its ACL and its children. */
export interface ZnodeFields {
  data: Uint8Array | undefined
  readonly mode: (typeof modes)[number]
  readonly ttlMs: number
  readonly ephemeralOwner: SessionId
  readonly czxid: Zxid
  mzxid: Zxid
  pzxid: Zxid
  readonly ctime: number
  mtime: number
  /** The log clock at the last change of the data or the creation: TTLs age from here. */
  touchedClockMs: number
  version: number
  /** The persisted cversion: creates alone (zookeeper ST-1). */
  creates: number
  aversion: number
}

/** A value above this length stays an array of its own, which costs it less than a fifth more. Bytes. */
export const packedDataMax = 512

/** What the value is, in the highest bits of the flags; the mode is in the lowest two. */
const valueIs = { null: 0, packed: 1, apart: 2 } as const
const valueShift = 9
/** Which optional fields there are, and how long each is. */
const changed = { flag: 4, bytes: 14 } as const
const childrenChanged = { flag: 8, bytes: 8 } as const
const version = { flag: 16, bytes: 4 } as const
const creates = { flag: 32, bytes: 6 } as const
const aversion = { flag: 64, bytes: 4 } as const
const ttl = { flag: 128, bytes: 6 } as const
const owner = { flag: 256, bytes: 8 } as const
const optionalFields = [changed, childrenChanged, version, creates, aversion, ttl, owner]
const bytesAlways = 22

/** Where the value begins, by the flags below it. */
const startsOfValue = Array.from({ length: 1 << valueShift }, (_, flags) =>
  optionalFields.reduce((at, { flag, bytes }) => at + ((flags & flag) === 0 ? 0 : bytes), bytesAlways),
)
const fieldsBytesMax = Math.max(...startsOfValue)

/** One node at a time is packed or unpacked in here, from `at` on. */
const scratch = new Scratch(fieldsBytesMax + packedDataMax)
const { view } = scratch
let at = 0

export function isPackable(data: Uint8Array | undefined): boolean {
  return data === undefined || data.length <= packedDataMax
}

/** Without the value if that is not packable. */
export function packNode(fields: ZnodeFields): string {
  const { data } = fields
  const flags = flagsOf(fields)
  at = 0
  putShort(flags)
  putLong(fields.czxid)
  putNatural(fields.ctime)
  putNatural(fields.touchedClockMs)
  if ((flags & changed.flag) !== 0) {
    putLong(fields.mzxid)
    putNatural(fields.mtime)
  }
  if ((flags & childrenChanged.flag) !== 0) putLong(fields.pzxid)
  if ((flags & version.flag) !== 0) putInteger(fields.version)
  if ((flags & creates.flag) !== 0) putNatural(fields.creates)
  if ((flags & aversion.flag) !== 0) putInteger(fields.aversion)
  if ((flags & ttl.flag) !== 0) putNatural(fields.ttlMs)
  if ((flags & owner.flag) !== 0) putLong(fields.ephemeralOwner)
  if (data !== undefined && isPackable(data)) {
    scratch.set(data, at)
    at += data.length
  }
  return scratch.text(at)
}

function flagsOf(fields: ZnodeFields): number {
  const { data, czxid } = fields
  const value = data === undefined ? valueIs.null : isPackable(data) ? valueIs.packed : valueIs.apart
  let flags = (value << valueShift) | modes.indexOf(fields.mode)
  if (fields.mzxid !== czxid || fields.mtime !== fields.ctime) flags |= changed.flag
  if (fields.pzxid !== czxid) flags |= childrenChanged.flag
  if (fields.version !== 0) flags |= version.flag
  if (fields.creates !== 0) flags |= creates.flag
  if (fields.aversion !== 0) flags |= aversion.flag
  if (fields.ttlMs !== 0) flags |= ttl.flag
  if (fields.ephemeralOwner !== 0n) flags |= owner.flag
  return flags
}

/** `longData` is the value that was not packable. */
export function unpackNode(packed: string, longData?: Uint8Array): ZnodeFields {
  const fields = unpackFields(packed)
  fields.data = longData ?? packedData(packed)
  return fields
}

/** All but the value. */
export function unpackFields(packed: string): ZnodeFields {
  scratch.load(packed, fieldsBytesMax)
  at = 0
  const flags = takeShort()
  const czxid = takeLong() as Zxid
  const ctime = takeNatural()
  const touchedClockMs = takeNatural()
  const hasChanged = (flags & changed.flag) !== 0
  return {
    data: undefined,
    mode: modes[flags & 3] as ZnodeFields['mode'],
    czxid,
    ctime,
    touchedClockMs,
    mzxid: hasChanged ? (takeLong() as Zxid) : czxid,
    mtime: hasChanged ? takeNatural() : ctime,
    pzxid: (flags & childrenChanged.flag) === 0 ? czxid : (takeLong() as Zxid),
    version: (flags & version.flag) === 0 ? 0 : takeInteger(),
    creates: (flags & creates.flag) === 0 ? 0 : takeNatural(),
    aversion: (flags & aversion.flag) === 0 ? 0 : takeInteger(),
    ttlMs: (flags & ttl.flag) === 0 ? 0 : takeNatural(),
    ephemeralOwner: ((flags & owner.flag) === 0 ? 0n : takeLong()) as SessionId,
  }
}

/** The value, as a new array. */
export function packedData(packed: string): Uint8Array | undefined {
  const flags = leadingFlags(packed)
  return flags >> valueShift === valueIs.null ? undefined : bytesOfLatin1(packed, startOfValue(flags))
}

/** How long the value is, without making it. */
export function packedDataLength(packed: string): number {
  return packed.length - startOfValue(leadingFlags(packed))
}

/** Of what comes from a disk or a peer: throws COORD_STORE_DAMAGED if `packNode` cannot have made it. */
export function requirePacked(packed: string, longData: Uint8Array | undefined, path: string): void {
  const flags = packed.length < bytesAlways ? 0xffff : leadingFlags(packed)
  const value = flags >> valueShift
  const length = packed.length - startOfValue(flags)
  const isWhole = value === valueIs.packed ? length >= 0 && length <= packedDataMax : length === 0
  const hasLong = longData !== undefined && !isPackable(longData)
  requireIntact(value <= valueIs.apart && isWhole, () => `the fields of ${path}`)
  requireIntact(value === valueIs.apart ? hasLong : longData === undefined, () => `the value of ${path}`)
}

function leadingFlags(packed: string): number {
  return (packed.charCodeAt(0) << 8) | packed.charCodeAt(1)
}

function startOfValue(flags: number): number {
  return startsOfValue[flags & ((1 << valueShift) - 1)] as number
}

function putShort(value: number): void {
  view.setUint16(at, value)
  at += 2
}

function putInteger(value: number): void {
  view.setInt32(at, value)
  at += 4
}

/** Below 2⁴⁸: times until the year 10889. */
function putNatural(value: number): void {
  assert(value >= 0 && value < 2 ** 48, () => `${value} does not fit a packed node`)
  view.setUint16(at, value / 2 ** 32)
  view.setUint32(at + 2, value % 2 ** 32)
  at += 6
}

function putLong(value: bigint): void {
  view.setBigUint64(at, value)
  at += 8
}

function takeShort(): number {
  at += 2
  return view.getUint16(at - 2)
}

function takeInteger(): number {
  at += 4
  return view.getInt32(at - 4)
}

function takeNatural(): number {
  at += 6
  return view.getUint16(at - 6) * 2 ** 32 + view.getUint32(at - 4)
}

function takeLong(): bigint {
  at += 8
  return view.getBigUint64(at - 8)
}
