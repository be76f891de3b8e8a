/**
 * All links of a member: it dials the addresses where others may be, again and again, and accepts who dials it. Between
 * two members exactly one link is kept:
 * - a dial that reaches ourselves, or somebody to whom a link is up, ends by itself, whoever had dialed that one;
 * - so whoever proves itself although our link to it is up has lost its end of it, and the new one replaces the old;
 * - where both dialed at once, the first that is up stays; if neither side can know which that is, the lower id's.
 *
 * A link that is replaced without need costs a synchronisation. So the lower id dials at once where one is lost, and the
 * higher one a little later.
 */

import type { MemberId, MemberRecord } from '../core/zab/configuration.ts'
import type { Message } from '../core/zab/message.ts'
import type { Clock, Timer } from '../ports/clock.ts'
import type { Entropy } from '../ports/entropy.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../ports/transport.ts'
import { type Introduction, protocolVersion, type Rejection } from '../wire/handshake.ts'
import type { EncodedMessage } from '../wire/messages.ts'
import { newNonce, type Secret, sameBytes } from './handshake.ts'
import { type LinkHandlers, type LinkLimits, PeerLink } from './peer-link.ts'

export interface PeerLinksOptions {
  readonly transport: Transport
  readonly clock: Clock
  readonly entropy: Entropy
  readonly secret: Secret
  /** What this member says of itself in each handshake, as of then. */
  readonly about: () => Pick<Introduction, 'cluster' | 'features'>
  readonly limits: LinkLimits
  readonly dialTimeoutMs: number
  /** Between two dials of one address: at first, and at most. */
  readonly redialMs: { readonly first: number; readonly max: number }
}

export interface PeerLinksHandlers {
  up(peer: Introduction): void
  down(id: MemberId, reason: string): void
  messages(from: MemberId, messages: readonly Message[]): void
}

/** An address and how it goes with it. */
interface Target {
  readonly address: string
  dialing: AbortController | undefined
  timer: Timer | undefined
  delayMs: number
  link: PeerLink | undefined
  /** Who was there last. */
  id: MemberId | undefined
  isSelf: boolean
  lastFailure: string | undefined
  lastRejection: Rejection | undefined
}

export class PeerLinks {
  readonly #options: PeerLinksOptions
  readonly #handlers: PeerLinksHandlers
  #incarnation: Uint8Array
  readonly #byId = new Map<MemberId, PeerLink>()
  /** Links that are greeting, or up. */
  readonly #links = new Set<PeerLink>()
  /** Accepted, and not proved yet; in the order of coming. */
  readonly #strangers = new Set<PeerLink>()
  readonly #targets = new Map<string, Target>()
  readonly #pending = new Set<Promise<void>>()
  #listener: Listener | undefined
  #self: MemberRecord | undefined
  #started = false
  #closed = false
  /** Dials that only ask who is there, each with a signal of its own: there may be many at a time. */
  readonly #asking = new Set<AbortController>()

  constructor(options: PeerLinksOptions, handlers: PeerLinksHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#incarnation = options.entropy.bytes(16)
  }

  /** Begins to listen; the address that others can dial, where the transport has one. */
  async listen(): Promise<string | undefined> {
    this.#listener = await this.#options.transport.listen(
      (connection) => this.#accept(connection),
      this.#transportLimits,
    )
    return this.#listener?.address
  }

  /** A frame of ours may be longer than its limit by one message. */
  get #transportLimits(): TransportLimits {
    const { limits, dialTimeoutMs } = this.#options
    const { frameBytesMax, unprovenBytesMax } = limits
    return { frameBytesMax: frameBytesMax * 2, unprovenBytesMax, dialTimeoutMs }
  }

  /** From here on dials and accepts are answered, in this name. */
  start(self: MemberRecord): void {
    this.#self = self
    this.#started = true
  }

  /** Ends every link, and answers nobody until the next `start`: then it is another life of this process. */
  stop(reason: string): void {
    this.want([])
    this.#started = false
    this.#self = undefined
    this.#incarnation = this.#options.entropy.bytes(16)
    for (const link of [...this.#links]) link.close(reason)
    this.#byId.clear()
  }

  /** The addresses to be linked to. Those no longer wanted are dialed no more; their links stay. */
  want(addresses: readonly string[]): void {
    for (const [address, target] of this.#targets) {
      if (addresses.includes(address)) continue
      target.timer?.cancel()
      target.dialing?.abort()
      this.#targets.delete(address)
    }
    for (const address of addresses) {
      if (this.#targets.has(address) || this.#closed) continue
      const target: Target = {
        address,
        dialing: undefined,
        timer: undefined,
        delayMs: 0,
        link: undefined,
        id: undefined,
        isSelf: false,
        lastFailure: undefined,
        lastRejection: undefined,
      }
      this.#targets.set(address, target)
      this.#dial(target)
    }
  }

  send(to: MemberId, message: EncodedMessage): void {
    this.#byId.get(to)?.send(message)
  }

  /**
   * The end of a turn. Who asked last is written to first: it waits for that, and to write to a socket may give the
   * processor to whoever reads from it.
   */
  flush(asker?: MemberId): void {
    if (asker !== undefined) this.#byId.get(asker)?.flush()
    for (const link of this.#byId.values()) link.flush()
  }

  closeLink(to: MemberId, reason: string): void {
    this.#byId.get(to)?.close(reason)
  }

  /** Which of these addresses is our own, if any: dials each once. Before `start`, when nobody else is answered. */
  async findSelf(addresses: readonly string[], provisional: MemberRecord): Promise<string | undefined> {
    this.#self = provisional
    const answers = await Promise.all(addresses.map((address) => this.#whoIsAt(address)))
    this.#self = undefined
    return addresses.find((_address, index) => answers[index] === 'self')
  }

  /** Dials an address once, to see whether this id still answers there. */
  async probe(id: MemberId, address: string): Promise<boolean> {
    return this.#byId.has(id) || (await this.#whoIsAt(address)) === id
  }

  async #whoIsAt(address: string): Promise<MemberId | 'self' | undefined> {
    if (this.#closed) return undefined
    const asking = new AbortController()
    this.#asking.add(asking)
    let connection: Connection
    try {
      connection = await this.#options.transport.dial(address, this.#transportLimits, asking.signal)
    } catch {
      return undefined
    } finally {
      this.#asking.delete(asking)
    }
    return new Promise((resolve) => {
      let found: MemberId | 'self' | undefined
      this.#greet(connection, true, {
        introduced: (_link, peer) => {
          found = peer.id
          return 'duplicate'
        },
        up: (link) => link.close('only a probe'),
        messages: () => {},
        down: (link, _reason, rejection) => {
          this.#links.delete(link)
          resolve(rejection === 'self' ? 'self' : (found ?? link.peer?.id))
        },
      })
    })
  }

  /** Why each wanted address is not linked: for the error of a join that timed out. */
  failures(): readonly string[] {
    const texts: string[] = []
    for (const { address, lastFailure, link, isSelf, id } of this.#targets.values()) {
      const isLinked = link?.isUp === true || (id !== undefined && this.#byId.has(id))
      if (!isSelf) texts.push(`${address}: ${isLinked ? 'reached' : (lastFailure ?? 'not reached yet')}`)
    }
    return texts
  }

  /** Why the last attempt at this address failed, if it did and nobody is linked there. */
  failureOf(address: string): string | undefined {
    return this.#targets.get(address)?.lastFailure
  }

  /** Whether somebody was reached who does not have our secret, and nobody who has. */
  get isDenied(): boolean {
    return this.#byId.size === 0 && [...this.#targets.values()].some(({ lastRejection }) => lastRejection === 'secret')
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const asking of this.#asking) asking.abort()
    for (const target of this.#targets.values()) {
      target.timer?.cancel()
      target.dialing?.abort()
    }
    this.#targets.clear()
    for (const link of [...this.#links]) link.close('closing')
    await this.#listener?.close()
    await Promise.all(this.#pending)
  }

  #accept(connection: Connection): void {
    if (this.#closed || this.#self === undefined) {
      connection.open({ frame: () => {}, closed: () => {} })
      connection.close('not ready')
      return
    }
    this.#makeRoom(connection.remoteAddress)
    this.#strangers.add(this.#greet(connection, false, this.#linkHandlers(undefined)))
  }

  /**
   * Of too many who have not proved themselves, the first goes: an honest handshake takes milliseconds, so it gets through
   * also where somebody opens connections and says nothing.
   */
  #makeRoom(address: string): void {
    const { unprovenPerAddressMax, unprovenMax } = this.#options.limits
    const ofAddress = [...this.#strangers].filter((link) => link.remoteAddress === address)
    const tooMany =
      ofAddress.length >= unprovenPerAddressMax ? ofAddress : this.#strangers.size >= unprovenMax ? this.#strangers : []
    for (const oldest of tooMany) {
      this.#strangers.delete(oldest)
      oldest.close('too many connections that prove nothing')
      return
    }
  }

  #greet(connection: Connection, dialed: boolean, handlers: LinkHandlers): PeerLink {
    const { clock, secret, limits, entropy, about } = this.#options
    const { id, name, address } = this.#self as MemberRecord
    const introduction: Introduction = {
      version: protocolVersion,
      id,
      name,
      address,
      ...about(),
      incarnation: this.#incarnation,
      nonce: newNonce(entropy),
    }
    const link = new PeerLink(connection, dialed, introduction, secret, limits, clock, handlers)
    this.#links.add(link)
    return link
  }

  #dial(target: Target): void {
    const abort = new AbortController()
    target.dialing = abort
    const dialing = this.#dialOnce(target, abort.signal).finally(() => this.#pending.delete(dialing))
    this.#pending.add(dialing)
  }

  async #dialOnce(target: Target, signal: AbortSignal): Promise<void> {
    try {
      const connection = await this.#options.transport.dial(target.address, this.#transportLimits, signal)
      target.dialing = undefined
      if (this.#closed || this.#self === undefined || this.#targets.get(target.address) !== target) {
        connection.open({ frame: () => {}, closed: () => {} })
        connection.close('not wanted any more')
        return
      }
      target.link = this.#greet(connection, true, this.#linkHandlers(target))
    } catch (error) {
      target.dialing = undefined
      target.lastFailure = error instanceof Error ? error.message : String(error)
      this.#redialLater(target)
    }
  }

  #redialLater(target: Target): void {
    if (this.#closed || target.isSelf || this.#targets.get(target.address) !== target) return
    const { clock, entropy, redialMs } = this.#options
    const delayMs = target.delayMs * (0.75 + entropy.random() / 2)
    target.delayMs = Math.min(redialMs.max, Math.max(redialMs.first, target.delayMs * 2))
    target.timer = clock.setTimer(delayMs, () => {
      target.timer = undefined
      // Somebody who dialed us may be there already: then there is nothing to do but to look again.
      if (target.id !== undefined && this.#byId.has(target.id)) this.#redialLater(target)
      else this.#dial(target)
    })
  }

  #linkHandlers(target: Target | undefined): LinkHandlers {
    return {
      introduced: (link, peer, isProved) => this.#onIntroduced(link, peer, isProved),
      up: (link, peer) => this.#onUp(link, peer, target),
      messages: (link, messages) => {
        if (link.peer !== undefined) this.#handlers.messages(link.peer.id, messages)
      },
      down: (link, reason, rejection) => this.#onDown(link, reason, rejection, target),
    }
  }

  #onIntroduced(link: PeerLink, peer: Introduction, isProved: boolean): Rejection | undefined {
    if (sameBytes(peer.incarnation, this.#incarnation)) return 'self'
    if (this.#closed || !this.#started) return 'closing'
    const existing = this.#byId.get(peer.id)
    if (existing === undefined || existing === link) return undefined
    const isAnotherLife = existing.peer !== undefined && !sameBytes(existing.peer.incarnation, peer.incarnation)
    if (isAnotherLife) return undefined
    // Our own dial came too late, or was not needed.
    if (link.dialed) return 'duplicate'
    // Both dialed. Until something was heard over ours, the proof that brings it up at the other end is under way.
    const isOurs = this.#isLower(peer.id) || (!isProved && !existing.hasHeard)
    return existing.dialed && isOurs ? 'duplicate' : undefined
  }

  #isLower(than: MemberId): boolean {
    return (this.#self?.id ?? '') < than
  }

  #onUp(link: PeerLink, peer: Introduction, target: Target | undefined): void {
    this.#strangers.delete(link)
    const existing = this.#byId.get(peer.id)
    if (existing !== undefined && existing !== link) {
      this.#byId.delete(peer.id)
      existing.close('replaced by a newer link')
      this.#handlers.down(peer.id, 'replaced by a newer link')
    }
    this.#byId.set(peer.id, link)
    if (target !== undefined) {
      target.id = peer.id
      target.delayMs = 0
      target.lastFailure = undefined
      target.lastRejection = undefined
    }
    this.#handlers.up(peer)
  }

  #onDown(link: PeerLink, reason: string, rejection: Rejection | undefined, target: Target | undefined): void {
    this.#links.delete(link)
    this.#strangers.delete(link)
    const id = link.peer?.id
    const wasUp = id !== undefined && this.#byId.get(id) === link
    if (wasUp) {
      this.#byId.delete(id)
      this.#handlers.down(id, reason)
      this.#hurry(id)
    }
    if (target === undefined) return
    if (target.link === link) target.link = undefined
    if (id !== undefined) target.id = id
    if (wasUp) target.delayMs = this.#firstDelayMs(target)
    target.lastFailure = reason
    target.lastRejection = rejection
    if (rejection === 'self') target.isSelf = true
    else this.#redialLater(target)
  }

  /** A link was lost: dial its address soon, whoever had dialed. */
  #hurry(id: MemberId): void {
    for (const target of this.#targets.values()) {
      if (target.id !== id || target.timer === undefined) continue
      target.timer.cancel()
      target.timer = undefined
      target.delayMs = this.#firstDelayMs(target)
      this.#redialLater(target)
    }
  }

  /** After the loss of a link: not both at once. */
  #firstDelayMs({ id }: Target): number {
    return id === undefined || this.#isLower(id) ? 0 : this.#options.redialMs.first
  }
}
