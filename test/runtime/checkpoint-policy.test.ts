import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { levelStorage } from '../../adapters/storage-level/index.ts'
import { CheckpointPolicy } from '../../lib/runtime/checkpoint-policy.ts'
import { World } from '../../lib/testing/world.ts'

const limits = { checkpointEntries: 100, checkpointBytes: 10_000, checkpointShare: 0.5, checkpointSpread: 0 }

/** Applies entries, each of which makes a record, and has so many bytes of log. Returns the records at each checkpoint. */
function fill(records: number, bytes: number): number[] {
  const policy = new CheckpointPolicy(limits, 'a')
  const made: number[] = []
  for (let record = 1; record <= records; record += 1) {
    policy.noteApplied()
    policy.noteAppended(bytes)
    if (!policy.isDue(record, (made.at(-1) ?? 0) * bytes)) continue
    made.push(record)
    policy.begin()
  }
  return made
}

describe('checkpoints', () => {
  describe('are due', () => {
    it('after the minimum, and then at each doubling of a tree that only grows', () => {
      assert.deepEqual(fill(3000, 1), [100, 200, 400, 800, 1600])
      const written = fill(100_000, 1).reduce((sum, one) => sum + one, 0)
      assert.ok(written <= 300_000, `${written} records`)
    })

    it('by the bytes of the log as well, and in proportion to those of the last one', () => {
      assert.deepEqual(fill(200, 1000), [10, 20, 30, 45, 68, 102, 153])
    })

    it('in a state of one size, each time that the log is half as long', () => {
      const policy = new CheckpointPolicy(limits, 'a')
      let made = 0
      for (let entry = 1; entry <= 5000; entry += 1) {
        policy.noteApplied()
        policy.noteAppended(1)
        if (!policy.isDue(1000, 1000)) continue
        made += 1
        policy.begin()
      }
      assert.equal(made, 10)
    })

    it('at other times on other members, never later than the limits say', () => {
      const spread = { ...limits, checkpointSpread: 0.5 }
      const due = ['a', 'b', 'c', 'd', 'e'].map((member) => {
        const policy = new CheckpointPolicy(spread, member)
        const entries: number[] = []
        for (let entry = 1; entries.length < 3; entry += 1) {
          policy.noteApplied()
          if (!policy.isDue(1000, 0)) continue
          entries.push(entry)
          policy.begin()
          entry = 0
        }
        return entries
      })
      const all = due.flat()
      assert.ok(
        all.every((entry) => entry >= 250 && entry <= 500),
        all.join(),
      )
      assert.ok(new Set(all).size > 12, all.join())
    })

    it('counting what was in the log when the store was opened; and at once, where that is demanded', () => {
      const policy = new CheckpointPolicy(limits, 'a', 9_999)
      assert.equal(policy.isDue(1, 0), false)
      policy.noteAppended(1)
      assert.equal(policy.isDue(1, 0), true)
      assert.equal(policy.isDue(1, 20_001), false)
      policy.demand()
      assert.equal(policy.isDue(1_000_000, 1_000_000), true)
      policy.begin()
      assert.equal(policy.isDue(1, 0), false)
    })
  })

  it('of a growing tree are few, and a restart finds no more log than half of it', async () => {
    const checkpoints: string[] = []
    const note = (message: unknown): void => void checkpoints.push((message as { readonly type: string }).type)
    const world = new World({
      seed: 5,
      network: { delayMs: { min: 1, max: 1 } },
      syncMs: 1,
      clockDrift: 0,
      join: { valueEncoding: 'utf8' },
      inner: { limits: { checkpointEntries: 20 } },
    })
    subscribe('embedded-coord:storage', note)
    try {
      const machine = world.addMachine('a', true)
      const coord = await world.until(world.start(machine, []), 'the start', 10_000)
      for (let index = 0; index < 400; index += 1) await world.until(coord.create(`/n-${index}`, ''), 'a write', 10_000)
      const made = checkpoints.filter((type) => type === 'checkpoint').length
      assert.ok(made >= 4 && made <= 9, `${made} checkpoints`)
      assert.equal(checkpoints.filter((type) => type === 'checkpointed').length, made)
      const stored = await world.until(
        levelStorage(machine.disk.level(machine.process)).open(),
        'what the store holds',
        10_000,
      )
      assert.ok(stored.checkpoint !== undefined && stored.records.length <= 250, `${stored.records.length} records`)
      world.crash(machine)
      const back = await world.until(world.start(machine, []), 'the restart', 10_000)
      assert.equal((await world.until(back.getChildren('/'), 'a read', 10_000)).children.length, 401)
    } finally {
      unsubscribe('embedded-coord:storage', note)
      await world.end()
    }
  })
})
