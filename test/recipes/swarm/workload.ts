/**
 * What a workload of recipes needs of the world that it runs in: lives (a member's process from its start to its end), time,
 * and somebody to complain to. What a workload does on a life that ends is never answered, and nobody waits for it.
 */
import { type Client, CoordError } from '../../../lib/index.ts'
import type { Random } from '../../../lib/testing/random.ts'

/** One process, from its start until it is killed. */
export interface Life {
  readonly coord: Client<unknown>
  readonly name: string
  readonly isOver: boolean
  /** A while, in milliseconds, at random. Of a life that is over it never ends. */
  sleep(min: number, max: number): Promise<void>
}

export interface RecipeWorld {
  readonly seed: number
  readonly random: Random
  /** Milliseconds. */
  readonly now: number
  readonly lives: readonly Life[]
  /** A life that works, to look from. */
  readonly observer: Client<unknown>
  /** Aborts when the workloads are to end. */
  readonly ending: AbortSignal
  readonly isEnding: boolean
  /** Whether what this life believes now counts. */
  isAwake(life: Life): boolean
  fail(what: string): void
  /** Lets time pass until a promise settles. */
  until<T>(promise: Promise<T>): Promise<T>
  /** Lets time pass until a condition holds. */
  eventually(what: string, holds: () => Promise<boolean>, limitMs?: number): Promise<void>
}

/** Something that runs on every life, and what must hold in the end. */
export interface Workload {
  /** Runs on one life until the world is ending; what it gives up with is a CoordError or an abort. */
  run(life: Life): Promise<void>
  /** Everything has healed, no fault comes any more, and `run` goes on everywhere: wait for what must come. */
  settle?(): Promise<void>
  /** All of `run` has ended. */
  check(): Promise<void>
}

export type WorkloadFactory = (world: RecipeWorld) => Workload

/** What happens to whoever uses recipes while there are faults. */
export function isExpected(error: unknown): boolean {
  return error instanceof CoordError || (error instanceof Error && error.name === 'AbortError')
}

/** Does it, whatever comes of it; resolves with whether it succeeded. */
export async function tolerate(promise: Promise<unknown>): Promise<boolean> {
  try {
    await promise
    return true
  } catch (error) {
    if (!isExpected(error)) throw error
    return false
  }
}

/** Tries until it succeeds; rejects when the world is ending. */
export async function again<T>(world: RecipeWorld, life: Life, open: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (!isExpected(error) || world.isEnding) throw error
      await life.sleep(100, 500)
    }
  }
}
