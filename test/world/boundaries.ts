/**
 * One story of three durable members, told again and again with a crash at another storage boundary each time: every batch
 * that any of them writes, once just written, once before its sync is done, once after it and not yet said so. It founds, writes, takes
 * checkpoints and purges the log behind them, cuts a log that is too long, takes over a snapshot, changes its leader.
 *
 * Whatever the crash leaves (nothing of what was not synced, all of it, half of the last batch, of one), what was acknowledged
 * is there in the end, on all members alike, and no epoch has gone back.
 */
import assert from 'node:assert/strict'
import { levelStorage } from '../../adapters/storage-level/index.ts'
import { unpackFields } from '../../lib/core/tree/packed-node.ts'
import type { Restoration } from '../../lib/core/zab/zab.ts'
import type { Coord } from '../../lib/index.ts'
import type { Member } from '../../lib/runtime/member.ts'
import type { DiskImage, DiskStep } from '../../lib/testing/virtual-disk.ts'
import { type Machine, World } from '../../lib/testing/world.ts'
import { decodeEpochs } from '../../lib/wire/stored.ts'

/** Where to crash, whom, and what the disks have of what was not synced. */
export interface Crash {
  /** Counted from 0, over all members. */
  readonly boundary: number
  readonly whom: 'one' | 'all'
  readonly left: 'nothing' | 'everything' | 'half'
}

/** A disk that fails there and lets its process live: the sync, with or without the batch on the disk, or no room any more. */
export interface Trouble {
  readonly boundary: number
  readonly kind: 'lost' | 'written' | 'full'
}

/** What a telling came through. */
export interface Telling {
  /** Its boundaries in their order; `isEarly`: nothing was acknowledged before. */
  readonly boundaries: readonly { readonly step: DiskStep; readonly isEarly: boolean }[]
  readonly acknowledged: number
  /** Whether the crash or the trouble came about. */
  readonly hasHappened: boolean
  readonly marks: ReadonlySet<string>
  /** The tree in the end. */
  readonly snapshot: Restoration
}

/** How the story is told: with a crash or a disk that fails, and with a snapshot that the ensemble is founded with. */
export interface How {
  readonly crash?: Crash | undefined
  readonly trouble?: Trouble | undefined
  readonly restoration?: Restoration | undefined
}

const seed = 7
const headerBytes = 32
const limitMs = 60_000
/** So long there is no room on a disk. */
const fullMs = 3_000

export async function tell(how: How = {}): Promise<Telling> {
  await using story = new Story(how)
  const telling = await story.run()
  return telling
}

/** Every crash that differs from the others: of `boundaries`, from one to another. */
export function crashesOf({ boundaries }: Telling, from = 0, to: number = boundaries.length): Crash[] {
  const crashes: Crash[] = []
  boundaries.slice(0, to).forEach(({ step, isEarly }, boundary) => {
    if (boundary < from) return
    for (const whom of ['one', 'all'] as const) {
      // Whoever has just begun to write has lost nothing else; the others have, at their own turn.
      if (step !== 'written' || whom === 'one') crashes.push({ boundary, whom, left: 'nothing' })
      // Of what is synced all is there; and one whose batch made it all the same is one that crashes at the end of the sync.
      if (step === 'syncing' && whom === 'all') crashes.push({ boundary, whom, left: 'everything' })
      // Half a batch is damage. Until there is an ensemble, nobody could repair it.
      if (step === 'syncing' && whom === 'one' && !isEarly) crashes.push({ boundary, whom, left: 'half' })
    }
  })
  return crashes
}

/** Each way to fail, at each batch. */
export function troublesOf({ boundaries }: Telling): Trouble[] {
  const kinds = ['lost', 'written', 'full'] as const
  return boundaries.flatMap(({ step }, boundary) =>
    step === 'written' ? kinds.map((kind) => ({ boundary, kind })) : [],
  )
}

class Story implements AsyncDisposable {
  readonly #boundaries: { readonly step: DiskStep; readonly isEarly: boolean }[] = []
  readonly #acknowledged = new Set<string>()
  readonly #marks = new Set<string>()
  readonly #world: World
  readonly #crash: Crash | undefined
  readonly #trouble: Trouble | undefined
  readonly #restoration: Restoration | undefined
  readonly #founders: readonly string[]
  /** Of each machine: what its disk has promised. */
  readonly #promised = new Map<Machine, { id: string; accepted: number; current: number }>()
  #hasHappened = false
  #attempts = 0
  #highestEpoch = 0

  constructor({ crash, trouble, restoration }: How) {
    this.#crash = crash
    this.#trouble = trouble
    this.#restoration = restoration
    this.#world = new World({
      seed,
      network: { delayMs: { min: 1, max: 1 } },
      syncMs: 2,
      clockDrift: 0,
      join: { valueEncoding: 'utf8', requestTimeoutMs: 4_000, timing: { pingIntervalMs: 250, syncLimitMs: 1_000 } },
      inner: {
        limits: { checkpointEntries: 5, checkpointShare: 0, tail: { entries: 3, bytes: 1 << 20 } },
        mark: (name) => void this.#marks.add(name),
        ...(restoration === undefined ? {} : { restoration: async () => restoration }),
      },
    })
    for (const name of ['a', 'b', 'c']) {
      const machine = this.#world.addMachine(name, true)
      machine.disk.onStep = (step): void => this.#onStep(machine, step)
    }
    this.#founders = this.#world.machines.map(({ address }) => address)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#world.end()
  }

  async run(): Promise<Telling> {
    const { machines, network } = this.#world
    for (const machine of machines) this.#start(machine)
    await this.#allServe()
    await this.#write(9)

    // A leader whose log ends with what nobody else has: cut, once it is back.
    const leader = this.#leader()
    for (const other of machines) {
      if (other === leader) continue
      network.block(leader.name, other.name)
      network.block(other.name, leader.name)
    }
    for (let count = 0; count < 3; count += 1) leader.coord?.create(`/alone-${count}`).catch(() => {})
    await this.#until('another leader', () => this.#leads(leader) === undefined)
    await this.#write(2, leader)
    network.heal()
    await this.#allServe()

    // One that was away for longer than logs are kept: it gets everything anew.
    const away = this.#leads(machines[0] as Machine) === undefined ? (machines[1] as Machine) : (machines[0] as Machine)
    if (away.isUp) this.#world.crash(away)
    await this.#write(9, away)
    this.#start(away)
    await this.#allServe()

    await this.#ask((coord) => coord.transferLeadership())
    await this.#write(3)
    await this.#allServe()
    await this.#check()
    return {
      boundaries: this.#boundaries,
      acknowledged: this.#acknowledged.size,
      hasHappened: this.#hasHappened,
      marks: this.#marks,
      snapshot: this.#snapshot(),
    }
  }

  /** Every boundary comes by here, before the process that wrote is told. */
  #onStep(machine: Machine, step: DiskStep): void {
    if (step === 'synced') this.#checkPromises(machine)
    const boundary = this.#boundaries.push({ step, isEarly: this.#acknowledged.size === 0 }) - 1
    if (this.#trouble?.boundary === boundary) this.#makeTrouble(machine, this.#trouble)
    const crash = this.#crash
    if (crash?.boundary !== boundary) return
    this.#hasHappened = true
    const victims = crash.whom === 'one' ? [machine] : this.#world.machines.filter(({ isUp }) => isUp)
    for (const victim of victims) {
      const kept = crash.left === 'everything' ? victim.disk.unsynced : 0
      this.#world.crash(victim, { kept, torn: crash.left === 'half' && victim === machine })
    }
    for (const victim of victims) this.#world.scheduler.schedule(50, () => this.#start(victim))
  }

  #makeTrouble({ disk }: Machine, { kind }: Trouble): void {
    this.#hasHappened = true
    if (kind !== 'full') {
      disk.failNextCommit(kind)
      return
    }
    disk.isFull = true
    this.#world.scheduler.schedule(fullMs, () => {
      disk.isFull = false
    })
  }

  /** On one disk, under one id, no epoch ever goes back. */
  #checkPromises(machine: Machine): void {
    const image = machine.disk.image()
    const epochs = storedValue(image, 'epochs')
    if (epochs === undefined) return
    const id = Buffer.from(storedValue(image, 'id') ?? []).toString('hex')
    const { accepted, current } = decodeEpochs(epochs)
    const before = this.#promised.get(machine)
    assert.ok(accepted >= current, `${machine.name} acknowledged epoch ${current}, and promised ${accepted} alone`)
    if (before?.id === id) {
      assert.ok(accepted >= before.accepted, `${machine.name} took back its promise of epoch ${before.accepted}`)
      assert.ok(current >= before.current, `${machine.name} forgot epoch ${before.current}`)
    }
    this.#promised.set(machine, { id, accepted, current })
  }

  #start(machine: Machine): void {
    if (machine.isUp) return
    this.#world.start(machine, this.#founders).catch(() => {})
  }

  #leader(): Machine {
    return this.#leads() ?? (this.#world.machines[0] as Machine)
  }

  /** The machine whose member leads, `but` aside. */
  #leads(but?: Machine): Machine | undefined {
    return this.#world.machines.find(
      (machine) => machine.isUp && machine !== but && machine.coord?.member.role === 'leader',
    )
  }

  /** Who has to be repaired may be one too many for those who are cut off: then that ends early. */
  async #until(what: string, isSo: () => boolean): Promise<void> {
    const { scheduler, network, machines } = this.#world
    const start = this.#world.now
    while (!isSo()) {
      const waitedMs = this.#world.now - start
      assert.ok(
        waitedMs < limitMs,
        `${JSON.stringify(this.#crash ?? this.#trouble)}: ${what} took more than ${limitMs} virtual ms`,
      )
      if (this.#crash?.left === 'half' && waitedMs > limitMs / 4) {
        network.heal()
        for (const machine of machines) this.#start(machine)
      }
      await scheduler.advance(20)
    }
  }

  async #allServe(): Promise<void> {
    await this.#until('the ensemble', () =>
      this.#world.machines.every(
        ({ coord, isUp, member }) => isUp && coord?.state === 'connected' && member?.status?.isVoter,
      ),
    )
    const epochs = this.#world.machines.map(({ coord }) => coord?.member.epoch ?? 0)
    assert.ok(Math.max(...epochs) >= this.#highestEpoch, 'an epoch went back')
    this.#highestEpoch = Math.max(...epochs)
  }

  /** Writes that many times, on whoever is up; what is acknowledged is kept. */
  async #write(count: number, but?: Machine): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      const path = `/${this.#restoration === undefined ? 'w' : 'later'}-${this.#attempts}`
      await this.#ask(async (coord) => {
        await coord.create(path, 'x'.repeat(20))
        this.#acknowledged.add(path)
      }, but)
    }
  }

  /** Asks one that is up, in turn; until it answers, or is gone. */
  async #ask(call: (coord: Coord<unknown>) => Promise<void>, but?: Machine): Promise<void> {
    await this.#until('somebody', () => this.#servers(but).length > 0)
    const servers = this.#servers(but)
    this.#attempts += 1
    const machine = servers[this.#attempts % servers.length] as Machine
    const { process, coord } = machine
    let isAnswered = false
    const answered = (): void => {
      isAnswered = true
    }
    call(coord as Coord<unknown>).then(answered, answered)
    await this.#world.scheduler.settle()
    await this.#until('an answer', () => isAnswered || process.isDead)
  }

  #servers(but: Machine | undefined): Machine[] {
    return this.#world.machines.filter(
      (machine) => machine !== but && machine.isUp && machine.coord?.state === 'connected',
    )
  }

  /** As a backup has it. */
  #snapshot(): Restoration {
    const { state } = (this.#world.machines[0] as Machine).member as Member
    const records = [...state.snapshot()].filter(
      (record) =>
        record.kind !== 'session' && !(record.kind === 'node' && unpackFields(record.packed).mode === 'ephemeral'),
    )
    return { id: '0123456789abcdef', zxid: state.lastZxid, records }
  }

  async #check(): Promise<void> {
    const { machines } = this.#world
    for (const { coord } of machines) await this.#world.until((coord as Coord).sync(), 'a sync', limitMs)
    for (const { coord, name } of machines) {
      const { children } = await (coord as Coord).getChildren('/')
      const found = new Set(children.map((child) => `/${child}`))
      for (const path of this.#acknowledged)
        assert.ok(found.has(path), `${path} was acknowledged, and is not at ${name}`)
    }
    for (const { member, name } of machines) {
      for (const record of this.#restoration?.records ?? []) {
        if (record.kind !== 'node') continue
        const found = member?.state.tree.find(record.path)
        assert.equal(
          found?.czxid,
          unpackFields(record.packed).czxid,
          `${record.path} was restored, and is not at ${name}`,
        )
      }
      const zxid = this.#restoration?.zxid ?? 0n
      for (const { path, node } of member?.state.tree.walk('/') ?? [])
        if (this.#acknowledged.has(path)) assert.ok(node.czxid >> 32n > zxid >> 32n, `${path} is of an epoch of before`)
    }
    for (const { disk, name } of machines) assert.equal(disk.writesAfterFailure, 0, `${name} wrote on after a failure`)
    const digests = new Set(machines.map(({ member }) => member?.state.digest()))
    assert.equal(digests.size, 1, 'the replicas differ')
    assert.equal(new Set(machines.map(({ member }) => member?.status?.cluster)).size, 1)
    // Each store is whole: its chain, its seal.
    for (const machine of machines) {
      this.#world.crash(machine)
      await levelStorage(machine.disk.level(machine.process)).open()
    }
  }
}

/** A small value of a store, as it lies on the disk. */
function storedValue(image: DiskImage, name: string): Uint8Array | undefined {
  return image.get(`coord/value/${name}`)?.subarray(headerBytes)
}
