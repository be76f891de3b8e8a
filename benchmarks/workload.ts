/** What a workload is given, and what it gives. */
import type { ContenderKind } from './contenders/contender.ts'
import type { Fleets } from './fleets.ts'

export interface Settings {
  /** Of a window. */
  readonly seconds: number
  readonly windows: number
  /** How often something is tried that has no windows: a fail-over, a start. */
  readonly runs: number
  /** All are warmed up for so long, the first time: a JVM needs it, and so does V8. */
  readonly warmUpSeconds: number
  /** How many znodes the large trees have. */
  readonly znodes: number
  /** Whether figures need to mean anything: if not, everything is small. */
  readonly smoke: boolean
  /** Those that are installed and were asked for. */
  readonly peers: readonly ContenderKind[]
  readonly fleets: Fleets
  /** Shown while it runs. */
  readonly progress: (text: string) => void
}

/** One line of a table: each figure with one value per window or run. Its unit is in its name. */
export interface Row {
  /** What was done: rows of the same setting are compared. */
  readonly setting: string
  readonly contender: string
  readonly figures: Readonly<Record<string, readonly number[]>>
}

export interface Workload {
  /** One sentence. */
  readonly what: string
  readonly run: (settings: Settings) => Promise<readonly Row[]>
  /** A chart of its rows, if they make a curve: the numbers in their settings against this figure. */
  readonly chart?: Chart
}

export interface Chart {
  readonly title: string
  /** Of the axis below; its values are the first number in each setting. */
  readonly x: string
  readonly figure: string
  readonly logarithmic?: boolean
}

export const hasPeer = ({ peers }: Settings, name: string): boolean => peers.some((peer) => peer.name === name)
