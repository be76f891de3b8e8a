import assert from 'node:assert/strict'
import type { Held, LeaderView } from '../../lib/recipes/index.ts'
import { createTestEnsemble } from '../../lib/testing/index.ts'

describe('elect', () => {
  it('elects one; the next one when it goes; and says so to who observes', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'utf8' })
    const terms: string[] = []
    const seen: (string | undefined)[] = []
    const elections = ensemble.coords.map((coord, index) =>
      coord.elect('/election', {
        data: `candidate ${index}`,
        onElected: () => terms.push(`${index}`),
        onLeader: (leader: LeaderView<string> | undefined) => seen.push(leader?.data),
      }),
    )
    await ensemble.advance(1000)
    assert.equal(elections.filter(({ isLeader }) => isLeader).length, 1)
    const first = elections.findIndex(({ isLeader }) => isLeader)
    const token = elections[first]?.term?.token as bigint
    await ensemble.until(elections[first]?.close() as Promise<void>)
    await ensemble.advance(1000)
    const second = elections.findIndex(({ isLeader }) => isLeader)
    assert.notEqual(second, first)
    assert.ok((elections[second]?.term?.token as bigint) > token)
    assert.equal(terms.length, 2)
    assert.ok(seen.includes(`candidate ${second}`), seen.join())
    await ensemble.until(Promise.all(elections.map((one) => one.close())))
    await ensemble.advance(100)
  })

  it('tells that nobody leads', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, valueEncoding: 'utf8' })
    const [a, b] = ensemble.coords
    const election = a.elect('/e', { onElected: () => undefined, data: 'a' })
    await ensemble.advance(100)
    const seen: (string | undefined)[] = []
    const observer = b.elect('/e', {
      onElected: () => new Promise(() => {}),
      onLeader: (leader) => seen.push(leader?.data),
    })
    await ensemble.advance(100)
    assert.deepEqual(seen, ['a'])
    await ensemble.until(election.close())
    await ensemble.advance(100)
    assert.ok(observer.isLeader)
  })

  it('ends a term whose callback rejects, says why, and stands again after a pause', async () => {
    await using ensemble = await createTestEnsemble({ size: 1 })
    const [a] = ensemble.coords
    let calls = 0
    const failures: unknown[] = []
    const election = a.elect('/e', {
      onElected: () => {
        calls += 1
        if (calls < 3) throw new Error(`failure ${calls}`)
      },
    })
    election.on('failed', (error) => failures.push((error as Error).message))
    await ensemble.advance(500)
    assert.deepEqual([calls, election.isLeader], [1, false])
    await ensemble.advance(10_000)
    assert.deepEqual([calls, election.isLeader], [3, true])
    assert.deepEqual(failures, ['failure 1', 'failure 2'])
  })

  it('begins no term before the callback of the last one has settled', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000 })
    const [a, b, c] = ensemble.coords
    let running = 0
    let calls = 0
    const finish: (() => void)[] = []
    const election = a.elect('/e', {
      onElected: async () => {
        calls += 1
        running += 1
        assert.equal(running, 1)
        await new Promise<void>((resolve) => finish.push(resolve))
        running -= 1
      },
    })
    await ensemble.advance(100)
    assert.equal(calls, 1)
    ensemble.partition([a], [b, c])
    await ensemble.advance(10_000)
    ensemble.heal()
    await ensemble.advance(10_000)
    assert.deepEqual([calls, election.isLeader], [1, false])
    finish[0]?.()
    await ensemble.advance(1000)
    assert.deepEqual([calls, election.isLeader], [2, true])
    finish[1]?.()
  })

  it('resigns to the next in line, and comes last', async () => {
    await using ensemble = await createTestEnsemble({ size: 2 })
    const elections = ensemble.coords.map((coord) => coord.elect('/e', { onElected: () => undefined }))
    await ensemble.advance(100)
    for (let turn = 0; turn < 4; turn += 1) {
      const leader = elections.findIndex(({ isLeader }) => isLeader)
      await ensemble.until(elections[leader]?.resign() as Promise<void>)
      await ensemble.advance(100)
      assert.ok(elections[1 - leader]?.isLeader)
    }
  })

  it('hands over at once when the coord of the leader closes', async () => {
    await using ensemble = await createTestEnsemble({ size: 3 })
    const [a, b] = ensemble.coords
    a.elect('/e', { onElected: () => undefined })
    await ensemble.advance(100)
    const second = b.elect('/e', { onElected: () => undefined })
    await ensemble.advance(100)
    assert.equal(second.isLeader, false)
    await ensemble.until(a.close())
    await ensemble.advance(10)
    assert.ok(second.isLeader)
  })
})

describe('singleton', () => {
  it('runs on one process, and on another one when that crashes', async () => {
    await using ensemble = await createTestEnsemble({ size: 3, sessionTimeoutMs: 4000 })
    const running = new Map<number, Held>()
    ensemble.coords.forEach((coord, index) => {
      coord.singleton('job', (term) => {
        running.set(index, term)
        term.signal.addEventListener('abort', () => running.delete(index))
      })
    })
    await ensemble.advance(1000)
    assert.equal(running.size, 1)
    const [first] = [...running.keys()] as [number]
    ensemble.crash(ensemble.coords[first] as (typeof ensemble.coords)[number])
    running.delete(first)
    await ensemble.advance(20_000)
    assert.equal(running.size, 1)
    assert.throws(() => ensemble.coords[(first + 1) % 3]?.singleton('a/b', () => undefined), TypeError)
  })
})
