import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type AssignableTask,
  type AssignableWorker,
  assign,
  type Move,
  type PolicyName,
  policyNames,
} from '../../lib/recipes/assignment.ts'

const worker = (id: string, capacity = Number.POSITIVE_INFINITY): AssignableWorker => ({ id, name: id, capacity })
const tasks = (count: number, at?: string): AssignableTask[] =>
  Array.from({ length: count }, (_, index) => ({ id: `t${String(index).padStart(3, '0')}`, worker: at }))

/** Makes the moves as a master does: at once, or taken back first and free in the next round. */
function apply(before: readonly AssignableTask[], moves: readonly Move[], workers: readonly AssignableWorker[]) {
  const names = new Map(workers.map(({ id, name }) => [id, name]))
  return before.map((task): AssignableTask => {
    const move = moves.find(({ task: id }) => id === task.id)
    if (move?.to !== undefined) return { id: task.id, worker: move.to, lastName: names.get(move.to) }
    if (move !== undefined || task.isLeaving === true)
      return { id: task.id, worker: undefined, lastName: task.lastName }
    return task
  })
}

function settle(policy: PolicyName, before: readonly AssignableTask[], workers: readonly AssignableWorker[]) {
  let current = before
  let moved = 0
  for (let round = 0; ; round++) {
    assert.ok(round < 100, 'does not come to rest')
    const moves = assign(policy, current, workers)
    if (moves.length === 0 && !current.some(({ isLeaving }) => isLeaving === true)) break
    moved += moves.filter(({ from }) => from !== undefined).length
    current = apply(current, moves, workers)
  }
  const loads = new Map(workers.map(({ id }) => [id, 0]))
  for (const task of current) {
    if (task.worker !== undefined) loads.set(task.worker, (loads.get(task.worker) ?? 0) + 1)
  }
  return { tasks: current, loads, moved }
}

describe('assignment', () => {
  it('does nothing where nothing is to be done', () => {
    assert.deepEqual(assign('balanced', [], []), [])
    assert.deepEqual(assign('balanced', tasks(3), []), [])
    assert.deepEqual(assign('balanced', tasks(3, 'a'), [worker('a')]), [])
  })

  it('balanced: spreads what is free, and takes back no more than it must when one joins', () => {
    const spread = settle('balanced', tasks(9), [worker('a'), worker('b')])
    assert.deepEqual([...spread.loads.values()], [5, 4])
    const joined = settle('balanced', spread.tasks, [worker('a'), worker('b'), worker('c')])
    assert.deepEqual([...joined.loads.values()], [3, 3, 3])
    assert.equal(joined.moved, 3)
  })

  it('balanced: gives the tasks of one that is gone to the others at once', () => {
    const moves = assign('balanced', tasks(4, 'gone'), [worker('a'), worker('b')])
    assert.deepEqual(
      moves.map(({ from, to }) => [from, to]),
      [
        [undefined, 'a'],
        [undefined, 'b'],
        [undefined, 'a'],
        [undefined, 'b'],
      ],
    )
  })

  it('capacity: in proportion', () => {
    const { loads } = settle('capacity', tasks(40), [worker('a', 10), worker('b', 30), worker('c', 60)])
    assert.deepEqual([...loads.values()], [4, 12, 24])
  })

  it('sticky: back to the one that last had it; nothing moves from a live one', () => {
    const three = [worker('a'), worker('b'), worker('c')]
    const before = settle('sticky', tasks(30), three)
    const without = settle('sticky', before.tasks, [worker('a'), worker('b')])
    for (const task of before.tasks) {
      const now = without.tasks.find(({ id }) => id === task.id)
      if (task.worker !== 'c') assert.equal(now?.worker, task.worker)
    }
    assert.equal(settle('sticky', without.tasks, three).moved, 0)
    // It restarted under another id, before its tasks were given away.
    const back = settle('sticky', before.tasks, [worker('a'), worker('b'), { ...worker('c2'), name: 'c' }])
    for (const task of before.tasks) {
      const now = back.tasks.find(({ id }) => id === task.id)
      assert.equal(now?.worker, task.worker === 'c' ? 'c2' : task.worker)
    }
  })

  it('takes everything from one that drains, and gives it nothing', () => {
    for (const policy of policyNames) {
      const { loads } = settle(policy, tasks(6, 'a'), [{ ...worker('a'), isDraining: true }, worker('b')])
      assert.deepEqual([...loads.values()], [0, 6])
    }
  })

  it('comes to rest, within every capacity, with no task idle while there is room', () => {
    const oneOf = fc.record({
      policy: fc.constantFrom(...policyNames),
      capacities: fc.array(fc.constantFrom(1, 2, 3, 5, Number.POSITIVE_INFINITY), { maxLength: 6 }),
      tasks: fc.array(fc.record({ at: fc.nat({ max: 8 }), isLeaving: fc.boolean() }), { maxLength: 30 }),
      drains: fc.nat({ max: 12 }),
    })
    fc.assert(
      fc.property(oneOf, ({ policy, capacities, tasks: given, drains }) => {
        const workers = capacities.map((capacity, index) => ({
          ...worker(`w${index}`, capacity),
          isDraining: index === drains,
        }))
        // Never more at a worker than it takes: nobody assigns that.
        const used = new Map<string, number>()
        const before = given.map(({ at, isLeaving }, index): AssignableTask => {
          const id = `t${index}`
          const place = workers[at]
          const load = used.get(`w${at}`) ?? 0
          if (place === undefined || load >= place.capacity) return { id, worker: at > 7 ? 'gone' : undefined }
          used.set(`w${at}`, load + 1)
          return { id, worker: place.id, isLeaving }
        })
        const { tasks: after, loads } = settle(policy, before, workers)
        let room = 0
        for (const { id, capacity, isDraining } of workers) {
          const load = loads.get(id) ?? 0
          assert.ok(load <= capacity)
          if (isDraining) assert.equal(load, 0)
          else room += capacity - load
        }
        const idle = after.filter((task) => task.worker === undefined).length
        assert.ok(idle === 0 || room === 0, `${idle} idle, room for ${room}`)
        if (policy !== 'balanced' || idle > 0) return
        for (const most of workers) {
          for (const least of workers) {
            if (least.isDraining || most.isDraining) continue
            const [high, low] = [loads.get(most.id) ?? 0, loads.get(least.id) ?? 0]
            assert.ok(low === least.capacity || high - low <= 1, `${high} and ${low}`)
          }
        }
      }),
    )
  })
})
