/**
 * What a mutant is: a deliberate bug, as a small change of the sources. It is applied to a copy of them in a temporary
 * folder and never shipped. A change that no longer fits the sources is an error, not a mutant that nobody catches.
 */
import type { FaultKind } from '../world/plan.ts'

export interface Edit {
  /** From the root of the project. */
  readonly file: string
  /** Occurs in the file exactly once. */
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly id: string
  /** The bug, in words. */
  readonly title: string
  readonly edits: readonly Edit[]
  /** Seeds do not show it, for the protocol's other rules make up for it, or it takes what is too rare: an exhibit does. */
  readonly isForMuseum?: boolean
  /** Where its seeds run: the simulation of the core (the default), the lifetimes of ensembles, or the whole library's world. */
  readonly in?: 'lifetimes' | 'world'
  /** The situation that its seeds vary (test/world/scenarios.ts, test/sim/situations.ts), in place of all that seeds draw. */
  readonly scenario?: string
  /** In the world: nothing else can show it than this kind of fault, so plans without one need not be run. */
  readonly needs?: FaultKind
  /** How many seeds it may take at most to catch it; 1,000 by default. */
  readonly seedsMax?: number
}

/** The sources, changed. Throws where an edit does not fit. */
export function applyEdit(id: string, { file, find, replace }: Edit, text: string): string {
  const first = text.indexOf(find)
  if (first === -1) throw new Error(`${id} no longer fits ${file}: it has no\n${find}`)
  if (text.includes(find, first + 1)) throw new Error(`${id} does not fit ${file}: it has more than one\n${find}`)
  return text.slice(0, first) + replace + text.slice(first + find.length)
}
