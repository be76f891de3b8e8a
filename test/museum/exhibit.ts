/**
 * Bugs that coordination services have had, each as the situation that showed it, played on our core. An exhibit throws
 * where the old bug happens. `mutants` puts the bug back (test/mutants), as far as a small change of the sources can
 * express it: with any of them, the exhibit must fail.
 */
export interface Exhibit {
  /** Where the bug was reported. */
  readonly origin: string
  /** What must hold. */
  readonly title: string
  readonly mutants: readonly string[]
  play(this: void): void
}
