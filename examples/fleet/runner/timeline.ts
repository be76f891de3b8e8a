/** What happened when, in aligned lines. */
export class Timeline {
  readonly #beginning = performance.now()

  /** Seconds since the beginning. */
  get now(): number {
    return (performance.now() - this.#beginning) / 1000
  }

  /** What was observed, in a word and in a sentence; further lines are indented below it. */
  add(word: string, ...lines: readonly string[]): void {
    const [first = '', ...others] = lines
    console.log(`${this.now.toFixed(2).padStart(6)} s  ${word.padEnd(9)}  ${first}`)
    for (const line of others) console.log(`${' '.repeat(21)}${line}`)
  }
}
