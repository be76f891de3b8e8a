/**
 * The changes of the last entries, as long as they fit: what streams of events go on from when their consumer is slow or
 * comes back.
 *
 * They are kept as bytes, in blocks that are used again: thousands of objects that live for a moment, and each a little longer than
 * the collector's young generation, would be most of what a busy member leaves to it. Change `n` has its numbers at `n`
 * modulo the limit.
 */
import { type Block, Blocks } from '../blocks.ts'
import { putAscii } from '../bytes.ts'
import type { Acl } from '../core/tree/acl.ts'
import type { TreeChange } from '../core/tree/operation.ts'
import type { Zxid } from '../core/zab/zxid.ts'

export interface WindowLimits {
  readonly changes: number
  readonly bytes: number
}

export interface WindowEntry {
  readonly zxid: Zxid
  /** Their data is to be used at once: later changes take its place. */
  readonly changes: readonly TreeChange[]
}

const types = ['created', 'changed', 'deleted'] as const

const blockBytes = 0x4000
/** A character takes so many at the most. */
const bytesPerCharacterMax = 3
/** What a change counts for beside its path and data. */
const bytesPerChange = 64

/** The numbers of a change, by their place among those of its own. `data`: one more than its length, 0 stands for none. */
const numberOf = { offset: 0, path: 1, data: 2, type: 3, isFirst: 4 } as const
const numbersPerChange = 5

export class ChangeWindow {
  readonly #limits: WindowLimits
  #zxids = new BigUint64Array(64)
  /** Beside the bytes, which nobody looks at again until a stream asks: to forget one is to fetch nothing from far away. */
  #numbers = new Uint32Array(64 * numbersPerChange)
  readonly #blocks: Block<Buffer>[] = []
  readonly #acls: { readonly acl: Acl; readonly parentAcl: Acl }[] = []
  /** The first change that is here, and the one behind the last. */
  #first = 0
  #end = 0
  #bytes = 0
  #start: Zxid
  readonly #memory = new Blocks<Buffer>({ min: blockBytes, max: blockBytes }, (length) =>
    Buffer.allocUnsafeSlow(length),
  )

  /** `start`: the last entry before the first one that will be noted. */
  constructor(limits: WindowLimits, start: Zxid) {
    this.#limits = limits
    this.#start = start
  }

  /** Every change after this zxid is here. */
  get start(): Zxid {
    return this.#start
  }

  push(zxid: Zxid, changes: readonly TreeChange[]): void {
    const { changes: changesMax, bytes: bytesMax } = this.#limits
    while (this.#first < this.#end && this.#end - this.#first + changes.length > changesMax) this.#forgetFirst()
    if (changes.length > changesMax) {
      this.#start = zxid
      return
    }
    let isFirst = true
    for (const change of changes) {
      this.#add(zxid, change, isFirst)
      isFirst = false
    }
    while (this.#bytes > bytesMax) this.#forgetFirst()
  }

  /** Nothing before `start` is known: a snapshot took the place of entries. */
  reset(start: Zxid): void {
    while (this.#first < this.#end) this.#forgetFirst()
    this.#start = start
  }

  /** The first entry after a zxid that changed anything. Only for one that the window still reaches back to. */
  next(after: Zxid): WindowEntry | undefined {
    let low = this.#first
    let high = this.#end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.#zxidOf(middle) > after) high = middle
      else low = middle + 1
    }
    if (low === this.#end) return undefined
    const changes: TreeChange[] = []
    const end = this.#endOfEntry(low)
    for (let index = low; index < end; index += 1) changes.push(this.#changeAt(index))
    return { zxid: this.#zxidOf(low), changes }
  }

  #add(zxid: Zxid, change: TreeChange, isFirst: boolean): void {
    const { type, path, data } = change
    const dataBytes = data?.length ?? 0
    const block = this.#memory.hold(path.length * bytesPerCharacterMax + dataBytes)
    const { bytes, used: offset } = block
    const pathBytes = putText(bytes, offset, path)
    if (data !== undefined) bytes.set(data, offset + pathBytes)
    block.used += pathBytes + dataBytes
    const place = this.#end % this.#limits.changes
    if (place === this.#zxids.length) this.#grow()
    this.#zxids[place] = zxid
    const numbers = this.#numbers
    const at = place * numbersPerChange
    numbers[at + numberOf.offset] = offset
    numbers[at + numberOf.path] = pathBytes
    numbers[at + numberOf.data] = data === undefined ? 0 : dataBytes + 1
    numbers[at + numberOf.type] = types.indexOf(type)
    numbers[at + numberOf.isFirst] = isFirst ? 1 : 0
    this.#blocks[place] = block
    this.#acls[place] = this.#aclsOf(change)
    this.#end += 1
    this.#bytes += this.#weightAt(place)
  }

  #grow(): void {
    const [zxids, numbers] = [new BigUint64Array(2 * this.#zxids.length), new Uint32Array(2 * this.#numbers.length)]
    zxids.set(this.#zxids)
    numbers.set(this.#numbers)
    this.#zxids = zxids
    this.#numbers = numbers
  }

  /** Most changes have those of the one before. */
  #aclsOf({ acl, parentAcl }: TreeChange): { readonly acl: Acl; readonly parentAcl: Acl } {
    const last = this.#end === 0 ? undefined : this.#acls[(this.#end - 1) % this.#limits.changes]
    return last !== undefined && last.acl === acl && last.parentAcl === parentAcl ? last : { acl, parentAcl }
  }

  #changeAt(index: number): TreeChange {
    const place = index % this.#limits.changes
    const { bytes } = this.#blocks[place] as Block<Buffer>
    const { acl, parentAcl } = this.#acls[place] as { acl: Acl; parentAcl: Acl }
    const start = this.#numberAt(place, numberOf.offset)
    const end = start + this.#numberAt(place, numberOf.path)
    const dataLength = this.#numberAt(place, numberOf.data) - 1
    return {
      type: types[this.#numberAt(place, numberOf.type)] as TreeChange['type'],
      path: bytes.toString('utf8', start, end),
      acl,
      parentAcl,
      data: dataLength < 0 ? undefined : bytes.subarray(end, end + dataLength),
    }
  }

  #numberAt(place: number, which: (typeof numberOf)[keyof typeof numberOf]): number {
    return this.#numbers[place * numbersPerChange + which] as number
  }

  #weightAt(place: number): number {
    return bytesPerChange + this.#numberAt(place, numberOf.path) + Math.max(0, this.#numberAt(place, numberOf.data) - 1)
  }

  #zxidOf(index: number): Zxid {
    return this.#zxids[index % this.#limits.changes] as Zxid
  }

  #endOfEntry(start: number): number {
    let end = start + 1
    while (end < this.#end && this.#numberAt(end % this.#limits.changes, numberOf.isFirst) === 0) end += 1
    return end
  }

  /** Whole entries alone: a stream tells all of one, or nothing. */
  #forgetFirst(): void {
    const end = this.#endOfEntry(this.#first)
    this.#start = this.#zxidOf(this.#first)
    for (; this.#first < end; this.#first += 1) this.#forget(this.#first % this.#limits.changes)
  }

  #forget(place: number): void {
    this.#bytes -= this.#weightAt(place)
    this.#memory.release(this.#blocks[place] as Block<Buffer>)
  }
}

/** Returns how many bytes it takes. */
function putText(bytes: Buffer, offset: number, text: string): number {
  return putAscii(bytes, offset, text) ? text.length : bytes.write(text, offset)
}
