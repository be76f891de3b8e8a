/** Both sides of the protocol against each other: our client over the gateway. Against ZooKeeper: test/zookeeper. */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { EnsembleLink } from '../../../adapters/zookeeper/ensemble-link.ts'
import { connectZooKeeper, serveZooKeeper } from '../../../adapters/zookeeper/index.ts'
import { Session } from '../../../lib/api/session.ts'
import { codecOf } from '../../../lib/api/values.ts'
import { joinEnsemble } from '../../../lib/index.ts'
import type { Timer } from '../../../lib/ports/clock.ts'
import type { SessionItem, SessionOpening } from '../../../lib/ports/session-link.ts'
import { SystemClock } from '../../../lib/runtime/system-clock.ts'
import { SystemEntropy } from '../../../lib/runtime/system-entropy.ts'
import { freePorts } from '../../free-ports.ts'
import { until } from '../../join/fixture.ts'

/** The clock of a process that is stopped now and then: time has passed, and no timer has fired. */
class SleepyClock extends SystemClock {
  #overslept = 0

  override now(): number {
    return super.now() + this.#overslept
  }

  oversleep(ms: number): void {
    this.#overslept += ms
  }
}

/** Time passes when the test says so, as far as the next timer. */
class ManualClock extends SystemClock {
  #now = 1000
  readonly #due = new Map<number, (() => void)[]>()

  override now(): number {
    return this.#now
  }

  override setTimer(delayMs: number, callback: () => void): Timer {
    const at = this.#now + delayMs
    const callbacks = this.#due.get(at) ?? []
    this.#due.set(at, [...callbacks, callback])
    return {
      cancel: () => {
        const left = this.#due.get(at)?.filter((one) => one !== callback) ?? []
        if (left.length === 0) this.#due.delete(at)
        else this.#due.set(at, left)
      },
    }
  }

  override defer(callback: () => void): void {
    queueMicrotask(callback)
  }

  /** Returns whether there was any. */
  async next(through = Number.POSITIVE_INFINITY): Promise<boolean> {
    const at = Math.min(...this.#due.keys())
    if (at > through || at === Number.POSITIVE_INFINITY) return false
    const callbacks = this.#due.get(at) ?? []
    this.#due.delete(at)
    this.#now = at
    for (const callback of callbacks) callback()
    await new Promise((resolve) => setImmediate(resolve))
    return true
  }
}

describe('our client over the gateway', () => {
  it('has the same tree, and goes on with its session at another gateway', async () => {
    const coord = await joinEnsemble({ valueEncoding: 'utf8' })
    const gateways = [await serveZooKeeper(coord, { port: 0 }), await serveZooKeeper(coord, { port: 0 })]
    const servers = gateways.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const client = await connectZooKeeper(`${servers}/app`, { valueEncoding: 'utf8' })
    try {
      await coord.create('/app')
      await client.create('/a/b', 'one', { parents: true })
      assert.equal((await coord.getData('/app/a/b')).data, 'one')
      const { stat } = await client.createWithStat('/a/e', '', { mode: 'ephemeral' })
      assert.equal(stat.ephemeralOwner, client.session.id)
      const heard: string[] = []
      await client.getData('/a/b', { watch: ({ type, path }) => heard.push(`${type} ${path}`) })
      await client.addWatch('/a', 'persistent-recursive', ({ type, path }) => heard.push(`always ${type} ${path}`))

      const suspended = new Promise<void>((resolve) => {
        client.on('state', (next) => {
          if (next === 'suspended') resolve()
        })
      })
      // Its connection is to one of them: that goes with its gateway.
      await gateways[0]?.close()
      const isElsewhere = await Promise.race([suspended.then(() => true), sleep(200, false)])
      await coord.setData('/app/a/b', 'two')
      assert.equal((await client.getData('/a/b')).data, 'two')
      assert.equal(stat.ephemeralOwner, client.session.id)
      await client.sync()
      // A persistent watch does not tell what happened between two connections; a one-shot watch does.
      assert.ok(heard.includes('changed /a/b'))
      assert.ok(isElsewhere || heard.includes('always changed /a/b'))
      await client.delete('/a', { recursive: true })
      await client.sync()
      assert.deepEqual(heard.slice(-3).sort(), ['always deleted /a', 'always deleted /a/b', 'always deleted /a/e'])
      assert.equal(heard.at(-1), 'always deleted /a')
    } finally {
      await client.close()
      assert.deepEqual(await coord.exists('/app/a'), undefined)
      for (const gateway of gateways) await gateway.close()
      await coord.close()
    }
  })

  it('holds nothing any more when its process wakes up too late, before anything else happens', async () => {
    const coord = await joinEnsemble()
    const gateway = await serveZooKeeper(coord, { port: 0 })
    const clock = new SleepyClock()
    let isOpen: (() => void) | undefined
    const opened = new Promise<void>((resolve) => {
      isOpen = resolve
    })
    const door = {
      open: (opening: SessionOpening, deliver: (item: SessionItem) => void) =>
        new EnsembleLink(
          { servers: [{ host: '127.0.0.1', port: gateway.port }], clock, random: () => 0.5, tls: undefined },
          opening,
          (item) => {
            deliver(item)
            if (item.kind === 'state' && item.state === 'connected') isOpen?.()
          },
        ),
    }
    const options = { door, clock, entropy: new SystemEntropy(), timeoutMs: 4_000, requestTimeoutMs: 4_000 }
    const session = new Session(options, codecOf('view'))
    await opened
    await session.exists('/')
    let isHeld = true
    session.hold(() => {
      isHeld = false
    })
    assert.ok(session.isCertain)
    clock.oversleep(3_900)
    assert.ok(isHeld)
    clock.oversleep(200)
    assert.equal(session.isCertain, false)
    // The answer to what is asked then comes after the news.
    await session.exists('/').catch(() => {})
    assert.equal(isHeld, false)
    await session.close({ timeoutMs: 10 })
    await gateway.close()
    await coord.close()
  })

  it('says that a session is lost when its certainty ends, not at the next time that it looks', async () => {
    const coord = await joinEnsemble()
    const gateway = await serveZooKeeper(coord, { port: 0 })
    const clock = new ManualClock()
    const states: string[] = []
    const link = new EnsembleLink(
      { servers: [{ host: '127.0.0.1', port: gateway.port }], clock, random: () => 0.5, tls: undefined },
      { timeoutMs: 3_000, requestTimeoutMs: 3_000 },
      (item) => {
        if (item.kind === 'state') states.push(item.state)
      },
    )
    while (await clock.next(clock.now())) {
      // It dials.
    }
    await until('the session is open', () => states.includes('connected'))
    await gateway.close()
    const end = link.confirmedUntil
    assert.ok(end > clock.now() && end < clock.now() + link.timeoutMs)
    while (!states.includes('lost')) assert.ok(await clock.next())
    assert.equal(clock.now(), end)
    await coord.close()
  })

  it('says what certainly did not happen when nobody is there any more', async () => {
    const coord = await joinEnsemble()
    const gateway = await serveZooKeeper(coord, { port: 0 })
    const client = await connectZooKeeper(`127.0.0.1:${gateway.port}`, { requestTimeoutMs: 200 })
    await gateway.close()
    await coord.close()
    await assert.rejects(client.create('/x'), (error: Error & { code?: string }) =>
      ['COORD_NO_QUORUM', 'COORD_CONNECTION_LOSS'].includes(error.code ?? ''),
    )
    await assert.rejects(client.create('/x'), { code: 'COORD_NO_QUORUM', retryable: true })
    await client.close({ timeoutMs: 10 })
  })

  it('takes its watches and proofs into its next session, however long that takes to be opened', async () => {
    const coord = await joinEnsemble()
    const [port = 0] = await freePorts(1)
    const options = { port, sessionTimeoutMinMs: 500 }
    const first = await serveZooKeeper(coord, options)
    const client = await connectZooKeeper(`127.0.0.1:${port}`, { requestTimeoutMs: 100, sessionTimeoutMs: 500 })
    const heard: string[] = []
    await client.addAuth('digest', 'ann:secret')
    await client.exists('/awaited', { watch: ({ type }) => heard.push(type) })
    const { id } = client.session
    await first.close()
    await until('its session is lost', () => client.session.id !== id)
    // Longer than a call may wait.
    await sleep(200)
    const second = await serveZooKeeper(coord, options)
    await until('it is connected', () => client.state === 'connected')
    await coord.create('/awaited')
    await until('it has heard', () => heard.length > 0)
    assert.deepEqual(heard, ['created'])
    const identities = await until('it is asked', () => client.whoAmI().catch(() => undefined))
    assert.ok(
      identities.some(({ id: user }) => user === 'ann'),
      JSON.stringify(identities),
    )
    await client.close({ timeoutMs: 100 })
    await second.close()
    await coord.close()
  })
})
