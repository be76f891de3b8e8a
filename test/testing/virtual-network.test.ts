/** The virtual network by itself: what it promises, and which promises the hostile one breaks. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import type { Connection } from '../../lib/ports/transport.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'
import { type Misdeed, VirtualNetwork } from '../../lib/testing/virtual-network.ts'

const limits = { frameBytesMax: 100, dialTimeoutMs: 1_000 }

class Fixture {
  readonly scheduler = new Scheduler()
  readonly misdeeds: Misdeed[] = []
  readonly network = new VirtualNetwork(this.scheduler, 1, {
    delayMs: { min: 1, max: 5 },
    onMisdeed: (what) => this.misdeeds.push(what),
  })
  readonly a = this.#process('a')
  readonly b = this.#process('b')
  readonly received: number[] = []
  readonly closed: string[] = []

  #process(name: string): VirtualProcess {
    return new VirtualProcess(name, this.scheduler, { offsetMs: 0, rate: 1, timersFirst: false })
  }

  async listen(): Promise<void> {
    const accept = (connection: Connection): void =>
      connection.open({
        frame: (bytes) => this.received.push(bytes[0] as number),
        closed: (reason) => this.closed.push(`b: ${reason}`),
      })
    await this.network.transport(this.b, 'b').listen(accept, limits)
  }

  async dial(): Promise<Connection> {
    const dialing = this.network.transport(this.a, 'a').dial('b', limits, new AbortController().signal)
    await this.scheduler.advance(100)
    const connection = await dialing
    connection.open({ frame: () => {}, closed: (reason) => this.closed.push(`a: ${reason}`) })
    return connection
  }

  async connect(): Promise<Connection> {
    await this.listen()
    return this.dial()
  }
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const send = (connection: Connection, list: readonly number[]): void => {
  for (const number of list) connection.send(Uint8Array.of(number))
}

describe('the virtual network', () => {
  it('lets go of the signal of a dial that has ended, and makes no connection once it was aborted', async () => {
    const fixture = new Fixture()
    await fixture.listen()
    const { network, scheduler, a } = fixture
    const abort = new AbortController()
    const dials = ['b', 'nobody'].map((to) => network.transport(a, 'a').dial(to, limits, abort.signal))
    const settled = Promise.allSettled(dials)
    await scheduler.advance(100)
    assert.deepEqual(
      (await settled).map(({ status }) => status),
      ['fulfilled', 'rejected'],
    )
    assert.deepEqual(getEventListeners(abort.signal, 'abort'), [])

    const before = network.connections.size
    const late = network.transport(a, 'a').dial('b', limits, abort.signal)
    abort.abort()
    await assert.rejects(late, /aborted/)
    await scheduler.advance(100)
    assert.equal(network.connections.size, before)
  })

  it('keeps the order, whatever each frame takes', async () => {
    const fixture = new Fixture()
    send(await fixture.connect(), numbers(50))
    await fixture.scheduler.advance(10)
    assert.deepEqual(fixture.received, numbers(50))
  })

  it('lets wait what is sent into a partition, which may be cut twice', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.block('a', 'b')
    fixture.network.block('a', 'b')
    send(connection, [1, 2])
    fixture.network.unblock('a', 'b')
    await fixture.scheduler.advance(1_000)
    assert.deepEqual(fixture.received, [])
    assert.equal(connection.bufferedBytes, 2)
    fixture.network.unblock('a', 'b')
    await fixture.scheduler.advance(10)
    assert.deepEqual(fixture.received, [1, 2])
  })

  it('takes its time where a link is narrow', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.narrow('a', 'b', 0.01)
    send(connection, [1, 2, 3])
    await fixture.scheduler.advance(150)
    assert.deepEqual(fixture.received, [1])
    assert.equal(connection.bufferedBytes, 2)
    await fixture.scheduler.advance(200)
    assert.deepEqual(fixture.received, [1, 2, 3])
    assert.equal(connection.bufferedBytes, 0)
  })

  it('lets go at once what a narrow link held up when it is wide again', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.narrow('a', 'b', 0.000_01)
    send(connection, [1, 2, 3])
    await fixture.scheduler.advance(1_000)
    assert.deepEqual(fixture.received, [])
    fixture.network.heal()
    await fixture.scheduler.advance(20)
    assert.deepEqual(fixture.received, [1, 2, 3])
  })

  it('closes a connection that gets too large a frame', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    connection.send(new Uint8Array(101))
    await fixture.scheduler.advance(20)
    assert.match(fixture.closed.join(), /b: a frame of 101 bytes/)
    assert.match(fixture.closed.join(), /a: closed by the other side/)
  })

  it('tells one end alone of half a reset, and nothing gets through any more', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.resetHalf(fixture.b, fixture.a)
    send(connection, [1])
    await fixture.scheduler.advance(100)
    assert.deepEqual(fixture.received, [])
    assert.deepEqual(fixture.closed, ['b: reset'])
  })

  it('is silent about a machine that vanishes', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.b.kill()
    fixture.network.abandon(fixture.b, true)
    send(connection, [1])
    await fixture.scheduler.advance(10_000)
    assert.deepEqual(fixture.closed, [])
    connection.close('given up')
    await fixture.scheduler.advance(10)
    assert.deepEqual(fixture.closed, ['a: given up'])
  })

  it('loses, repeats and reorders where it is hostile, and counts', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.antagonize('a', 'b', { lose: 0.1, repeat: 0.1, reorder: 0.1, intrude: 0 })
    send(connection, numbers(100))
    await fixture.scheduler.advance(1_000)
    const count = (what: Misdeed): number => fixture.misdeeds.filter((misdeed) => misdeed === what).length
    assert.ok(count('lost') > 0 && count('repeated') > 0 && count('reordered') > 0)
    assert.equal(fixture.received.length, 100 - count('lost') + count('repeated'))
    assert.notDeepEqual(
      fixture.received,
      [...fixture.received].sort((one, other) => one - other),
    )
  })

  it('lets bytes of an old connection come out of a new one where it is hostile', async () => {
    const fixture = new Fixture()
    const connection = await fixture.connect()
    fixture.network.antagonize('a', 'b', { lose: 0, repeat: 0, reorder: 0, intrude: 1 })
    send(connection, [7])
    await fixture.scheduler.advance(10)
    connection.close()
    await fixture.dial()
    await fixture.scheduler.advance(1_000)
    assert.deepEqual(fixture.received, [7, 7])
    assert.deepEqual(fixture.misdeeds, ['intruded'])
  })
})
