/** The links of a member: what its transport is asked to dial, and which links stay between two that dial each other. */
import assert from 'node:assert/strict'
import type { MemberId, MemberRecord } from '../../lib/core/zab/configuration.ts'
import type { Message } from '../../lib/core/zab/message.ts'
import { zxidOf } from '../../lib/core/zab/zxid.ts'
import type { Connection, Transport } from '../../lib/ports/transport.ts'
import { Secret } from '../../lib/runtime/handshake.ts'
import { defaultLimits } from '../../lib/runtime/limits.ts'
import { PeerLinks } from '../../lib/runtime/peer-links.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Random } from '../../lib/testing/random.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'
import { VirtualNetwork } from '../../lib/testing/virtual-network.ts'
import { decodeHandshake, encodeHandshake, type Introduction, protocolVersion } from '../../lib/wire/handshake.ts'
import { encodeMessage } from '../../lib/wire/messages.ts'

/** Nobody answers it: what was dialed waits until it is given up. */
class SilentTransport {
  readonly signals: AbortSignal[] = []

  dial(_address: string, _limits: unknown, signal: AbortSignal): Promise<never> {
    this.signals.push(signal)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    })
  }
}

/** One end: what it was told of its links, in order. */
interface End {
  readonly links: PeerLinks
  readonly told: string[]
  /** What it was sent. */
  readonly messages: Message[]
  readonly process: VirtualProcess
}

/** Members on one virtual network, called by their ids, which are their addresses, too. */
class Neighbourhood {
  readonly scheduler = new Scheduler()
  readonly network: VirtualNetwork
  readonly random: Random
  readonly #seed: number

  constructor(seed: number) {
    this.#seed = seed
    this.random = new Random(seed, 'test')
    this.network = new VirtualNetwork(this.scheduler, seed, { delayMs: { min: 0.1, max: 2 } })
  }

  async begin(id: string, around: (transport: Transport) => Transport = (transport) => transport): Promise<End> {
    const process = new VirtualProcess(id, this.scheduler, { offsetMs: 0, rate: 1, timersFirst: false })
    const told: string[] = []
    const messages: Message[] = []
    const links = new PeerLinks(
      {
        transport: around(this.network.transport(process, id)),
        clock: process.clock,
        entropy: new Random(this.#seed, `links of ${id}`),
        secret: new Secret('of all'),
        about: () => ({ cluster: 'cluster', features: 1 }),
        limits: defaultLimits.link,
        dialTimeoutMs: 1000,
        redialMs: defaultLimits.redialMs,
      },
      {
        up: (peer) => told.push(`up ${peer.id}`),
        down: (peer, reason) => told.push(`down ${peer}: ${reason}`),
        messages: (_peer, some) => messages.push(...some),
      },
    )
    await links.listen()
    links.start({ id: id as MemberId, name: id, address: id })
    return { links, told, messages, process }
  }
}

/** A connection that is closed stays as it is: at its other end is a process that stands still. */
function withoutLeave(transport: Transport): Transport {
  const dial: Transport['dial'] = async (...where) => {
    const connection = await transport.dial(...where)
    return new Proxy(connection, {
      get: (target, key) => {
        if (key === 'close') return () => {}
        const value: unknown = Reflect.get(target, key)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
  return new Proxy(transport, { get: (target, key) => (key === 'dial' ? dial : Reflect.get(target, key)) })
}

describe('the links of a member', () => {
  it('dial each address with a signal of its own, and give all of them up when they close', async () => {
    const transport = new SilentTransport()
    const process = new VirtualProcess('a', new Scheduler(), { offsetMs: 0, rate: 1, timersFirst: false })
    const links = new PeerLinks(
      {
        transport: transport as unknown as Transport,
        clock: process.clock,
        entropy: new Random(1, 'links'),
        secret: undefined as never,
        about: () => ({ cluster: undefined, features: [] }) as never,
        limits: defaultLimits.link,
        dialTimeoutMs: 1_000,
        redialMs: { first: 100, max: 1_000 },
      },
      { up: () => {}, down: () => {}, messages: () => {} },
    )
    const addresses = Array.from({ length: 12 }, (_, index) => `mem://${index}`)
    const found = links.findSelf(addresses, {} as MemberRecord)
    const probed = links.probe('b' as never, 'mem://b')
    links.want(addresses)
    assert.equal(new Set(transport.signals).size, 25)
    await links.close()
    assert.ok(transport.signals.every(({ aborted }) => aborted))
    assert.deepEqual(await Promise.all([found, probed]), [undefined, false])
    // What comes late is not begun at all.
    assert.equal(await links.probe('b' as never, 'mem://b'), false)
    assert.equal(transport.signals.length, 25)
  })

  for (const [early, late] of [
    ['a', 'b'],
    ['b', 'a'],
  ] as const) {
    it(`leave a link alone that is up: ${early}, who was there first, dials ${late} again`, async () => {
      const neighbourhood = new Neighbourhood(1)
      const { scheduler } = neighbourhood
      const first = await neighbourhood.begin(early)
      // Nobody is there yet, so it tries again, later and later.
      first.links.want([late])
      await scheduler.advance(200)
      const second = await neighbourhood.begin(late)
      second.links.want([early])
      await scheduler.advance(10_000)
      assert.deepEqual([first.told, second.told], [[`up ${late}`], [`up ${early}`]])
      // As when a configuration leaves an address out and names it again.
      first.links.want([])
      first.links.want([late])
      await scheduler.advance(10_000)
      assert.deepEqual([first.told, second.told], [[`up ${late}`], [`up ${early}`]])
      await Promise.all([first.links.close(), second.links.close()])
    })
  }

  it('are down when this member has closed them, also where the other one stands still', async () => {
    const neighbourhood = new Neighbourhood(1)
    const { scheduler } = neighbourhood
    const other = await neighbourhood.begin('b')
    const own = await neighbourhood.begin('a', withoutLeave)
    own.links.want(['b'])
    await scheduler.advance(200)
    own.links.want([])
    own.links.closeLink('b' as MemberId, 'silent for too long')
    assert.deepEqual(own.told, ['up b'], 'not inside the call')
    await scheduler.advance(1)
    assert.deepEqual(own.told, ['up b', 'down b: silent for too long'])
    await Promise.all([own.links.close(), other.links.close()])
  })

  it('have taken what they were given to send: its bytes may be used again at once', async () => {
    const neighbourhood = new Neighbourhood(1)
    const { scheduler } = neighbourhood
    const [lower, higher] = [await neighbourhood.begin('a'), await neighbourhood.begin('b')]
    lower.links.want(['b'])
    await scheduler.advance(200)
    const commits = Array.from({ length: 300 }, (_, index) => zxidOf(1, index + 1))
    // Turns of one message, of a few, and of more than the place of an earlier frame has room for.
    for (const [start, end] of [[0, 1] as const, [1, 4] as const, [4, 299] as const, [299, 300] as const]) {
      for (const committed of commits.slice(start, end)) {
        const parts = encodeMessage({ type: 'commit', committed })
        lower.links.send('b' as MemberId, parts)
        for (const part of parts) part.fill(0xff)
      }
      lower.links.flush()
      await scheduler.advance(10)
    }
    const received = higher.messages.map((message) => message.type === 'commit' && message.committed)
    assert.deepEqual(received, commits)
    await Promise.all([lower.links.close(), higher.links.close()])
  })

  it('leave one link where both dial at once, at the start and when it is lost', async () => {
    let replaced = 0
    for (let seed = 1; seed <= 50; seed++) {
      const neighbourhood = new Neighbourhood(seed)
      const { scheduler, random } = neighbourhood
      const [lower, higher] = [await neighbourhood.begin('a'), await neighbourhood.begin('b')] as const
      lower.links.want(['b'])
      await scheduler.advance(random.random() * 8)
      higher.links.want(['a'])
      await scheduler.advance(5000)
      // Where neither knew, the higher one had a link of its own for a moment.
      assert.deepEqual(lower.told, ['up b'], `seed ${seed}`)
      assert.equal(higher.told.at(-1), 'up a', `seed ${seed}`)
      replaced += higher.told.length - 1
      const ends = [lower, higher] as const
      for (const { told } of ends) told.length = 0
      ends[seed % 2 === 0 ? 0 : 1].links.closeLink((seed % 2 === 0 ? 'b' : 'a') as MemberId, 'for the test')
      await scheduler.advance(5000)
      for (const { told } of ends) assert.match(told.at(-1) ?? '', /^up/, `seed ${seed}`)
      replaced += lower.told.length + higher.told.length - 4
      await Promise.all(ends.map(({ links }) => links.close()))
    }
    assert.ok(replaced < 25, `${replaced} links were replaced`)
  })

  it('replace a link of which the other end has gone without a word, once that is noticed there', async () => {
    for (const noticing of ['a', 'b'] as const) {
      const neighbourhood = new Neighbourhood(1)
      const { scheduler, network } = neighbourhood
      const ends = { a: await neighbourhood.begin('a'), b: await neighbourhood.begin('b') }
      const other = noticing === 'a' ? 'b' : 'a'
      for (const dialer of ['a', 'b'] as const) {
        ends[dialer].links.want([dialer === 'a' ? 'b' : 'a'])
        await scheduler.advance(1000)
      }
      network.resetHalf(ends[noticing].process, ends[other].process)
      await scheduler.advance(10_000)
      for (const { told } of Object.values(ends)) assert.equal(told.length, 3, told.join(', '))
      await Promise.all([ends.a.links.close(), ends.b.links.close()])
    }
  })

  it('end with a stranger who takes too long, and go on with others meanwhile', async () => {
    const neighbourhood = new Neighbourhood(1)
    const { scheduler, network } = neighbourhood
    const lower = await neighbourhood.begin('a')
    const { transport, about, ended } = strangerOf(network, scheduler)
    const hello = encodeHandshake({ type: 'hello', ...about })
    // Nothing; a hello, and no proof; and one hello after the other, which is out of turn.
    const said: readonly (readonly Uint8Array[])[] = [[], [hello], [hello, hello]]
    for (const frames of said) {
      const connection = await dialing(scheduler, transport)
      connection.open({ frame: () => {}, closed: () => ended.push(scheduler.now) })
      for (const frame of frames) connection.send(frame)
    }
    const higher = await neighbourhood.begin('b')
    higher.links.want(['a'])
    const { handshakeTimeoutMs } = defaultLimits.link
    await scheduler.advance(handshakeTimeoutMs - 100)
    assert.equal(ended.length, 1)
    await scheduler.advance(200)
    assert.equal(ended.length, 3)
    assert.deepEqual([lower.told, higher.told], [['up b'], ['up a']])
    await Promise.all([lower.links.close(), higher.links.close()])
  })

  it('answer none who says that it is another, or sends on what it was sent', async () => {
    const neighbourhood = new Neighbourhood(1)
    const { scheduler, network } = neighbourhood
    const lower = await neighbourhood.begin('a')
    const higher = await neighbourhood.begin('b')
    higher.links.want(['a'])
    await scheduler.advance(100)
    const { transport, about, ended } = strangerOf(network, scheduler)
    let welcomes = 0
    // In the name of b, whose link is up: with the proof of the other side, and with what it said itself.
    for (const reflect of ['proof', 'welcome', 'hello'] as const) {
      const connection = await dialing(scheduler, transport)
      const frame = (bytes: Uint8Array): void => {
        const welcome = decodeHandshake(bytes)
        if (welcome.type !== 'welcome') return
        welcomes += 1
        if (reflect === 'welcome') connection.send(bytes)
        else if (reflect === 'proof') connection.send(encodeHandshake({ type: 'proof', proof: welcome.proof }))
        else connection.send(encodeHandshake({ ...welcome, type: 'hello' }))
      }
      connection.open({ frame, closed: () => ended.push(scheduler.now) })
      connection.send(encodeHandshake({ type: 'hello', ...about, id: 'b' as MemberId, name: 'b', address: 'b' }))
    }
    await scheduler.advance(1000)
    assert.deepEqual([welcomes, ended.length], [3, 3])
    assert.deepEqual([lower.told, higher.told], [['up b'], ['up a']])
    await Promise.all([lower.links.close(), higher.links.close()])
  })
})

/** Somebody on the network who has no secret. */
function strangerOf(network: VirtualNetwork, scheduler: Scheduler) {
  const process = new VirtualProcess('stranger', scheduler, { offsetMs: 0, rate: 1, timersFirst: false })
  const random = new Random(1, 'stranger')
  const about: Introduction = {
    version: protocolVersion,
    id: 'stranger' as MemberId,
    name: 'stranger',
    address: 'stranger',
    cluster: 'cluster',
    features: 1,
    incarnation: random.bytes(16),
    nonce: random.bytes(16),
  }
  const ended: number[] = []
  return { transport: network.transport(process, 'stranger'), about, ended }
}

async function dialing(scheduler: Scheduler, transport: Transport): Promise<Connection> {
  const limits = { frameBytesMax: 4096, unprovenBytesMax: 4096, dialTimeoutMs: 1000 }
  const dialed = transport.dial('a', limits, new AbortController().signal)
  await scheduler.advance(10)
  return dialed
}
