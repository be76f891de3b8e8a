/**
 * The virtual network: at most one link between two processes, FIFO in both directions, with a delay of its own for each
 * message. A link that is reset loses what is on its way (or delivers some of it first, as a dying TCP connection may),
 * and both ends learn of it, not at once. A blocked direction holds its messages; if it stays blocked, the link times out.
 */
import type { MemberId } from '../../lib/core/zab/configuration.ts'
import type { Message, MessageType } from '../../lib/core/zab/message.ts'
import type { CoreWorld } from './core-world.ts'
import type { SimMember } from './sim-member.ts'

interface Pipe {
  readonly from: SimMember
  readonly to: SimMember
  readonly fromId: MemberId
  readonly toId: MemberId
  /** FIFO: nothing arrives before what was sent earlier. */
  lastArrival: number
  /** Sent while the direction was blocked. */
  held: Message[]
  /** Whether what is on its way still arrives. */
  isFlowing: boolean
}

interface SimLink {
  readonly key: string
  readonly pipes: readonly [Pipe, Pipe]
  isOpen: boolean
  /** Ends that have still to learn that the link is down. */
  openEnds: number
}

export class Network {
  readonly #world: CoreWorld
  readonly #links = new Map<string, SimLink>()
  readonly #dialing = new Set<string>()
  /** Directions, as `from>to` by name. */
  readonly #blocked = new Set<string>()
  /** Directions that hold back a message of these types, and everything behind it. */
  readonly #holds = new Map<string, { readonly types: readonly MessageType[]; isHolding: boolean }>()

  constructor(world: CoreWorld) {
    this.#world = world
  }

  isBlocked(from: SimMember, to: SimMember): boolean {
    return this.#blocked.has(`${from.name}>${to.name}`)
  }

  isCut(a: SimMember, b: SimMember): boolean {
    return this.isBlocked(a, b) || this.isBlocked(b, a)
  }

  hasLink(a: SimMember, b: SimMember): boolean {
    return this.#links.get(keyOf(a, b))?.isOpen === true
  }

  /** Links what can be linked. Called whenever something came up or was healed. */
  dialAll(): void {
    const { members } = this.#world
    for (const [index, a] of members.entries()) {
      for (const b of members.slice(index + 1)) this.#dial(a, b)
    }
  }

  #canLink(a: SimMember, b: SimMember): boolean {
    return a.isUp && b.isUp && !this.isCut(a, b) && !this.#links.has(keyOf(a, b))
  }

  #dial(a: SimMember, b: SimMember): void {
    const key = keyOf(a, b)
    if (this.#dialing.has(key) || !this.#canLink(a, b)) return
    this.#dialing.add(key)
    this.#world.after(this.#world.random('network', key).real(1, 40), () => {
      this.#dialing.delete(key)
      if (this.#canLink(a, b)) this.#open(key, a, b)
    })
  }

  #open(key: string, a: SimMember, b: SimMember): void {
    const pipes = [this.#pipe(a, b), this.#pipe(b, a)] as const
    const link: SimLink = { key, pipes, isOpen: true, openEnds: 2 }
    this.#links.set(key, link)
    for (const pipe of pipes) {
      const peer = pipe.from.record
      this.#arrive(pipe, () => pipe.to.receive({ type: 'linkUp', peer }))
    }
  }

  #pipe(from: SimMember, to: SimMember): Pipe {
    return { from, to, fromId: from.id, toId: to.id, lastArrival: this.#world.now, held: [], isFlowing: true }
  }

  send(from: SimMember, toId: MemberId, message: Message): void {
    for (const link of this.#links.values()) {
      const pipe = link.pipes.find((one) => one.fromId === from.id && one.toId === toId)
      if (pipe === undefined) continue
      if (!link.isOpen) return
      if (this.isBlocked(pipe.from, pipe.to) || this.#isHeld(pipe, message)) pipe.held.push(message)
      else this.#arrive(pipe, () => pipe.to.receive({ type: 'message', from: pipe.fromId, message }))
      return
    }
  }

  /** Keeps the next message of one of these types back, and all behind it, until it is released. */
  hold(from: SimMember, to: SimMember, ...types: readonly MessageType[]): void {
    this.#holds.set(`${from.name}>${to.name}`, { types, isHolding: false })
  }

  release(from: SimMember, to: SimMember): void {
    if (!this.#holds.delete(`${from.name}>${to.name}`)) return
    const pipe = this.#links.get(keyOf(from, to))?.pipes.find((one) => one.from === from)
    for (const message of pipe?.held.splice(0) ?? []) this.send(from, to.id, message)
  }

  /** Whether something is held back there. */
  isHolding(from: SimMember, to: SimMember): boolean {
    return this.#holds.get(`${from.name}>${to.name}`)?.isHolding === true
  }

  #isHeld({ from, to }: Pipe, { type }: Message): boolean {
    const hold = this.#holds.get(`${from.name}>${to.name}`)
    if (hold === undefined) return false
    hold.isHolding ||= hold.types.includes(type)
    return hold.isHolding
  }

  /** Schedules an arrival after all earlier ones of this direction. */
  #arrive(pipe: Pipe, action: () => void): void {
    const random = this.#world.random('network', `${pipe.from.name}>${pipe.to.name}`)
    const at = Math.max(pipe.lastArrival + this.#world.gap(random), this.#world.now + this.#world.latency(random))
    pipe.lastArrival = at
    this.#world.at(at, () => {
      if (pipe.isFlowing && pipe.to.isUp && pipe.to.id === pipe.toId) action()
    })
  }

  /** An end closes the link, or the network breaks it. */
  reset(a: SimMember, b: SimMember): void {
    const link = this.#links.get(keyOf(a, b))
    if (link?.isOpen) this.#close(link)
  }

  /** The process of this member is gone. */
  crash(member: SimMember): void {
    for (const link of [...this.#links.values()]) {
      if (link.isOpen && link.pipes.some(({ from }) => from === member)) this.#close(link)
    }
  }

  #close(link: SimLink): void {
    const network = this.#world.random('network', link.key)
    link.isOpen = false
    for (const pipe of link.pipes) {
      const isDrained = network.chance(0.3) && !this.isBlocked(pipe.from, pipe.to)
      pipe.isFlowing = isDrained
      pipe.held.length = 0
      const known = this.#world.now + network.real(0, 20)
      this.#world.at(isDrained ? Math.max(known, pipe.lastArrival) : known, () => this.#tellDown(link, pipe))
    }
  }

  #tellDown(link: SimLink, pipe: Pipe): void {
    pipe.isFlowing = false
    if (pipe.to.isUp && pipe.to.id === pipe.toId) pipe.to.receive({ type: 'linkDown', id: pipe.fromId })
    link.openEnds -= 1
    if (link.openEnds > 0) return
    this.#links.delete(link.key)
    this.dialAll()
  }

  /** Nothing gets from one to the other any more; after a while their link times out. */
  block(from: SimMember, to: SimMember): void {
    this.#blocked.add(`${from.name}>${to.name}`)
    this.#noteDisturbance(from, to)
    const link = this.#links.get(keyOf(from, to))
    if (link === undefined || !link.isOpen) return
    this.#world.after(this.#world.random('network', link.key).real(1900, 2100), () => {
      if (link.isOpen && this.isBlocked(from, to)) this.#close(link)
    })
  }

  unblock(from: SimMember, to: SimMember): void {
    if (!this.#blocked.delete(`${from.name}>${to.name}`)) return
    this.#noteDisturbance(from, to)
    const pipe = this.#links.get(keyOf(from, to))?.pipes.find((one) => one.from === from)
    for (const message of pipe?.held.splice(0) ?? []) this.send(from, to.id, message)
    this.dialAll()
  }

  #noteDisturbance(...ends: readonly SimMember[]): void {
    for (const end of ends) end.disturbedAt = this.#world.now
  }

  heal(): void {
    for (const from of this.#world.members) {
      for (const to of this.#world.members) {
        if (from === to) continue
        this.unblock(from, to)
        this.release(from, to)
      }
    }
  }
}

function keyOf(a: SimMember, b: SimMember): string {
  return a.name < b.name ? `${a.name}|${b.name}` : `${b.name}|${a.name}`
}
