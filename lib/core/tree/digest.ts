/**
 * A deterministic digest of plain values, to compare states: two 32-bit lanes in the manner of FNV-1a. It finds
 * divergence, it does not resist an adversary.
 *
 * Every value is preceded by its type and, where that has one, its length, so that no two lists of values run
 * together. The order of an object's keys does not count, and a key without a value is as good as none: a value that
 * was encoded and decoded has the digest that it had.
 */

export function digestOf(values: Iterable<unknown>): string {
  const digest = new Digest()
  for (const value of values) digest.add(value)
  return digest.toString()
}

class Digest {
  #left = 0x811c9dc5
  #right = 0xcbf29ce4

  add(value: unknown): void {
    if (value instanceof Uint8Array) this.#addBytes(value)
    else if (Array.isArray(value)) this.#addList(value)
    else if (typeof value === 'object' && value !== null) this.#addObject(value)
    else this.#addText(`${typeof value}:${String(value)}`)
  }

  #addBytes(bytes: Uint8Array): void {
    this.#addText(`bytes:${bytes.length}`)
    for (const byte of bytes) this.#mix(byte)
  }

  #addList(list: readonly unknown[]): void {
    this.#addText(`list:${list.length}`)
    for (const item of list) this.add(item)
  }

  #addObject(object: object): void {
    const entries = Object.entries(object).filter(([, value]) => value !== undefined)
    this.#addText(`object:${entries.length}`)
    for (const [key, value] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
      this.#addText(key)
      this.add(value)
    }
  }

  #addText(text: string): void {
    this.#mix(text.length)
    for (let index = 0; index < text.length; index += 1) this.#mix(text.charCodeAt(index))
  }

  #mix(unit: number): void {
    this.#left = Math.imul(this.#left ^ unit, 0x01000193)
    this.#right = rotate(Math.imul(this.#right ^ unit, 0x85ebca6b))
  }

  toString(): string {
    return hex(avalanche(this.#left)) + hex(avalanche(this.#right))
  }
}

/** Unlike FNV-1a proper: with rotations, the low bits of the two lanes have little in common. */
function rotate(lane: number): number {
  return (lane << 13) | (lane >>> 19)
}

/** Lets every bit of a lane reach every bit of the result (the finalizer of MurmurHash3). */
function avalanche(lane: number): number {
  const once = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b)
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35)
  return twice ^ (twice >>> 16)
}

function hex(lane: number): string {
  return (lane >>> 0).toString(16).padStart(8, '0')
}
