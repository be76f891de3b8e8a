/**
 * The replicated state at one zxid, read in slices while later entries are applied: what a checkpoint, a snapshot for
 * another member and an export are made of (design D6). Nothing is copied in advance. Whatever is about to change is
 * read out before (`keep`), together with the nodes above it, so that parents come first; the rest is read as it stands.
 *
 * Each node and each session carries the number of the last freeze that it is done with: read out, or born after it. So
 * one state is frozen once at a time; whoever froze it reads it to its end or releases it.
 *
 * The order is that of a snapshot (header, sessions, nodes with parents first), but siblings come as they lie in
 * memory: sorting a million names would stop the world that this must not stop.
 */

import { assert } from '../../errors.ts'
import type { Zxid } from '../zab/zxid.ts'
import type { SnapshotRecord } from './operation.ts'
import { joinPath, segmentEnd } from './path.ts'
import type { Session, SessionRecord } from './sessions.ts'
import { weightOfRecord } from './snapshot.ts'
import type { NodeRecord, Znode } from './znode.ts'

/** What passing by a node costs that is not read out. */
const weightOfVisit = 16

export class FrozenState {
  /** Whether somebody waits for this to be released, to freeze the state for a purpose of its own. */
  isAwaited = false
  readonly #header: Extract<SnapshotRecord, { kind: 'header' }>
  readonly #sessions: FrozenSessions
  readonly #tree: FrozenTree
  readonly #onEnd: () => void
  #phase: 'header' | 'sessions' | 'nodes' | 'done' = 'header'
  #records = 0
  #isWhole = false

  constructor(
    header: Extract<SnapshotRecord, { kind: 'header' }>,
    sessions: FrozenSessions,
    tree: FrozenTree,
    onEnd: () => void,
  ) {
    this.#header = header
    this.#sessions = sessions
    this.#tree = tree
    this.#onEnd = onEnd
  }

  get zxid(): Zxid {
    return this.#header.zxid
  }

  /** How many records were read out. */
  get records(): number {
    return this.#records
  }

  /** How many there are in all. */
  get total(): number {
    return 1 + this.#sessions.total + this.#tree.total
  }

  /** Whether everything was read, or the rest was released. */
  get isDone(): boolean {
    return this.#phase === 'done'
  }

  /** The next records, of about so many bytes in all. Once it is done, there are none. */
  take(weightMax: number): SnapshotRecord[] {
    const records: SnapshotRecord[] = []
    for (let weight = 0; weight < weightMax && this.#phase !== 'done'; ) {
      const record = this.#next()
      if (record !== undefined) records.push(record)
      weight += record === undefined ? weightOfVisit : weightOfRecord(record)
    }
    this.#records += records.length
    assert(!this.#isWhole || this.#records === this.total, 'a frozen state was read with more or less than there was')
    return records
  }

  /** Nothing more will be read. Idempotent. */
  release(): void {
    if (this.#phase === 'done') return
    this.#phase = 'done'
    this.#onEnd()
  }

  /** Nothing where something was passed by that is not of this moment, or was read already. */
  #next(): SnapshotRecord | undefined {
    if (this.#phase === 'header') {
      this.#phase = 'sessions'
      return this.#header
    }
    if (this.#phase === 'sessions') {
      if (!this.#sessions.isDone) return this.#sessions.next()
      this.#phase = 'nodes'
    }
    const record = this.#tree.next()
    if (this.#tree.isDone) {
      this.#isWhole = true
      this.release()
    }
    return record
  }
}

/** The sessions, as far as they are of that moment. Their table says what is about to change or to go, and what is new. */
export class FrozenSessions {
  readonly total: number
  readonly #number: number
  readonly #rest: Iterator<Session, unknown, undefined>
  readonly #read: (session: Session) => SessionRecord
  readonly #kept: SessionRecord[] = []
  #isWalked = false

  constructor(number: number, sessions: ReadonlyMap<unknown, Session>, read: (session: Session) => SessionRecord) {
    this.#number = number
    this.total = sessions.size
    // The iterator of a map sees what is added meanwhile, and not what is gone: both were told.
    this.#rest = sessions.values()
    this.#read = read
  }

  get isDone(): boolean {
    return this.#isWalked && this.#kept.length === 0
  }

  keep(session: Session): void {
    if (session.frozen === this.#number) return
    this.#kept.push(this.#take(session))
  }

  leaveOut(session: Session): void {
    session.frozen = this.#number
  }

  next(): SessionRecord | undefined {
    const kept = this.#kept.pop()
    if (kept !== undefined) return kept
    const { value: session, done } = this.#rest.next()
    if (done === true) this.#isWalked = true
    else if ((session as Session).frozen !== this.#number) return this.#take(session as Session)
    return undefined
  }

  #take(session: Session): SessionRecord {
    session.frozen = this.#number
    return this.#read(session)
  }
}

/** A node whose children are being read. */
interface Level {
  readonly path: string
  readonly children: Iterator<readonly [name: string, child: Znode], unknown, undefined>
}

/** The nodes, as far as they are of that moment. The tree says what is about to change or to go, and what is new. */
export class FrozenTree {
  readonly total: number
  readonly #number: number
  readonly #root: Znode
  readonly #open: Level[]
  #kept: NodeRecord[] = []
  /** How many of `#kept` were handed out. */
  #given = 0

  constructor(number: number, root: Znode, total: number) {
    this.#number = number
    this.#root = root
    this.total = total
    this.#open = [{ path: '', children: new Map([['', root]]).entries() }]
  }

  get isDone(): boolean {
    return this.#open.length === 0 && this.#kept.length === 0
  }

  /** The nodes above it may come after it otherwise. */
  keep(path: string, node: Znode): void {
    if (node.frozen === this.#number) return
    this.#keepOne('/', this.#root)
    let above: Znode | undefined = this.#root
    for (let start = 1; start < path.length && above !== undefined; ) {
      const end = segmentEnd(path, start)
      above = above.child(path.substring(start, end))
      if (above !== undefined) this.#keepOne(path.substring(0, end), above)
      start = end + 1
    }
  }

  leaveOut(node: Znode): void {
    node.frozen = this.#number
  }

  next(): NodeRecord | undefined {
    if (this.#kept.length > 0) return this.#nextKept()
    const level = this.#open.at(-1)
    if (level === undefined) return undefined
    const { value, done } = level.children.next()
    if (done === true) {
      this.#open.pop()
      return undefined
    }
    const [name, node] = value as readonly [string, Znode]
    const path = level.path === '' ? '/' : joinPath(level.path, name)
    // Below one that was kept there may be some that were not.
    if (node.numChildren > 0) this.#open.push({ path, children: node.entries() })
    return node.frozen === this.#number ? undefined : this.#take(path, node)
  }

  #nextKept(): NodeRecord {
    const record = this.#kept[this.#given] as NodeRecord
    this.#given += 1
    if (this.#given === this.#kept.length) {
      this.#kept = []
      this.#given = 0
    }
    return record
  }

  #keepOne(path: string, node: Znode): void {
    if (node.frozen !== this.#number) this.#kept.push(this.#take(path, node))
  }

  #take(path: string, node: Znode): NodeRecord {
    node.frozen = this.#number
    return node.record(path)
  }
}
