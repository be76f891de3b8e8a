/**
 * Groups: who is there. A member is an ephemeral node below the group's path; whoever watches the group has a local copy of
 * the list, always that of one moment, and hears who joined and who left.
 */
import { EventEmitter } from 'node:events'
import { emitSafely } from '../api/emit.ts'
import { withJson } from '../api/results.ts'
import { decodeValue, encodeValue } from '../api/values.ts'
import { CoordError } from '../errors.ts'
import { absolutePath, below, type HandleOptions, nodeName, type RecipeHost } from './host.ts'
import { Mirror, type MirrorChange, type MirrorNode } from './mirror.ts'
import { Presence } from './presence.ts'

/** One member of a group. */
export interface GroupMember<V> {
  /** Unique: another one for each `join`. */
  readonly id: string
  /** What it said its name was. Two members may have the same, for example while a predecessor's session has not expired. */
  readonly name: string | undefined
  /** What it joined with or last said by `update`; undefined also where that does not decode. */
  readonly data: V | undefined
  /** Since when: its node's czxid. Another one after each loss of its session. */
  readonly joinedZxid: bigint
}

export interface GroupEvents<V> {
  joined: [member: GroupMember<V>, zxid: bigint]
  left: [member: GroupMember<V>, zxid: bigint]
  updated: [member: GroupMember<V>, previous: GroupMember<V>, zxid: bigint]
}

export interface JoinGroupOptions extends HandleOptions {
  /** A label for others to see. Any text without a slash or a tilde. */
  readonly name?: string | undefined
}

/** What everybody may do with a group. Joining and watching are independent of each other for different handles. */
export interface Group<V> {
  /** Becomes a member until the membership is closed; resolves once the group has it, with a view of all. */
  join(data?: V, options?: JoinGroupOptions): Promise<GroupMembership<V>>
  /** A view without being a member. */
  watch(options?: HandleOptions): Promise<GroupView<V>>
}

export function group<V>(host: RecipeHost<V>, path: string): Group<V> {
  const absolute = absolutePath(host, path)
  return {
    watch: (options = {}) => GroupView.open(new GroupView(host, absolute), options),
    async join(data, options = {}) {
      const membership = new GroupMembership(host, absolute, options.name, encodeValue(host.codec, data))
      return GroupView.open(membership, options)
    },
  }
}

/** A local copy of the list of members. */
export class GroupView<V> extends EventEmitter<GroupEvents<V>> implements AsyncDisposable {
  protected readonly host: RecipeHost<V>
  protected readonly path: string
  readonly #mirror: Mirror
  readonly #disown: () => void
  #members = new Map<string, GroupMember<V>>()
  #closing: Promise<void> | undefined

  constructor(host: RecipeHost<V>, path: string) {
    super()
    this.host = host
    this.path = path
    this.#mirror = new Mirror(host, { path, depth: 1, onChange: (changes) => this.#onChange(changes) })
    this.#disown = host.own(this)
  }

  /** @internal */
  static async open<V, T extends GroupView<V>>(view: T, { signal }: HandleOptions): Promise<T> {
    try {
      await view.start(signal)
      return view
    } catch (error) {
      void view.close()
      throw error
    }
  }

  /** In the order in which they joined. As of `zxid`: all of them were there at once, and nobody else was. */
  get members(): readonly GroupMember<V>[] {
    return [...this.#members.values()].sort((one, other) => (one.joinedZxid < other.joinedZxid ? -1 : 1))
  }

  get size(): number {
    return this.#members.size
  }

  /** The zxid that the view is of. Another view of a zxid at least as great has everything that this one has. */
  get zxid(): bigint {
    return this.#mirror.zxid
  }

  /** Whether the view may be old, because no quorum serves this process. */
  get stale(): boolean {
    return this.host.state !== 'connected'
  }

  /** Stops watching. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.closeOnce()
    return this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  protected get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /** @internal */
  async start(signal: AbortSignal | undefined): Promise<void> {
    await this.#mirror.start(signal)
  }

  protected async closeOnce(): Promise<void> {
    this.#mirror.close()
    this.#disown()
  }

  #onChange(changes: readonly MirrorChange[]): void {
    const before = this.#members
    const members = new Map(before)
    for (const { path, after } of changes) {
      if (path === this.path) continue
      if (after === undefined) members.delete(path)
      else members.set(path, this.#memberOf(path, after))
    }
    // The whole list first: whoever hears of one change finds all of them in `members`.
    this.#members = members
    for (const { path } of changes) this.#emit(before.get(path), members.get(path))
  }

  #emit(previous: GroupMember<V> | undefined, member: GroupMember<V> | undefined): void {
    if (previous !== undefined && previous.joinedZxid === member?.joinedZxid) {
      emitSafely(this, 'updated', member, previous, this.zxid)
      return
    }
    if (previous !== undefined) emitSafely(this, 'left', previous, this.zxid)
    if (member !== undefined) emitSafely(this, 'joined', member, this.zxid)
  }

  #memberOf(path: string, { data, stat }: MirrorNode): GroupMember<V> {
    const node = path.slice(path.lastIndexOf('/') + 1)
    const tilde = node.indexOf('~')
    let value: V | undefined
    try {
      value = decodeValue(this.host.codec, data, path)
    } catch {
      // Somebody with another encoding: a member all the same.
    }
    return withJson({
      id: node.slice(tilde + 1),
      name: tilde === -1 ? undefined : node.slice(0, tilde),
      data: value,
      joinedZxid: stat.czxid,
    })
  }
}

/** A membership, and the view that comes with it. Closing it leaves the group. */
export class GroupMembership<V> extends GroupView<V> {
  /** Of this membership, as others see it. */
  readonly id: string
  readonly #presence: Presence

  constructor(host: RecipeHost<V>, path: string, name: string | undefined, data: Uint8Array | undefined) {
    // Whatever is wrong is found before the client owns this, which it would close.
    const id = host.uniqueName()
    const node = name === undefined ? id : `${nodeName('name', name, '~')}~${id}`
    super(host, path)
    this.id = id
    this.#presence = new Presence(host, { path: below(path, node), data })
  }

  /** Tells the others something new about this member. Resolves once they can see it. */
  async update(data: V | undefined, options: HandleOptions = {}): Promise<void> {
    if (this.isClosed) throw new CoordError('COORD_CLOSED')
    await this.#presence.update(encodeValue(this.host.codec, data), options.signal)
  }

  /** Leaves the group. The same as `close()`. */
  leave(): Promise<void> {
    return this.close()
  }

  /** @internal */
  override async start(signal: AbortSignal | undefined): Promise<void> {
    await this.#presence.start(signal)
    await super.start(signal)
  }

  protected override async closeOnce(): Promise<void> {
    await super.closeOnce()
    await this.#presence.close()
  }
}
