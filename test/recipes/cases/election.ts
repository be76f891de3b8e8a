/** Elections and singletons, on any stage. */
import assert from 'node:assert/strict'
import type { Held, LeaderView } from '../../../lib/recipes/index.ts'
import type { OpenStage } from '../stage.ts'

export function electionCases(open: OpenStage): void {
  describe('elect', () => {
    it('elects one; the next one when it goes; and says so to who observes', async () => {
      await using stage = await open({ size: 3, valueEncoding: 'utf8' })
      const terms: string[] = []
      const seen: (string | undefined)[] = []
      const elections = stage.clients.map((coord, index) =>
        coord.elect('/election', {
          data: `candidate ${index}`,
          onElected: () => terms.push(`${index}`),
          onLeader: (leader: LeaderView<string> | undefined) => seen.push(leader?.data),
        }),
      )
      const leaders = (): number => elections.filter(({ isLeader }) => isLeader).length
      await stage.within(1000, () => assert.equal(leaders(), 1))
      const first = elections.findIndex(({ isLeader }) => isLeader)
      const token = elections[first]?.term?.token as bigint
      await stage.until(elections[first]?.close() as Promise<void>)
      await stage.within(1000, () => assert.equal(leaders(), 1))
      const second = elections.findIndex(({ isLeader }) => isLeader)
      assert.notEqual(second, first)
      assert.ok((elections[second]?.term?.token as bigint) > token)
      assert.equal(terms.length, 2)
      await stage.within(100, () => assert.ok(seen.includes(`candidate ${second}`), seen.join()))
      await stage.until(Promise.all(elections.map((one) => one.close())))
    })

    it('tells that nobody leads', async () => {
      await using stage = await open({ size: 3, valueEncoding: 'utf8' })
      const [a, b] = stage.clients
      const election = a.elect('/e', { onElected: () => undefined, data: 'a' })
      await stage.within(100, () => assert.ok(election.isLeader))
      await b.sync()
      const seen: (string | undefined)[] = []
      const observer = b.elect('/e', {
        onElected: () => new Promise(() => {}),
        onLeader: (leader) => seen.push(leader?.data),
      })
      await stage.within(100, () => assert.deepEqual(seen, ['a']))
      await stage.until(election.close())
      await stage.within(100, () => assert.ok(observer.isLeader))
    })

    it('ends a term whose callback rejects, says why, and stands again after a pause', async () => {
      await using stage = await open({ size: 1 })
      const [a] = stage.clients
      let calls = 0
      const failures: unknown[] = []
      const election = a.elect('/e', {
        onElected: () => {
          calls += 1
          if (calls < 3) throw new Error(`failure ${calls}`)
        },
      })
      election.on('failed', (error) => failures.push((error as Error).message))
      await stage.within(500, () => assert.ok(calls >= 1))
      if (stage.isVirtual) assert.deepEqual([calls, election.isLeader], [1, false])
      await stage.within(10_000, () => assert.deepEqual([calls, election.isLeader], [3, true]))
      assert.deepEqual(failures, ['failure 1', 'failure 2'])
    })

    it('begins no term before the callback of the last one has settled', async () => {
      await using stage = await open({ size: 3, sessionTimeoutMs: 4000 })
      const [a] = stage.clients
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
      await stage.within(100, () => assert.equal(calls, 1))
      const { id } = a.session
      stage.cutOff(a)
      await stage.within(10_000, () => assert.notEqual(a.session.id, id))
      stage.heal()
      await stage.within(10_000, () => assert.equal(a.state, 'connected'))
      await stage.quiet(1000)
      assert.deepEqual([calls, election.isLeader], [1, false])
      finish[0]?.()
      await stage.within(1000, () => assert.deepEqual([calls, election.isLeader], [2, true]))
      finish[1]?.()
    })

    it('resigns to the next in line, and comes last', async () => {
      await using stage = await open({ size: 2 })
      const elections = stage.clients.map((coord) => coord.elect('/e', { onElected: () => undefined }))
      await stage.within(100, async () => {
        assert.ok(elections.some(({ isLeader }) => isLeader))
        await stage.clients[0].sync()
        assert.equal((await stage.clients[0].getChildren('/e')).children.length, 2)
      })
      for (let turn = 0; turn < 4; turn += 1) {
        const leader = elections.findIndex(({ isLeader }) => isLeader)
        await stage.until(elections[leader]?.resign() as Promise<void>)
        await stage.within(100, async () => {
          assert.ok(elections[1 - leader]?.isLeader)
          // The one that resigned stands in the line again.
          await stage.clients[0].sync()
          assert.equal((await stage.clients[0].getChildren('/e')).children.length, 2)
        })
      }
    })

    it('hands over at once when the coord of the leader closes', async () => {
      await using stage = await open({ size: 3 })
      const [a, b] = stage.clients
      const first = a.elect('/e', { onElected: () => undefined })
      await stage.within(100, () => assert.ok(first.isLeader))
      const second = b.elect('/e', { onElected: () => undefined })
      await stage.quiet(100)
      assert.equal(second.isLeader, false)
      await stage.until(a.close())
      await stage.within(10, () => assert.ok(second.isLeader))
    })

    it('does not keep its client from closing, though the callback of a term never settles', async () => {
      await using stage = await open({ size: 2 })
      const [a, b] = stage.clients
      const stubborn = a.elect('/e', { onElected: () => new Promise(() => {}) })
      await stage.within(100, () => assert.ok(stubborn.isLeader))
      const next = b.elect('/e', { onElected: () => undefined })
      await stage.until(a.close({ timeoutMs: 100 }))
      assert.equal(stubborn.isLeader, false)
      await stage.within(100, () => assert.ok(next.isLeader))
    })
  })

  describe('singleton', () => {
    it('runs on one process, and on another one when that crashes', async () => {
      await using stage = await open({ size: 3, sessionTimeoutMs: 4000 })
      const running = new Map<number, Held>()
      stage.clients.forEach((coord, index) => {
        coord.singleton('job', (term) => {
          running.set(index, term)
          term.signal.addEventListener('abort', () => running.delete(index))
        })
      })
      await stage.within(1000, () => assert.equal(running.size, 1))
      const [first] = [...running.keys()] as [number]
      stage.crash(stage.clients[first] as (typeof stage.clients)[number])
      running.delete(first)
      await stage.within(20_000, () => assert.equal(running.size, 1))
      assert.throws(() => stage.clients[(first + 1) % 3]?.singleton('a/b', () => undefined), TypeError)
    })
  })
}
