/**
 * A line in front of something that one process at a time may look at: ephemeral-sequential nodes, each of which watches
 * the one before it alone. Being first is no lock: it only keeps all others from being woken.
 */
import type { CoordError } from '../errors.ts'
import {
  below,
  createIn,
  deleteOwn,
  type HostSession,
  hasCode,
  isOutage,
  isOver,
  lookUntil,
  openSession,
  pause,
  type RecipeHost,
  throwIfAborted,
} from './host.ts'

/** How one stands in a line. */
export interface Manner {
  /** Between the unique part of a node's name and its number. */
  readonly suffix: string
  readonly data?: Uint8Array | undefined
  /** Whether who stands before, under this name, must go first. */
  waitsFor(name: string): boolean
}

const plain: Manner = { suffix: '-', waitsFor: () => true }

/** A place at the head of a line. */
export interface Place {
  /** The place stands as long as this session. */
  readonly session: HostSession
  readonly path: string
  /** Its czxid: a write that names it with `ifHeld` happens only while it stands. */
  readonly token: bigint
  /** The next one is first. Never rejects. */
  readonly leave: () => Promise<void>
}

/** Resolves with a place when it is at the head of the line. A place whose session ends is lost, and another one is taken. */
export async function standInLine(
  host: RecipeHost,
  line: string,
  signal?: AbortSignal,
  manner: Manner = plain,
): Promise<Place> {
  for (;;) {
    const session = openSession(host)
    const taken = await takePlace(host, session, line, signal, manner)
    if (taken === undefined) continue
    const { path, token } = taken
    try {
      const isFirst = await lookUntil<boolean>(
        host,
        async (current, watch) => (current === session ? look(session, line, path, watch, signal, manner) : false),
        signal,
      )
      if (isFirst) return { session, path, token, leave: () => deleteOwn(host, session, path) }
    } catch (error) {
      void deleteOwn(host, session, path)
      throw error
    }
  }
}

/** A place, if it is at the head of the line at once; else undefined, and nothing is left behind. */
export async function tryLine(
  host: RecipeHost,
  line: string,
  signal: AbortSignal | undefined,
  manner: Manner = plain,
): Promise<Place | undefined> {
  const session = openSession(host)
  const taken = await takePlace(host, session, line, signal, manner)
  if (taken === undefined) return undefined
  const { path, token } = taken
  const leave = (): Promise<void> => deleteOwn(host, session, path)
  try {
    if ((await look(session, line, path, undefined, signal, manner)) === true) return { session, path, token, leave }
  } catch (error) {
    void leave()
    throw error
  }
  await leave()
  return undefined
}

/** How many stand in the line, as far as this process knows. */
export async function lineLength(session: HostSession, line: string, signal?: AbortSignal): Promise<number> {
  const stat = await session.exists(line, { signal })
  return stat?.numChildren ?? 0
}

/** Resolves with the new node, or with undefined where its session has ended. */
async function takePlace(
  host: RecipeHost,
  session: HostSession,
  line: string,
  signal: AbortSignal | undefined,
  { suffix, data }: Manner,
): Promise<{ readonly path: string; readonly token: bigint } | undefined> {
  throwIfAborted(signal)
  const id = host.uniqueName()
  try {
    const { path, stat } = await createIn(session, line, id + suffix, data, { mode: 'ephemeral-sequential', signal })
    return { path, token: stat.czxid }
  } catch (error) {
    // It may stand all the same, or come later: nobody would know, and those behind it would wait for ever.
    void deleteByPrefix(host, session, line, id)
    if (signal?.aborted === true || !isOutage(error) || isOver(host)) throw error
    if (session === host.session) await pause(host, 50, signal)
    return undefined
  }
}

/** True: first. False: our node is gone. Undefined: somebody is before us. */
async function look(
  session: HostSession,
  line: string,
  path: string,
  watch: (() => void) | undefined,
  signal: AbortSignal | undefined,
  manner: Manner,
): Promise<boolean | undefined> {
  for (;;) {
    const { children } = await session.getChildren(line, { signal })
    const own = path.slice(path.lastIndexOf('/') + 1)
    if (!children.includes(own)) return false
    const before = nearestBefore(children, own, manner)
    if (before === undefined) return true
    if (watch === undefined) return undefined
    if ((await session.exists(below(line, before), { watch, signal })) !== undefined) return undefined
  }
}

/** Of those before `own` that must go first, the last. One pass: this is done at every hand-off, and a line may be long. */
function nearestBefore(names: readonly string[], own: string, manner: Manner): string | undefined {
  const ownSequence = sequenceOf(own) ?? ''
  let nearest: string | undefined
  let nearestSequence = ''
  for (const name of names) {
    const sequence = sequenceOf(name)
    if (sequence === undefined || compareSequences(sequence, ownSequence) >= 0) continue
    if (compareSequences(sequence, nearestSequence) < 0 || !manner.waitsFor(name)) continue
    nearest = name
    nearestSequence = sequence
  }
  return nearest
}

/** Deletes a sequential node of our own that was asked for and may or may not have come. Never rejects. */
export async function deleteByPrefix(host: RecipeHost, session: HostSession, line: string, id: string): Promise<void> {
  while (session.state !== 'lost' && session.state !== 'closed') {
    try {
      await afterEarlierWrites(session)
      const { children } = await session.getChildren(line)
      for (const name of children) if (name.startsWith(id)) await deleteOwn(host, session, below(line, name))
      return
    } catch (error) {
      if (!isOutage(error)) return
      await pause(host, 100)
    }
  }
}

/**
 * Resolves when every earlier write of the session has happened or never will, also one that was given up: the writes of a
 * session are applied in order, and this one changes nothing.
 */
export async function afterEarlierWrites(session: HostSession): Promise<void> {
  await session.multi([{ type: 'check', path: '/' }])
}

const sequenceDigitsMin = 10

/** What a sequential create has put behind the name; undefined: somebody else's node. */
export function sequenceOf(name: string): string | undefined {
  let start = name.length
  while (start > 0 && isDigit(name.charCodeAt(start - 1))) start -= 1
  return name.length - start < sequenceDigitsMin ? undefined : name.slice(start)
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** Past ten digits it is simply longer. */
function compareSequences(left: string, right: string): number {
  return left.length - right.length || (left < right ? -1 : left > right ? 1 : 0)
}

/** The sequential nodes among these, by their number, or by `compare` and then by their number. */
export function inSequence(
  names: readonly string[],
  compare: (one: string, other: string) => number = equal,
): string[] {
  const numbered: { readonly name: string; readonly sequence: string }[] = []
  for (const name of names) {
    const sequence = sequenceOf(name)
    if (sequence !== undefined) numbered.push({ name, sequence })
  }
  numbered.sort((one, other) => compare(one.name, other.name) || compareSequences(one.sequence, other.sequence))
  return numbered.map(({ name }) => name)
}

const equal = (): number => 0

/** Whether somebody was faster: look again. */
export function isConflict(error: unknown): error is CoordError {
  return hasCode(error, 'COORD_NODE_EXISTS', 'COORD_NO_NODE', 'COORD_BAD_VERSION', 'COORD_LOCK_LOST', 'COORD_NOT_EMPTY')
}
