/**
 * Things under consecutive numbers, most of which go in the order in which they came: calls under way. Not in a map: where
 * thousands come and go in a moment, V8 makes a map's table anew again and again, each old one refers to the next, and what
 * was in them is kept until the next full collection. (Half of what a busy member allocated outlived a scavenge by that.)
 */
import { assert } from './errors.ts'

/** So many places before the first one are worth moving the others for. */
const emptyMax = 1024

export class Numbered<T> {
  #places: (T | undefined)[] = []
  /** The number of the first place. */
  #base = 0
  /** Before this place there is nothing. */
  #head = 0

  get isEmpty(): boolean {
    return this.#head === this.#places.length
  }

  /** A number higher than all before it; those between are of nothing. */
  add(number: number, thing: T): void {
    if (this.isEmpty) {
      this.#places.length = 0
      this.#head = 0
      this.#base = number
    }
    assert(number >= this.#base + this.#places.length, 'numbered out of order')
    while (this.#base + this.#places.length < number) this.#places.push(undefined)
    this.#places.push(thing)
  }

  get(number: number): T | undefined {
    return this.#places[number - this.#base]
  }

  /** Takes it out. */
  take(number: number): T | undefined {
    const thing = this.get(number)
    if (thing === undefined) return undefined
    this.#places[number - this.#base] = undefined
    while (this.#head < this.#places.length && this.#places[this.#head] === undefined) this.#head += 1
    if (this.#head >= emptyMax && this.#head * 2 >= this.#places.length) this.#moveUp()
    return thing
  }

  /** Those that are there, in order. */
  values(): T[] {
    return this.#places.filter((thing) => thing !== undefined)
  }

  #moveUp(): void {
    this.#places = this.#places.slice(this.#head)
    this.#base += this.#head
    this.#head = 0
  }
}
