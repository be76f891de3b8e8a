/**
 * Partitions on real sockets: symmetric, one-way, and a bridge, under load. Whatever is cut, acknowledged writes are
 * linearizable, no epoch has two leaders, and where a quorum can talk it serves. ROUNDS=10 for a long run.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Coord, joinEnsemble } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, until } from '../join/fixture.ts'
import { ProxiedNetwork } from './proxied-transport.ts'
import { RegisterHistory } from './register-history.ts'

const rounds = Number(process.env['ROUNDS'] ?? 2)
const limitMs = 60_000
const timing = { pingIntervalMs: 100, syncLimitMs: 800 } as const

interface Member {
  readonly coord: Coord<string>
  readonly port: number
}

class Ensemble implements AsyncDisposable {
  readonly network = new ProxiedNetwork()
  readonly history = new RegisterHistory()
  members: Member[] = []
  #isOver = false
  #clients: Promise<void>[] = []

  async start(size: number): Promise<void> {
    const ports = await freePorts(size)
    const peers = ports.map(addressAt)
    const joining = ports.map(async (port, index) => {
      const transport = await this.network.transport(
        port,
        ports.filter((other) => other !== port),
      )
      const coord = await joinEnsemble({
        name: `member-${index}`,
        transport,
        peers,
        timing,
        requestTimeoutMs: 1500,
        sessionTimeoutMs: 4000,
        valueEncoding: 'utf8',
      })
      const noteLeader = (): void => {
        if (coord.member.role === 'leader') this.history.noteLeader(coord.member.epoch, coord.member.id)
      }
      coord.member.on('role', noteLeader)
      noteLeader()
      return { coord, port }
    })
    this.members = await Promise.all(joining)
    await this.members[0]?.coord.create('/register', 'nothing')
    this.#clients = this.members.flatMap((member) => [this.#write(member), this.#read(member)])
  }

  /** Waits for acknowledged writes, of these members or of any. */
  async progress(what: string, by: readonly Member[] = this.members): Promise<void> {
    const names = by.map(({ coord }) => coord.member.name)
    const count = (): number =>
      this.history.calls.filter((call) => call.kind === 'write' && names.includes(call.by)).length
    const target = count() + 30
    await until(what, () => count() >= target, limitMs)
  }

  async whole(): Promise<void> {
    this.network.heal()
    const isWhole = ({ coord }: Member): boolean => coord.state === 'connected' && coord.member.role !== 'looking'
    await until('all are back', () => this.members.every(isWhole), limitMs)
    await this.progress('they go on together')
  }

  leader(): Member | undefined {
    return this.members.find(({ coord }) => coord.member.role === 'leader')
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#clients)
    this.history.check()
    const { calls, writes, unknown, leaders } = this.history
    console.log(
      `      ${writes} acknowledged writes and ${calls.length - writes} linearizable reads, ${unknown} writes unknown or refused, ${leaders.size} epochs`,
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#clients)
    this.network.heal()
    await Promise.all(this.members.map(({ coord }) => coord.close({ timeoutMs: 500 })))
    await this.network.close()
  }

  async #write({ coord }: Member): Promise<void> {
    const { name } = coord.member
    for (let number = 0; !this.#isOver; number++) {
      const value = `${name} ${number}`
      const isDone = await this.history.note('write', name, async () => ({
        value,
        ...(await coord.setData('/register', value)),
      }))
      await sleep(isDone ? 5 : 20)
    }
  }

  async #read({ coord }: Member): Promise<void> {
    const { name } = coord.member
    while (!this.#isOver) {
      const isDone = await this.history.note('read', name, async () => {
        const { data = '', stat } = await coord.getData('/register', { consistency: 'linearizable' })
        return { value: data, mzxid: stat.mzxid, version: stat.version }
      })
      await sleep(isDone ? 5 : 20)
    }
  }
}

const portsOf = (members: readonly Member[]): number[] => members.map(({ port }) => port)

/** Until no leader that this member could have had before serves it. */
async function suspended({ coord }: Member): Promise<void> {
  await until('whoever is cut off is suspended', () => coord.state !== 'connected', limitMs)
}

describe(`partitions on real sockets, ${rounds} rounds`, () => {
  it('symmetric: the leader alone, then a follower alone', async () => {
    await using ensemble = new Ensemble()
    await ensemble.start(3)
    for (let round = 0; round < rounds * 2; round++) {
      const leader = await until('one leads', () => ensemble.leader(), limitMs)
      const alone = round % 2 === 0 ? leader : (ensemble.members.find((member) => member !== leader) as Member)
      const others = ensemble.members.filter((member) => member !== alone)
      ensemble.network.part([alone.port], portsOf(others))
      await suspended(alone)
      await ensemble.progress('the others go on', others)
      await ensemble.whole()
    }
    await ensemble.end()
  })

  it('one-way: what the leader sends does not arrive, then what is sent to it', async () => {
    await using ensemble = new Ensemble()
    await ensemble.start(3)
    for (let round = 0; round < rounds * 2; round++) {
      const leader = await until('one leads', () => ensemble.leader(), limitMs)
      const others = ensemble.members.filter((member) => member !== leader)
      for (const { port } of others) {
        if (round % 2 === 0) ensemble.network.cut(leader.port, port)
        else ensemble.network.cut(port, leader.port)
      }
      await suspended(leader)
      await ensemble.progress('the others go on', others)
      await ensemble.whole()
    }
    await ensemble.end()
  })

  it('a bridge: two halves of five that only one member reaches', async () => {
    await using ensemble = new Ensemble()
    await ensemble.start(5)
    for (let round = 0; round < rounds; round++) {
      const leader = await until('one leads', () => ensemble.leader(), limitMs)
      const rest = ensemble.members.filter((member) => member !== leader)
      // The leader is the bridge, or on one side of it.
      const [bridge, ...halves] = round % 2 === 0 ? [rest[0], leader, ...rest.slice(1)] : [leader, ...rest]
      assert.equal(halves.length, 4)
      ensemble.network.part(portsOf(halves.slice(0, 2) as Member[]), portsOf(halves.slice(2) as Member[]))
      await ensemble.progress('a quorum goes on', [bridge as Member])
      await ensemble.whole()
    }
    await ensemble.end()
  })
})

type CallRow = readonly [kind: 'write' | 'read', begun: number, ended: number, mzxid: bigint]

describe('the history of a register', () => {
  const note = (history: RegisterHistory, ...[kind, begun, ended, mzxid]: CallRow): void =>
    void history.calls.push({ kind, by: 'a', value: `${mzxid}`, begun, ended, mzxid, version: Number(mzxid) })

  it('notices an epoch with two leaders, a write that is there twice, and answers that are too old', () => {
    const leaders = new RegisterHistory()
    leaders.noteLeader(1, 'a')
    assert.throws(() => leaders.noteLeader(1, 'b'), /led by a and by b/)
    const wrong: readonly (readonly [
      RegExp,
      ...(Parameters<typeof note> extends [unknown, ...infer R] ? R[] : never),
    ])[] = [
      [/both at 5/, ['write', 0, 1, 5n], ['write', 2, 3, 5n]],
      [/had ended/, ['write', 0, 1, 5n], ['write', 2, 3, 4n]],
      [/had ended/, ['write', 0, 1, 5n], ['read', 2, 3, 4n]],
      [/had ended/, ['read', 0, 1, 5n], ['read', 2, 3, 4n]],
    ]
    for (const [text, ...calls] of wrong) {
      const history = new RegisterHistory()
      for (const call of calls) note(history, ...call)
      assert.throws(() => history.check(), text)
    }
    const sound = new RegisterHistory()
    note(sound, 'write', 0, 4, 5n)
    note(sound, 'read', 2, 3, 4n)
    note(sound, 'read', 3, 5, 5n)
    sound.check()
  })
})
