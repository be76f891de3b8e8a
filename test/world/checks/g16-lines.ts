/**
 * G16, for lines: who waits is woken by the end of the one directly before it, and by nothing else: one that gives up its
 * place wakes one, however many wait.
 */
import { lineOf } from '../lines.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

interface Place {
  readonly path: string
  readonly session: bigint
}

export function lines(replay: Replay): void {
  const { history, streams } = replay
  const neighbours = neighboursIn(replay)
  const calls = new Map(history.calls.map((call) => [call.id, call]))
  // Whoever follows everything that happens there stands in no line.
  const following = history.persistents.map(({ call }) => streams.get(calls.get(call)?.stream ?? -1)?.life)
  for (const { stream, event, order } of history.wakenings) {
    const life = streams.get(stream)?.life ?? ''
    if (following.includes(life)) continue
    const isPlace = lineOf(event.path) !== undefined
    if (event.type === 'deleted' && (!isPlace || neighbours.has(keyOf(life, event.path)))) continue
    throw new Violation(
      'G16',
      `${event.type} ${event.path} woke ${life}, where nobody stands directly behind it`,
      order,
    )
  }
}

/** By process: what a session listened to, the one that takes its place goes on with. */
const keyOf = (life: string, path: string): string => `${life} ${path}`

/** Who ever stood directly behind whom. */
function neighboursIn({ log, history }: Replay): Set<string> {
  const livesOf = new Map<bigint, Set<string>>()
  for (const { session, life } of history.streams) livesOf.set(session, (livesOf.get(session) ?? new Set()).add(life))
  const found = new Set<string>()
  const lines = new Map<string, Place[]>()
  for (const { entry, effect } of log) {
    const { request } = entry
    for (const { type, path } of effect.changes) {
      const line = lineOf(path)
      if (line === undefined || type === 'changed') continue
      const places = lines.get(line) ?? []
      lines.set(line, places)
      if (type === 'created') places.push({ path, session: 'session' in request ? request.session : 0n })
      const at = places.findIndex((place) => place.path === path)
      if (type === 'deleted') places.splice(at, 1)
      const [before, behind] = [places[at - 1], places[at]]
      if (before === undefined || behind === undefined) continue
      for (const life of livesOf.get(behind.session) ?? []) found.add(keyOf(life, before.path))
    }
  }
  return found
}
