/**
 * Which entry of the log each write became. A session's entries must be its writes in the order in which it made them:
 * what was answered is there, what was refused unsent is not, and of what is unknown some may be. Nothing is known of the
 * numbers by which the library matches them, so all ways are tried.
 */
import type { Call, Entry, History, Stream } from './history.ts'
import { textOf } from './model/text.ts'
import type { Replayed } from './replay.ts'
import { Violation } from './violation.ts'

export interface Attribution {
  readonly entryOf: ReadonlyMap<number, Replayed>
}

/** Errors that say: it certainly did not happen, and was not even evaluated. */
const unsent = new Set([
  'COORD_NO_QUORUM',
  'COORD_THROTTLED',
  'COORD_CLOSED',
  'COORD_SESSION_EXPIRED',
  'COORD_SESSION_MOVED',
])

type Certainty = 'applied' | 'unknown' | 'unsent'

/** What the answer to a write says about its entry. */
export function certaintyOf({ reply, isCancelled }: Call): Certainty {
  if (reply === undefined || isCancelled || reply.result.type !== 'error')
    return reply === undefined || isCancelled ? 'unknown' : 'applied'
  if (reply.result.code === 'COORD_CONNECTION_LOSS') return 'unknown'
  return unsent.has(reply.result.code) ? 'unsent' : 'applied'
}

interface Write {
  readonly call: Call
  readonly text: string
  readonly certainty: Certainty
}

export function attribute(history: History, log: readonly Replayed[]): Attribution {
  const entryOf = new Map<number, Replayed>()
  const writesOf = writesByStream(history)
  const entriesOf = entriesBySession(log)
  for (const [session, streams] of streamsBySession(history)) {
    const generations = entriesOf.get(session) ?? []
    const attachments = streams.map(({ id }) => writesOf.get(id) ?? [])
    const pairs = matchAll(generations, attachments)
    if (pairs === undefined) throw whyNot(session, generations, attachments)
    for (const [call, replayed] of pairs) entryOf.set(call.id, replayed)
  }
  return { entryOf }
}

/** Each generation's entries to the writes of one attachment, in order; an attachment may have no entry at all. */
function matchAll(
  generations: readonly (readonly Replayed[])[],
  [writes, ...later]: readonly (readonly Write[])[],
): [Call, Replayed][] | undefined {
  if (writes === undefined) return generations.length === 0 ? [] : undefined
  for (const own of generations.length === 0 ? [0] : [1, 0]) {
    const pairs = match(generations.slice(0, own).flat(), writes)
    const others = pairs === undefined ? undefined : matchAll(generations.slice(own), later)
    if (pairs !== undefined && others !== undefined) return [...pairs, ...others]
  }
  return undefined
}

/** The first thing that does not fit. */
function whyNot(
  session: bigint,
  generations: readonly (readonly Replayed[])[],
  attachments: readonly (readonly Write[])[],
): Violation {
  let next = 0
  for (const writes of attachments) {
    if (match(generations[next] ?? [], writes) !== undefined) next += 1
    else if (match([], writes) === undefined) return mismatch(session, writes, generations[next] ?? [])
  }
  return orphan(generations[next]?.[0]?.entry as Entry)
}

function writesByStream({ calls }: History): Map<number, Write[]> {
  const byStream = new Map<number, Write[]>()
  for (const call of calls) {
    if (call.request.kind !== 'write') continue
    const write = { call, text: textOf(call.request.operation), certainty: certaintyOf(call) }
    append(byStream, call.stream, write)
  }
  return byStream
}

function streamsBySession({ streams }: History): Map<bigint, Stream[]> {
  const bySession = new Map<bigint, Stream[]>()
  for (const stream of streams) append(bySession, stream.session, stream)
  return bySession
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

/** Of each session, the writes that were evaluated, one list for each time that it was attached. */
function entriesBySession(log: readonly Replayed[]): Map<bigint, Replayed[][]> {
  const bySession = new Map<bigint, Map<number, Replayed[]>>()
  for (const replayed of log) {
    const { request } = replayed.entry
    if (request.type !== 'write' || !replayed.effect.isEvaluated) continue
    const byGeneration = bySession.get(request.session) ?? new Map<number, Replayed[]>()
    bySession.set(request.session, byGeneration)
    append(byGeneration, request.generation, replayed)
  }
  return new Map([...bySession].map(([session, byGeneration]) => [session, [...byGeneration.values()]]))
}

/** All of the entries, in order, each to a write that may have become it; `undefined` where there is no way. */
function match(entries: readonly Replayed[], writes: readonly Write[]): [Call, Replayed][] | undefined {
  // For each number of writes that may have been passed: the way there.
  let ways = new Map<number, Way | undefined>([[0, undefined]])
  for (const replayed of entries) {
    const { request } = replayed.entry
    const text = request.type === 'write' ? textOf(request.operation) : ''
    const longer = new Map<number, Way | undefined>()
    for (const [passed, way] of ways) {
      for (let index = passed; index < writes.length; index += 1) {
        const write = writes[index] as Write
        if (write.text === text && write.certainty !== 'unsent' && !longer.has(index + 1))
          longer.set(index + 1, { call: write.call, replayed, before: way })
        if (write.certainty === 'applied') break
      }
    }
    ways = longer
  }
  for (const [passed, way] of ways) {
    if (writes.slice(passed).every(({ certainty }) => certainty !== 'applied')) return unwound(way)
  }
  return undefined
}

interface Way {
  readonly call: Call
  readonly replayed: Replayed
  readonly before: Way | undefined
}

function unwound(way: Way | undefined): [Call, Replayed][] {
  const pairs: [Call, Replayed][] = []
  for (let at = way; at !== undefined; at = at.before) pairs.push([at.call, at.replayed])
  return pairs.reverse()
}

function mismatch(session: bigint, writes: readonly Write[], entries: readonly Replayed[]): Violation {
  const logged = new Set(entries.map(({ entry: { request } }) => request.type === 'write' && textOf(request.operation)))
  const lost = writes.find(({ certainty, text }) => certainty === 'applied' && !logged.has(text))
  if (lost !== undefined)
    return new Violation('G11', `an acknowledged write is not in the log: ${lost.text}`, lost.call.reply?.order)
  const texts = new Set(writes.map(({ text }) => text))
  const foreign = entries.find(
    ({ entry: { request } }) => request.type === 'write' && !texts.has(textOf(request.operation)),
  )
  if (foreign !== undefined) return orphan(foreign.entry)
  const last = writes.findLast(({ certainty }) => certainty === 'applied')
  const shown = `${writes.map(({ text, certainty }) => `${certainty} ${text}`).join('\n')}\nlogged:\n${[...logged].join('\n')}`
  return new Violation(
    'G2',
    `the entries of session ${session} are not its writes in their order\n${shown}`,
    last?.call.order,
  )
}

function orphan(entry: Entry): Violation {
  return new Violation('G1', `an entry that no application wrote: ${textOf(entry.request)}`, entry.order)
}
