/**
 * Does to the world what a plan says, and counts what took effect: a fault that finds nothing to hurt (a machine that is
 * down already, a member that must not forget now) does not count.
 */

import type { MemberId } from '../../lib/core/zab/configuration.ts'
import type { Coord } from '../../lib/index.ts'
import type { Machine, World } from '../../lib/testing/world.ts'
import { type KnownIds, mayForget } from './budget.ts'
import type { Fault, FaultOf } from './plan.ts'
import type { Recorder } from './recorder.ts'

/** How many milliseconds a member that stopped by itself, or could not join, stays away. */
const restartMs = 500

export interface Chaos {
  readonly world: World
  readonly recorder: Recorder
  /** The founders first. */
  readonly machines: Machine[]
  readonly founders: readonly string[]
  readonly syncMs: number
  /** The session that a client uses now. */
  sessionOf(client: number): bigint | undefined
  onJoined(machine: Machine): void
}

export class Faults {
  readonly #chaos: Chaos
  readonly #ids: KnownIds = new Map<Machine, MemberId>()
  /** What ends one day: done at once when everything heals. */
  readonly #undone = new Set<() => void>()
  /** It is meant to be down: it does not stop by itself. */
  readonly #keptDown = new Set<Machine>()
  /** Closing, and about to forget. */
  readonly #leaving = new Set<Machine>()
  /** Of those that are down: through which entry their disk holds the log, and under which id. */
  readonly #held = new Map<Machine, { readonly id: MemberId; readonly through: bigint }>()
  #isOver = false
  readonly hits: Map<string, number> = new Map()

  constructor(chaos: Chaos) {
    this.#chaos = chaos
    for (const machine of chaos.machines) {
      machine.disk.onFailed = (reason) => chaos.recorder.note(`${machine.name}: ${reason}`)
    }
  }

  schedule(faults: readonly Fault[]): void {
    const { world } = this.#chaos
    for (const fault of faults) {
      world.scheduler.schedule(fault.at - world.now, () => {
        if (!this.#isOver) this.#do(fault)
      })
    }
  }

  /** A misdeed of the network, and the like. */
  hit(kind: string): void {
    this.hits.set(kind, (this.hits.get(kind) ?? 0) + 1)
  }

  /** No more faults. Everything that was broken is mended, whoever is down starts again. */
  heal(): void {
    this.#isOver = true
    for (const undo of [...this.#undone]) undo()
    const { world, machines } = this.#chaos
    world.network.heal()
    for (const machine of machines) {
      machine.disk.isFull = false
      machine.disk.syncMs = () => this.#chaos.syncMs
      if (!machine.isUp) this.start(machine)
    }
  }

  /** Starts a member, and again and again if it does not stay. */
  start(machine: Machine): void {
    if (machine.isUp) return
    this.#keptDown.delete(machine)
    const { world, recorder, founders } = this.#chaos
    recorder.note(`${machine.name} starts`)
    const starting = world.start(machine, founders, { waitFor: 'start' })
    const { process } = machine
    const again = (why: string): void => {
      if (machine.process !== process || process.isDead) return
      recorder.note(`${machine.name} stops by itself: ${why}`)
      if (/invariant|TypeError|not a function|undefined/.test(why))
        recorder.history.breakdowns.push(`${machine.name}: ${why}`)
      this.#stop(machine, {})
      // What its operator does then: the disk is emptied, and the member comes back as one that has forgotten.
      if (/damaged/.test(why)) {
        this.hit('damage noticed')
        machine.disk.wipe()
        this.#ids.delete(machine)
      }
      this.#later(restartMs, () => this.start(machine))
    }
    starting.then(
      (coord) => {
        if (machine.process !== process) return
        this.#watch(machine, coord, again)
        this.#chaos.onJoined(machine)
      },
      (error: Error) => again(error.message),
    )
  }

  #watch(machine: Machine, coord: Coord<unknown>, again: (why: string) => void): void {
    const { process } = machine
    let last = 'closed'
    coord.member.on('warning', (message) => {
      last = message
    })
    coord.on('state', (next) => {
      if (next === 'closed' && !this.#keptDown.has(machine)) this.#chaos.world.scheduler.schedule(0, () => again(last))
    })
    this.#noteId(machine, process)
    if (machine.member?.peer === undefined)
      coord.ready().then(
        () => this.#noteId(machine, process),
        () => {},
      )
  }

  #noteId(machine: Machine, process: Machine['process']): void {
    const { peer, self } = machine.member ?? {}
    if (machine.process !== process || peer === undefined || self === undefined) return
    this.#ids.set(machine, self.id)
    const held = this.#held.get(machine)
    this.#held.delete(machine)
    if (held?.id !== self.id) return
    const { recorder } = this.#chaos
    const life = `${machine.name} ${machine.starts}`
    recorder.history.returns.push({ order: recorder.next(), life, before: held.through, now: peer.zab.begun.lastZxid })
  }

  #do(fault: Fault): void {
    const did = this.#perform(fault)
    if (!did) return
    this.hit(fault.kind)
    const { at: _, kind, ...rest } = fault
    this.#chaos.recorder.note(`FAULT ${kind} ${JSON.stringify(rest)}`)
  }

  #perform(fault: Fault): boolean {
    switch (fault.kind) {
      case 'isolate':
        return this.#cut(this.#directions(fault.machine, true, true), fault.forMs)
      case 'cut-out':
        return this.#cut(this.#directions(fault.machine, true, false), fault.forMs)
      case 'cut-in':
        return this.#cut(this.#directions(fault.machine, false, true), fault.forMs)
      case 'cut-one-way':
        return this.#cut([[this.#name(fault.machine), this.#name(fault.far)]], fault.forMs)
      case 'cut-pair':
        return this.#cut(both(this.#name(fault.machine), this.#name(fault.far)), fault.forMs)
      case 'split':
        return this.#split(fault)
      case 'flap':
        return this.#flap(fault)
      case 'reset':
      case 'half-open':
        return this.#reset(fault)
      case 'delay':
      case 'narrow':
      case 'hostile':
        return this.#worsen(fault)
      case 'crash':
      case 'vanish':
      case 'power-cut':
        return this.#crash(fault)
      case 'power-cut-all':
        return this.#powerCutAll(fault)
      case 'close':
      case 'leave':
        return this.#close(fault)
      case 'transfer':
        return this.#transfer(fault)
      case 'pause':
        return this.#pause(fault)
      case 'wall-jump':
        this.#machine(fault.machine).process.jumpWallClock(fault.byMs)
        return this.#machine(fault.machine).isUp
      case 'sync-error':
      case 'disk-full':
        return this.#failDisk(fault)
      case 'slow-disk':
        return this.#slowDisk(fault)
      case 'wipe':
      case 'bit-flip':
        return this.#damage(fault)
      case 'join':
        return this.#join(fault)
      case 'expire':
        return this.#expire(fault)
    }
  }

  #machine(index: number): Machine {
    const { machines } = this.#chaos
    return machines[index % machines.length] as Machine
  }

  #name(index: number): string {
    return this.#machine(index).name
  }

  /** Something that ends after a while, or when everything heals. */
  #later(ms: number, undo: () => void): void {
    const once = (): void => {
      if (this.#undone.delete(once)) undo()
    }
    this.#undone.add(once)
    this.#chaos.world.scheduler.schedule(ms, once)
  }

  #directions(index: number, out: boolean, into: boolean): [string, string][] {
    const self = this.#name(index)
    const others = this.#chaos.machines.map(({ name }) => name).filter((name) => name !== self)
    return others.flatMap((name): [string, string][] => [
      ...(out ? [[self, name] as [string, string]] : []),
      ...(into ? [[name, self] as [string, string]] : []),
    ])
  }

  #cut(directions: readonly (readonly [string, string])[], forMs: number): boolean {
    const { network } = this.#chaos.world
    const cut = directions.filter(([from, to]) => from !== to)
    for (const [from, to] of cut) network.block(from, to)
    this.#later(forMs, () => {
      for (const [from, to] of cut) network.unblock(from, to)
    })
    return cut.length > 0
  }

  #split({ side, bridge, forMs }: FaultOf<'split'>): boolean {
    const names = this.#chaos.machines.map(({ name }) => name)
    const left = side.map((index) => this.#name(index))
    const middle = bridge === null ? undefined : this.#name(bridge)
    const cut = names.flatMap((a) =>
      names
        .filter((b) => left.includes(a) !== left.includes(b) && a !== middle && b !== middle)
        .map((b) => [a, b] as const),
    )
    return this.#cut(cut, forMs)
  }

  #flap({ machine, far, everyMs, forMs }: FaultOf<'flap'>): boolean {
    const { world } = this.#chaos
    const until = world.now + forMs
    const flip = (): void => {
      if (this.#isOver || world.now >= until) return
      this.#cut(both(this.#name(machine), this.#name(far)), everyMs)
      world.scheduler.schedule(everyMs * 2, flip)
    }
    flip()
    return this.#name(machine) !== this.#name(far)
  }

  #reset({ kind, machine, far }: FaultOf<'reset' | 'half-open'>): boolean {
    const { network } = this.#chaos.world
    const [a, b] = [this.#machine(machine).process, this.#machine(far).process]
    const before = network.connections.size
    if (kind === 'reset') network.reset(a, b)
    else network.resetHalf(a, b)
    return a !== b && before > 0
  }

  #worsen(fault: FaultOf<'delay' | 'narrow' | 'hostile'>): boolean {
    const { network } = this.#chaos.world
    const [from, to] = [this.#name(fault.machine), this.#name(fault.far)]
    if (from === to) return false
    if (fault.kind === 'delay') network.delay(from, to, fault.delayMs)
    else if (fault.kind === 'narrow') network.narrow(from, to, fault.bytesPerMs)
    else network.antagonize(from, to, fault.hostility)
    this.#later(fault.forMs, () => {
      if (fault.kind === 'delay') network.delay(from, to, undefined)
      else if (fault.kind === 'narrow') network.narrow(from, to, Number.POSITIVE_INFINITY)
      else network.antagonize(from, to, undefined)
    })
    return true
  }

  #mayStop(machine: Machine): boolean {
    return machine.isUp && (machine.disk.durable || mayForget(this.#chaos.machines, this.#ids, this.#leaving, machine))
  }

  #stop(machine: Machine, how: { kept?: number; silently?: boolean }): void {
    this.#keptDown.add(machine)
    this.#noteId(machine, machine.process)
    this.#noteHeld(machine)
    this.#chaos.world.crash(machine, how)
    machine.disk.isFull = false
  }

  #noteHeld(machine: Machine): void {
    this.#held.delete(machine)
    const { peer, self } = machine.member ?? {}
    if (!machine.disk.durable || peer === undefined || self === undefined) return
    const { log, isDrained } = peer.zab
    // A snapshot that was taken over may be on its way to the disk.
    if (isDrained || log.durable > log.base) this.#held.set(machine, { id: self.id, through: log.durable })
  }

  #crash(fault: FaultOf<'crash' | 'vanish' | 'power-cut'>): boolean {
    const machine = this.#machine(fault.machine)
    if (!this.#mayStop(machine)) return false
    if (!machine.disk.durable) this.hit('loss of memory')
    if (fault.kind === 'power-cut' && machine.disk.unsynced > fault.kept) this.hit('un-synced batch lost')
    const silently = fault.kind === 'vanish'
    this.#stop(machine, { ...(fault.kind === 'power-cut' ? { kept: fault.kept } : {}), silently })
    this.#later(fault.forMs, () => this.start(machine))
    return true
  }

  #powerCutAll({ kept, forMs }: FaultOf<'power-cut-all'>): boolean {
    const { machines } = this.#chaos
    const victims = machines.filter((machine) => machine.isUp && machine.disk.durable)
    for (const machine of victims) {
      if (machine.disk.unsynced > kept) this.hit('un-synced batch lost')
      this.#stop(machine, { kept, silently: true })
      this.#later(forMs + victims.indexOf(machine) * 100, () => this.start(machine))
    }
    return victims.length > 1
  }

  /** An orderly restart; or it gives its membership up, and joins again later. */
  #close({ kind, machine: index, forMs }: FaultOf<'close' | 'leave'>): boolean {
    const machine = this.#machine(index)
    const { coord, process } = machine
    if (coord === undefined || coord.state === 'closed' || machine.process.isPaused || !this.#mayStop(machine))
      return false
    this.#keptDown.add(machine)
    this.#noteId(machine, process)
    if (!machine.disk.durable) this.#leaving.add(machine)
    const closed = (): void => {
      this.#leaving.delete(machine)
      if (machine.process !== process || process.isDead) return
      this.#stop(machine, {})
      this.#later(forMs, () => this.start(machine))
    }
    const closing = kind === 'leave' ? coord.leave() : coord.close()
    closing.then(closed, (error: Error) => {
      this.#chaos.recorder.history.breakdowns.push(`${machine.name} does not close: ${error.message}`)
      closed()
    })
    return true
  }

  #transfer({ machine: index }: FaultOf<'transfer'>): boolean {
    const { coord, process } = this.#machine(index)
    if (coord === undefined || process.isPaused || coord.state !== 'connected') return false
    coord.transferLeadership().catch(() => {})
    return true
  }

  #pause({ machine: index, first, forMs }: FaultOf<'pause'>): boolean {
    const machine = this.#machine(index)
    if (!machine.isUp) return false
    machine.process.pause(forMs, first)
    this.hit(first === 'timer' ? 'woken by timers first' : 'woken by input first')
    return true
  }

  #failDisk(fault: FaultOf<'sync-error' | 'disk-full'>): boolean {
    const machine = this.#machine(fault.machine)
    if (!machine.isUp || !machine.disk.durable) return false
    if (fault.kind === 'disk-full') {
      machine.disk.isFull = true
      this.#later(fault.forMs, () => {
        machine.disk.isFull = false
      })
    } else {
      machine.disk.failNextCommit(fault.error)
      this.hit(fault.error === 'lost' ? 'failed sync, not written' : 'failed sync, written')
    }
    return true
  }

  #slowDisk({ machine: index, syncMs, forMs }: FaultOf<'slow-disk'>): boolean {
    const { disk, isUp } = this.#machine(index)
    if (!isUp || !disk.durable) return false
    disk.syncMs = () => syncMs
    this.#later(forMs, () => {
      disk.syncMs = () => this.#chaos.syncMs
      disk.hurry()
    })
    return true
  }

  #damage(fault: FaultOf<'wipe' | 'bit-flip'>): boolean {
    const machine = this.#machine(fault.machine)
    if (!machine.isUp || !machine.disk.durable || !mayForget(this.#chaos.machines, this.#ids, this.#leaving, machine))
      return false
    this.#stop(machine, {})
    this.#ids.delete(machine)
    if (fault.kind === 'wipe') machine.disk.wipe()
    const isDamaged = fault.kind === 'wipe' || machine.disk.flipBit(fault.where)
    this.#later(fault.forMs, () => this.start(machine))
    return isDamaged
  }

  #join({ durable }: FaultOf<'join'>): boolean {
    const { world, machines, recorder } = this.#chaos
    if (machines.length > 8) return false
    const machine = world.addMachine(`j${machines.length}`, durable)
    machine.disk.onFailed = (reason) => recorder.note(`${machine.name}: ${reason}`)
    machines.push(machine)
    this.start(machine)
    return true
  }

  #expire({ client }: FaultOf<'expire'>): boolean {
    const session = this.#chaos.sessionOf(client)
    if (session === undefined) return false
    this.#chaos.recorder.orderExpiry(session)
    return this.#chaos.world.expireSession(session)
  }
}

const both = (a: string, b: string): [string, string][] => [
  [a, b],
  [b, a],
]
