import { MemoryLevel } from 'memory-level'
import { levelStorage } from '../../adapters/storage-level/index.ts'
import type { Storage, StorageChange, StoredState } from '../../lib/ports/index.ts'
import { type StorageFixture, storageSuite } from '../../lib/suites/index.ts'
import { FaultyLevel } from '../adapters/faulty-level.ts'
import { expectKilled } from './run-suite.ts'

/** What is broken, the test that must notice, and how it is broken. */
const mutants: [what: string, killer: string, mutate: (sound: Storage) => Partial<Storage>][] = [
  [
    'a commit that forgets its last record',
    'many small records',
    (sound) => changed(sound, (change) => ({ ...change, append: change.append?.slice(0, -1) })),
  ],
  [
    'truncation that never happens',
    'truncateAfter comes before append',
    (sound) => changed(sound, (change) => ({ ...change, truncateAfter: undefined })),
  ],
  [
    'truncation one too far',
    'truncateAfter drops every record that reaches above',
    (sound) => changed(sound, (change) => ({ ...change, truncateAfter: moved(change.truncateAfter, -3n) })),
  ],
  [
    'a purge one too far',
    'purgeThrough drops every record that ends at or below',
    (sound) => changed(sound, (change) => ({ ...change, purgeThrough: moved(change.purgeThrough, 1n) })),
  ],
  [
    'a purge one too short',
    'purgeThrough drops every record that ends at or below',
    (sound) => changed(sound, (change) => ({ ...change, purgeThrough: moved(change.purgeThrough, -1n) })),
  ],
  [
    'a reset that keeps what was there',
    'a reset drops everything before it, and keeps what its own change says',
    (sound) => changed(sound, (change) => ({ ...change, reset: undefined })),
  ],
  [
    'values that cannot be removed',
    'values are kept, replaced and removed by name',
    (sound) =>
      changed(sound, (change) => ({
        ...change,
        values: new Map([...(change.values ?? [])].filter(([, value]) => value !== undefined)),
      })),
  ],
  [
    'a checkpoint without its last chunk',
    'many chunks keep their order',
    (sound) => changedState(sound, (state) => ({ ...state, checkpoint: shortened(state.checkpoint) })),
  ],
  [
    'records in the order of their digits',
    'records come back in the order of their zxids',
    (sound) =>
      changedState(sound, (state) => ({
        ...state,
        records: state.records.toSorted((a, b) => (String(a.last) < String(b.last) ? -1 : 1)),
      })),
  ],
  ['a close that does not wait', 'close waits for the commit under way', () => ({ close: async () => {} })],
  [
    'a commit after close that resolves',
    'a closed storage neither opens nor commits',
    () => ({ commit: async () => {} }),
  ],
]

describe('the storage suite notices', () => {
  for (const [what, killer, mutate] of mutants) {
    it(what, async () => {
      const factory = (): StorageFixture => {
        const db = new MemoryLevel()
        return { storage: () => mutant(levelStorage(db, { durable: true }), mutate) }
      }
      await expectKilled((test) => storageSuite({ test, factory }), killer)
    })
  }

  it('durability that is only claimed', async () => {
    const factory = (): StorageFixture => {
      let db = new FaultyLevel()
      return {
        storage: () => mutant(levelStorage(db, { durable: false }), () => ({ durable: true })),
        async crash() {
          db = await db.afterCrash()
        },
      }
    }
    await expectKilled((test) => storageSuite({ test, factory }), 'a crash loses nothing that was committed')
  })

  it('bytes that are handed out twice', async () => {
    const kept: { state?: StoredState } = {}
    const factory = (): StorageFixture => {
      const db = new MemoryLevel()
      return {
        storage: () =>
          mutant(levelStorage(db, { durable: true }), (sound) => ({
            async open() {
              const state = await sound.open()
              kept.state = state.records.length > 0 ? (kept.state ?? state) : state
              return kept.state
            },
          })),
      }
    }
    await expectKilled((test) => storageSuite({ test, factory }), 'bytes handed out are the caller’s own')
  })
})

function mutant(sound: Storage, mutate: (sound: Storage) => Partial<Storage>): Storage {
  return {
    durable: sound.durable,
    open: () => sound.open(),
    commit: (change) => sound.commit(change),
    close: () => sound.close(),
    ...mutate(sound),
  }
}

const changed = (sound: Storage, change: (change: StorageChange) => StorageChange): Partial<Storage> => ({
  commit: (original) => sound.commit(change(original)),
})

const changedState = (sound: Storage, change: (state: StoredState) => StoredState): Partial<Storage> => ({
  open: async () => change(await sound.open()),
})

const moved = (zxid: bigint | undefined, by: bigint): bigint | undefined => (zxid === undefined ? zxid : zxid + by)

function shortened(checkpoint: StoredState['checkpoint']): StoredState['checkpoint'] {
  return checkpoint && { ...checkpoint, chunks: checkpoint.chunks.slice(0, -1) }
}
