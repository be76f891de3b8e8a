/** What the application's own functions throw: it never breaks a recipe, and never gets lost. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { joinEnsemble, verifySnapshot } from '../../lib/index.ts'
import type { LeaderView, ServiceInstance } from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'
import { uncaughtDuring, warningsDuring } from '../uncaught.ts'

describe('a function of the application that throws', () => {
  it('a filter of services: the instance is not listed, the others are, and the process is told', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    await a.services.register('api', { address: 'good', port: 1 })
    await a.services.register('api', { address: 'bad', port: 2 })
    const filter = ({ address }: ServiceInstance): boolean => {
      if (address === 'bad') throw new Error('of the application')
      return true
    }
    const addresses: string[] = []
    const caught = await uncaughtDuring(2, async () => {
      const view = await ensemble.until(a.services.watch('api', { filter }))
      await a.services.register('api', { address: 'later', port: 3 })
      await ensemble.advance(10)
      addresses.push(...view.instances.map(({ address }) => address).sort())
    })
    assert.deepEqual(addresses, ['good', 'later'])
    assert.ok(caught.every((error) => (error as Error).message === 'of the application'))
  })

  it('onLeader: is reported as a listener’s error is, and hears of the next leader', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, valueEncoding: 'utf8' })
    const [a] = ensemble.coords
    const heard: (string | undefined)[] = []
    const caught = await uncaughtDuring(1, async () => {
      const first = a.elect('/e', { data: 'first', onElected: () => undefined })
      await ensemble.advance(10)
      a.elect('/e', {
        data: 'second',
        onElected: () => undefined,
        onLeader: (leader: LeaderView<string> | undefined) => {
          heard.push(leader?.data)
          if (heard.length === 1) throw new Error('of the application')
        },
      })
      await ensemble.advance(10)
      await ensemble.until(first.close())
      await ensemble.advance(10)
    })
    assert.deepEqual([heard[0], heard.at(-1)], ['first', 'second'])
    assert.equal(caught.length, 1)
  })

  it('onElected, a job or a task: without a listener of `failed` the process prints a warning', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const fail = (): never => {
      throw new Error('of the application')
    }
    const warnings = await warningsDuring(async () => {
      a.singleton('mailer', fail)
      a.schedule('report', { everyMs: 60_000 }, fail)
      const jobs = a.workers('/jobs', { attempts: 1 })
      await ensemble.until(jobs.work(fail))
      const task = await jobs.submit(new Uint8Array(1))
      assert.equal(await ensemble.until(task.finished()), 'failed')
      await ensemble.advance(61_000)
    })
    const ours = warnings.filter(({ name }) => name === 'EmbeddedCoordWarning')
    for (const what of ['/singleton/mailer', '/schedule/report', '/jobs'])
      assert.ok(
        ours.some(({ message, detail }) => message.includes(what) && /of the application/.test(detail)),
        what,
      )
  })

  it('says nothing of a lock that was lost, and leaves the error to who listens', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const failures: unknown[] = []
    const warnings = await warningsDuring(async () => {
      a.singleton('one', async (term) => {
        await a.delete(term.path)
        await a.multi([{ type: 'create', path: '/x' }], { ifHeld: term })
      })
      a.singleton('two', () => Promise.reject(new Error('listened to'))).on('failed', (error) => failures.push(error))
      await ensemble.advance(100)
    })
    assert.equal((failures[0] as Error).message, 'listened to')
    assert.deepEqual(
      warnings.filter(({ name }) => name === 'EmbeddedCoordWarning'),
      [],
    )
  })
})

describe('the data of a candidate', () => {
  it('that does not encode is misuse, at once', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    const onElected = (): void => undefined
    assert.throws(() => a.elect('/e', { onElected, data: 'text' as never }), /set valueEncoding/)
    assert.throws(() => a.elect('/e', { onElected, onLeader: 'text' as never }), /onLeader must be a function/)
    await ensemble.advance(10)
    assert.equal(await a.exists('/e'), undefined)
  })

  it('that does not decode leaves its leader without data', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    a.elect('/e', { data: new Uint8Array([0xff]), onElected: () => undefined })
    await ensemble.advance(10)
    const heard: (LeaderView<string> | undefined)[] = []
    a.namespace('/', { valueEncoding: 'utf8' }).elect('/e', {
      onElected: () => undefined,
      onLeader: (leader) => heard.push(leader),
    })
    await ensemble.advance(10)
    assert.deepEqual([heard.length, heard[0]?.name, heard[0]?.data], [1, 'a', undefined])
    assert.match(JSON.stringify(heard), /"token":"\d+"/)
  })
})

describe('the progress of a snapshot', () => {
  it('that is told to a function that throws does not keep the file from being written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'embedded-coord-'))
    try {
      await using coord = await joinEnsemble()
      const file = join(folder, 'snapshot')
      const onProgress = (): never => {
        throw new Error('of the application')
      }
      await uncaughtDuring(2, async () => {
        const { digest } = await coord.exportSnapshot(file, { onProgress })
        assert.equal((await verifySnapshot(file, { onProgress })).digest, digest)
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('what a task fails with', () => {
  it('may be anything, of any length: the task is tried again, and fails at last', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, valueEncoding: 'utf8' })
    const [a] = ensemble.coords
    const jobs = a.workers('/jobs', { attempts: 2 })
    const worker = await ensemble.until(
      jobs.work((task) => {
        throw task === 'long' ? new Error('x'.repeat(2_000_000)) : Object.create(null)
      }),
    )
    let failures = 0
    worker.on('failed', () => {
      failures += 1
    })
    for (const what of ['long', 'bare']) {
      const task = await jobs.submit(what)
      assert.equal(await ensemble.until(task.finished()), 'failed')
    }
    assert.equal(failures, 4)
    const errors = (await jobs.status()).tasks.map(({ error }) => error ?? '')
    assert.ok(errors.every((error) => error.length > 0 && error.length <= 1000))
  })
})

describe('what a recipe cannot do any more', () => {
  it('is told once, until it can again: making a node anew, and reading', async () => {
    await using ensemble = await createTestEnsemble({ size: 1, valueEncoding: 'utf8' })
    const [a] = ensemble.coords
    const everything = { scheme: 'world', id: 'anyone', permissions: 'cdrwa' }
    const registration = await a.services.register('api', { address: 'here', port: 1 })
    await a.create('/value', 'one')
    const cache = await a.cache('/value')
    const worker = await ensemble.until(a.workers('/jobs').work(() => {}))
    const warnings = await warningsDuring(async () => {
      await a.setAcl('/services/api', [{ ...everything, permissions: 'dra' }])
      await a.setAcl('/jobs/workers', [{ ...everything, permissions: 'dra' }])
      await a.setAcl('/value', [{ ...everything, permissions: 'wa' }])
      ensemble.expireSession(a)
      await ensemble.advance(20_000)
    })
    const about = (path: string): number => warnings.filter(({ message }) => message.includes(path)).length
    assert.deepEqual([about('/services/api/'), about('/value'), about('/jobs')], [1, 1, 1])
    assert.equal(cache.value, 'one')
    for (const path of ['/services/api', '/jobs/workers', '/value']) await a.setAcl(path, [everything])
    await a.setData('/value', 'two')
    await ensemble.advance(5_000)
    assert.equal(cache.value, 'two')
    assert.equal((await a.getChildren('/services/api')).children.length, 1)
    assert.equal((await a.workers('/jobs').status()).workers.length, 1)
    const unassigned = await warningsDuring(async () => {
      await a.setAcl('/jobs/inbox', [{ ...everything, permissions: 'ra' }])
      for (const inbox of (await a.getChildren('/jobs/inbox')).children)
        await a.setAcl(`/jobs/inbox/${inbox}`, [{ ...everything, permissions: 'ra' }])
      await a.workers('/jobs').submit('task')
      await ensemble.advance(5_000)
    })
    assert.equal(unassigned.filter(({ message }) => message.includes('cannot be assigned')).length, 1)
    await ensemble.until(Promise.all([registration.close(), worker.close()]))
  })
})
