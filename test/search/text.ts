/**
 * Canonical texts of values: two values of one text cannot be told apart by the core. And numbers for texts, so that a
 * state of the search is a short list of numbers.
 */

/** Texts of values that never change: what is sent, logged or configured. */
const known = new WeakMap<object, string>()

/** For values made of what the core's messages and roles are made of. Functions and `undefined` fields are left out. */
export function textOf(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  if (value instanceof Uint8Array) return `<${value.join()}>`
  if (value instanceof Map) return `{${[...value].map(([key, inner]) => `${textOf(key)}:${textOf(inner)}`).join()}}`
  if (value instanceof Set) return `{${[...value].map(textOf).join()}}`
  if (Array.isArray(value)) return `[${value.map(textOf).join()}]`
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined && typeof inner !== 'function')
  return `{${fields.map(([key, inner]) => `${key}:${textOf(inner)}`).join()}}`
}

/** The same, remembered: only for values that nobody changes. */
export function textOfConstant(value: object | undefined): string {
  if (value === undefined) return ''
  let text = known.get(value)
  if (text === undefined) {
    text = textOf(value)
    known.set(value, text)
  }
  return text
}

/** One value for all of the same text, with a number. */
export class Pool<T> {
  readonly #numbers = new Map<string, number>()
  readonly #values: T[] = []

  get size(): number {
    return this.#values.length
  }

  /** The number of a text. `make` is asked for its value the first time. */
  number(text: string, make: () => T): number {
    let number = this.#numbers.get(text)
    if (number === undefined) {
      number = this.#values.length
      this.#numbers.set(text, number)
      this.#values.push(make())
    }
    return number
  }

  at(number: number): T {
    return this.#values[number] as T
  }
}
