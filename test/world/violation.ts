/** What a check throws: which promise was broken, and around which moment of the history. */
export class Violation extends Error {
  /** The check's id: `G3`. */
  readonly check: string
  /** The order of the event that shows it, for the timeline; undefined where it concerns the whole run. */
  readonly order: number | undefined

  constructor(check: string, message: string, order?: number) {
    super(`${check}: ${message}`)
    this.check = check
    this.order = order
  }
}
