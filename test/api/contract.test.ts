/** What the conventions of the API promise of everything: errors of misuse, JSON, listeners, ends. */
import assert from 'node:assert/strict'
import type { Coord, Session } from '../../lib/index.ts'
import * as recipes from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { warningsDuring } from '../uncaught.ts'

const odd = (value: unknown): never => value as never

/** Of each call that gives a promise, one that cannot be meant. */
const misuses: Record<string, (coord: Coord) => Promise<unknown>> = {
  create: (coord) => coord.create('a'),
  'create, mode': (coord) => coord.create('/a', undefined, { mode: odd('eternal') }),
  'create, parents': (coord) => coord.create('/a', undefined, { parents: odd('yes') }),
  'create, options': (coord) => coord.create('/a', undefined, odd('ephemeral')),
  createWithStat: (coord) => coord.createWithStat('/a/'),
  delete: (coord) => coord.delete('/a', { version: odd('1') }),
  'delete, recursive': (coord) => coord.delete('/a', { recursive: odd(1) }),
  exists: (coord) => coord.exists('/a', { watch: odd(true) }),
  getData: (coord) => coord.getData(odd(undefined)),
  setData: (coord) => coord.setData('/a', odd('text')),
  getChildren: (coord) => coord.getChildren('/', { limit: 0 }),
  getMode: (coord) => coord.getMode(''),
  getAllChildrenNumber: (coord) => coord.getAllChildrenNumber('//'),
  getEphemerals: (coord) => coord.getEphemerals(odd(1)),
  getAcl: (coord) => coord.getAcl('a'),
  setAcl: (coord) => coord.setAcl('/a', odd('world:anyone')),
  addAuth: (coord) => coord.addAuth('digest', odd(1)),
  whoAmI: (coord) => coord.whoAmI({ signal: odd(1) }),
  sync: (coord) => coord.sync('a'),
  awaitZxid: (coord) => coord.awaitZxid(odd(1)),
  multi: (coord) => coord.multi(odd({})),
  'multi, ifHeld': (coord) => coord.multi([], { ifHeld: odd({ path: '/a', token: 1 }) }),
  multiRead: (coord) => coord.multiRead([{ type: odd('getAcl'), path: '/' }]),
  addWatch: (coord) => coord.addWatch('/', odd('recursive'), () => {}),
  removeWatches: (coord) => coord.removeWatches('/', odd('all')),
  getQuota: (coord) => coord.getQuota('a'),
  setQuota: (coord) => coord.setQuota('/a', {}),
  deleteQuota: (coord) => coord.deleteQuota('a'),
  openSession: (coord) => coord.openSession({ attach: odd({}) }),
  reconfigure: (coord) => coord.reconfigure({ voters: 2 }),
  transferLeadership: (coord) => coord.transferLeadership(odd(1)),
  canStop: (coord) => coord.canStop({ signal: odd(1) }),
  exportSnapshot: (coord) => coord.exportSnapshot(''),
  lock: (coord) => coord.lock('lock'),
  'lock, options': (coord) => coord.lock('/lock', odd(5)),
  'lock, timeoutMs, type': (coord) => coord.lock('/lock', { timeoutMs: odd('5') }),
  acquire: (coord) => coord.semaphore('/s', 1).acquire({ timeoutMs: Number.NaN }),
  'register, description': (coord) => coord.services.register('api', odd('http://here')),
  'lock, timeoutMs': (coord) => coord.lock('/lock', { timeoutMs: -1 }),
  tryLock: (coord) => coord.tryLock('lock'),
  withLock: (coord) => coord.withLock('lock', () => 1),
  lockAll: (coord) => coord.lockAll([]),
  claim: (coord) => coord.claim(''),
  'claim, keptMs': (coord) => coord.claim('key', { keptMs: 0 }),
  cache: (coord) => coord.cache('/v', { parse: odd('json') }),
  treeCache: (coord) => coord.treeCache('v'),
  put: (coord) => coord.queue('/q').put(odd('text')),
  'put, priority': (coord) => coord.queue('/q').put(new Uint8Array(1), { priority: 1 }),
  add: (coord) => coord.counter('/c').add(odd('1')),
  compareAndSet: (coord) => coord.counter('/c').compareAndSet(0.5, 1),
  resize: (coord) => coord.semaphore('/s', 1).resize(0),
  bind: (coord) => coord.names('/n').bind('a/b', '/x'),
  register: (coord) => coord.services.register('api', { address: '', port: 1 }),
  'services.watch': (coord) => coord.services.watch('api', { strategy: odd('best') }),
  'services.watch, filter': (coord) => coord.services.watch('api', { filter: odd('all') }),
  join: (coord) => coord.group('/g').join(undefined, { name: 'a~b' }),
  submit: (coord) => coord.workers('/w').submit(odd('text')),
  work: (coord) => coord.workers('/w').work(odd(undefined)),
  'recipes.lock': (coord) => recipes.lock(coord, 'lock'),
  'recipes.lock, no client': () => recipes.lock(odd(undefined), '/lock'),
  'recipes.claim, no client': () => recipes.claim(odd({}), 'key'),
  'recipes.counter': (coord) => recipes.counter(coord, '/c').add(Number.NaN),
}

describe('misuse', () => {
  it('rejects with a TypeError or RangeError, throws nothing at once, and nothing is sent', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const { lastZxid } = a.member
    for (const [name, misuse] of Object.entries(misuses)) {
      let promise: Promise<unknown> | undefined
      assert.doesNotThrow(() => {
        promise = misuse(a)
      }, name)
      const error = await ensemble.until(
        (promise as Promise<unknown>).then(
          () => undefined,
          (reason: unknown) => reason,
        ),
      )
      assert.ok(error instanceof TypeError || error instanceof RangeError, `${name}: ${String(error)}`)
    }
    await ensemble.advance(10)
    assert.equal(a.member.lastZxid, lastZxid)
  })
})

describe('whatever holds a bigint', () => {
  it('can be logged and sent', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.queue('/q').put(new Uint8Array(1))
    const told: unknown[] = []
    a.elect('/e', { onElected: (term) => told.push(term), onLeader: (leader) => leader && told.push(leader) })
    a.schedule('s', { everyMs: 1000 }, (firing) => told.push(firing))
    await ensemble.until(a.workers('/w').work((_task, run) => told.push(run)))
    await a.workers('/w').submit(new Uint8Array(1))
    await ensemble.advance(2000)
    const held = [
      await a.lock('/l'),
      await a.semaphore('/s', 1).acquire(),
      await a.queue('/q').take(),
      await a.lockAll(['/m']),
    ]
    assert.ok(told.length >= 4)
    for (const one of [...told, ...held]) assert.match(JSON.stringify(one), /"token":"\d+"/)
    assert.match(JSON.stringify(held[2]), /"held":true,"attempt":1/)
  })
})

describe('the listeners of a session', () => {
  it('are the application’s: many recipes add none to them', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const session = await ensemble.until(ensemble.coords[0].openSession())
    const warnings = await warningsDuring(async () => {
      const waits = Array.from({ length: 20 }, () => recipes.lock(session, '/l', { timeoutMs: 100 }).catch(() => {}))
      await ensemble.until(Promise.all(waits))
    })
    assert.deepEqual(warnings, [])
    assert.equal(session.listenerCount('state'), 0)
  })

  it('may all be removed: a client renews its session all the same', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const { id } = a.session
    a.session.removeAllListeners()
    ensemble.expireSession(a)
    await ensemble.advance(10)
    assert.notEqual(a.session.id, id)
    assert.equal(await ensemble.until(a.create('/x')), '/x')
  })
})

describe('a session that is closed', () => {
  it('is closed, and not lost, also where no quorum could be told', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b, c] = ensemble.coords
    const session: Session = await ensemble.until(a.openSession())
    const states: string[] = []
    session.on('state', (next) => states.push(next))
    ensemble.partition([a], [b, c])
    await ensemble.advance(5000)
    await ensemble.until(session.close({ timeoutMs: 100 }))
    assert.deepEqual([states, session.state, session.loss], [['suspended', 'closed'], 'closed', undefined])
    await ensemble.advance(20_000)
    assert.deepEqual(states, ['suspended', 'closed'])
  })
})

describe('a stream that is closed', () => {
  it('ends at once, also while it waits for a quorum to be opened', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, requestTimeoutMs: 20_000, sessionTimeoutMs: 30_000 })
    const [a, b, c] = ensemble.coords
    ensemble.partition([a], [b, c])
    await ensemble.advance(5000)
    const watch = a.watch('/')
    const next = watch.next()
    await ensemble.advance(10)
    const { now } = ensemble
    await watch.close()
    assert.equal((await ensemble.until(next)).done, true)
    assert.equal(ensemble.now, now)
  })
})

describe('what stays a risk', () => {
  it('is told once: two voters, and voters without a store', async () => {
    await using ensemble = await createTestEnsemble({ size: 2, durable: [true, false], voters: 3 })
    const [a, b] = ensemble.coords
    const warnings: string[][] = [[], []]
    a.member.on('warning', (text) => warnings[0]?.push(text))
    b.member.on('warning', (text) => warnings[1]?.push(text))
    await ensemble.advance(100)
    const about = (texts: readonly string[] = []): boolean[] => [
      texts.some((text) => text.includes('two voters')),
      texts.some((text) => text.includes('in memory alone')),
    ]
    assert.deepEqual(
      [about(warnings[0]), about(warnings[1])],
      [
        [true, false],
        [true, true],
      ],
    )
    const counts = warnings.map(({ length }) => length)
    await ensemble.join({ name: 'c' })
    await ensemble.advance(10_000)
    assert.equal(a.member.members.filter(({ voter }) => voter).length, 3)
    assert.deepEqual(
      warnings.map(({ length }) => length),
      counts,
    )
  })
})

describe('a coord that closes', () => {
  it('waits for the tasks that its workers do', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    let settled = false
    const jobs = a.workers('/w')
    await ensemble.until(
      jobs.work(async (_task, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        await ensemble.sleep(500)
        settled = true
      }),
    )
    await jobs.submit(new Uint8Array(1))
    await ensemble.advance(100)
    await ensemble.until(a.close())
    assert.ok(settled)
  })
})
