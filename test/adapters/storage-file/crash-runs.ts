/**
 * Runs the script over a virtual disk, crashes it or refuses it at one operation, and looks at what is there afterwards.
 * The tests choose how many of these runs they make: a few in every run of the suite, all of them in the slow ones.
 */
import assert from 'node:assert/strict'
import { FileStore } from '../../../adapters/storage-file/file-store.ts'
import { GuardedStorage } from '../../../adapters/storage-shared/guarded-storage.ts'
import { CoordError } from '../../../lib/errors.ts'
import type { Storage } from '../../../lib/ports/index.ts'
import { Model, plain, record, script } from './model.ts'
import {
  errorOf,
  everythingSurvives,
  type Fault,
  nothingSurvives,
  type Survival,
  someSurvives,
  VirtualFileDisk,
} from './virtual-files.ts'

/** A page in front, and two for frames. */
const segmentBytes = 3 * 4096

export function storageOn(disk: VirtualFileDisk): Storage {
  return new GuardedStorage(new FileStore(disk.files(), segmentBytes, async () => ({ release: async () => {} })), true)
}

/** What may be there: before the change under way, and after it. */
type Allowed = readonly [before: string, after: string]

interface Run {
  /** Resolves when the script has ended, and the storage is closed; never, after a crash. */
  readonly done: Promise<void>
  allowed: Allowed
  /** Where it is, for messages. */
  at: string
}

function begin(disk: VirtualFileDisk): Run {
  const model = new Model()
  const run = { allowed: [model.state, model.state] as Allowed, at: 'open' }
  const play = async (): Promise<void> => {
    const storage = storageOn(disk)
    await storage.open()
    for (const [index, change] of script.entries()) {
      const before = model.state
      model.apply(change)
      run.allowed = [before, model.state]
      run.at = `change ${index}`
      await storage.commit(change)
      run.allowed = [model.state, model.state]
    }
    run.at = 'close'
    await storage.close()
  }
  return Object.assign(run, { done: play() })
}

/** How many operations the script takes. */
async function countOperations(): Promise<number> {
  const disk = new VirtualFileDisk()
  await begin(disk).done
  return disk.operations
}

/** A disk on which the script has ended, and the storage is closed. */
export async function finishedDisk(): Promise<{ disk: VirtualFileDisk; state: string }> {
  const disk = new VirtualFileDisk()
  const run = begin(disk)
  await run.done
  return { disk, state: run.allowed[1] }
}

/** The disk after a crash at one operation, and what may be on it. */
async function crashedAt(index: number, survival: Survival): Promise<{ disk: VirtualFileDisk; run: Run }> {
  const disk = new VirtualFileDisk()
  let what = ''
  disk.onOperation = (operation, at) => {
    what = operation
    return at === index ? 'crash' : undefined
  }
  const crashed = new Promise<void>((resolve) => {
    disk.onCrash = resolve
  })
  const run = begin(disk)
  await Promise.race([crashed, run.done])
  run.at = `operation ${index} (${what}), ${run.at}, ${survival.name} survives`
  return { disk: disk.after(survival), run }
}

/** Opens what a crash has left, sees that it is right, that it stays, and that it goes on. */
export async function expectSound(disk: VirtualFileDisk, allowed: readonly string[], at: string): Promise<void> {
  const state = await stateOf(storageOn(disk), allowed, `after ${at}`)
  // What was told is not taken back: not even what nobody had synced before.
  const again = disk.after(nothingSurvives)
  const storage = storageOn(again)
  await stateOf(storage, [state], `opened again after ${at}`)
  await storage.commit({ append: [record(1000, 1000)] })
  const survivor = storageOn(again.after(nothingSurvives))
  const opened = await survivor.open()
  assert.equal(opened.records.at(-1)?.last, 1000n, `after ${at}: a commit is lost`)
  await survivor.commit({ truncateAfter: 999n })
  await survivor.close()
}

async function stateOf(storage: Storage, allowed: readonly string[], when: string): Promise<string> {
  const state = await storage.open().then(plain, (error: unknown) => assert.fail(`${when}: ${String(error)}`))
  assert.ok(allowed.includes(state), `${when}: found\n${state}\nallowed\n${[...new Set(allowed)].join('\n')}`)
  return state
}

/** Crashes at every n-th operation of the script; each with so many ways of what survives, or with one of them. */
export async function crashAtEach(every: number, ways: number): Promise<number> {
  const operations = await countOperations()
  for (let index = 0; index < operations; index += every) {
    const all = [nothingSurvives, everythingSurvives, ...[1, 2, 3].map((way) => someSurvives(index * 8 + way))]
    const first = ways === 1 ? Math.floor(index / every) : 0
    for (let way = 0; way < ways; way += 1) {
      const { disk, run } = await crashedAt(index, all[(first + way) % all.length] as Survival)
      await expectSound(disk, run.allowed, run.at)
    }
  }
  return operations
}

/** Crashes at every n-th operation, and again at every m-th one of the opening that follows. Returns how often. */
export async function crashTwice(every: number, everyNext: number): Promise<number> {
  const operations = await countOperations()
  let runs = 0
  for (let index = 0; index < operations; index += every) {
    const { disk, run } = await crashedAt(index, someSurvives(index))
    runs += await expectSoundAfterTwo(disk, run.allowed, run.at, someSurvives, everyNext)
  }
  return runs
}

/** Fails every n-th operation of the script; each in all ways, or in one of them. */
export async function failAtEach(every: number, inAllWays: boolean): Promise<void> {
  const operations = await countOperations()
  for (let index = 0; index < operations; index += every) {
    const first = inAllWays ? 0 : Math.floor(index / every) % failures.length
    const ways = inAllWays ? failures.length : 1
    for (let way = 0; way < ways; way += 1) await expectSoundAfterFailure(index, first + way)
  }
}

/** Fills the disk at every n-th operation of the script. */
export async function fillAtEach(every: number): Promise<void> {
  const operations = await countOperations()
  // What comes at the very end is what closing can do without.
  for (let index = 3; index < operations - 10; index += every) await expectSoundAfterFullDisk(index)
}

/** Another crash at each operation, or at every n-th one, of the opening that follows the first. */
async function expectSoundAfterTwo(
  disk: VirtualFileDisk,
  allowed: readonly string[],
  at: string,
  survival: (index: number) => Survival,
  every = 1,
): Promise<number> {
  let runs = 0
  for (let index = 0; ; index += every) {
    const first = disk.copy()
    let hasCrashed = false
    const crashed = new Promise<void>((resolve) => {
      first.onCrash = (): void => {
        hasCrashed = true
        resolve()
      }
    })
    first.onOperation = (_, each) => (each === index ? 'crash' : undefined)
    await Promise.race([crashed, storageOn(first).open()])
    if (!hasCrashed) return runs
    runs += 1
    const kept = survival(index)
    await expectSound(first.after(kept), allowed, `${at}, and at operation ${index} of the next opening (${kept.name})`)
  }
}

const failures = [
  { code: 'EIO', effect: 'none' },
  { code: 'EIO', effect: 'whole' },
  { code: 'EIO', effect: 'cached' },
  { code: 'ENOSPC', effect: 'none' },
] as const

/** One operation fails: whoever waits for it is told, and what is there is right; or nobody waits, and all goes on. */
async function expectSoundAfterFailure(index: number, kind: number): Promise<void> {
  const { code, effect } = failures[kind] as (typeof failures)[number]
  const fault: Fault = { error: errorOf(code, 'as the test wants it'), effect }
  const disk = new VirtualFileDisk()
  let at = ''
  disk.onOperation = (operation, each) => {
    if (each !== index) return undefined
    at = `${code} with effect ${effect} at operation ${index} (${operation})`
    return fault
  }
  const { storage, allowed, error } = await playUntilFailure(disk)
  if (error === undefined) {
    await expectSound(disk.after(nothingSurvives), allowed, at)
    return
  }
  await expectFailure(storage, error, at)
  await expectGoesOn(disk, storage, allowed, at)
}

/** From one operation on there is no room for anything new; then there is again. */
async function expectSoundAfterFullDisk(index: number): Promise<void> {
  const disk = new VirtualFileDisk()
  let isFull = true
  disk.onOperation = (operation, each) => {
    const needsRoom = /^(?:write|sync|make|rename|open .* new$)/.test(operation)
    return isFull && each >= index && needsRoom ? { error: errorOf('ENOSPC', 'no room'), effect: 'none' } : undefined
  }
  const at = `a full disk from operation ${index} on`
  const { storage, allowed, error } = await playUntilFailure(disk)
  assert.ok(error !== undefined, at)
  await expectFailure(storage, error, at)
  await assert.rejects(storage.open(), { code: 'COORD_STORE_FAILED', message: /the disk is full: make room/ }, at)
  isFull = false
  await expectGoesOn(disk, storage, allowed, at)
}

async function playUntilFailure(
  disk: VirtualFileDisk,
): Promise<{ storage: Storage; allowed: Allowed; error: unknown }> {
  const model = new Model()
  const storage = storageOn(disk)
  let before = model.state
  try {
    await storage.open()
    for (const change of script) {
      before = model.state
      model.apply(change)
      await storage.commit(change)
    }
    await storage.close()
    return { storage, allowed: [model.state, model.state], error: undefined }
  } catch (error) {
    return { storage, allowed: [before, model.state], error }
  }
}

async function expectFailure(storage: Storage, error: unknown, at: string): Promise<void> {
  assert.ok(error instanceof CoordError, `${at}: ${String(error)}`)
  assert.equal(error.code, 'COORD_STORE_FAILED', at)
  await assert.rejects(storage.commit({}), CoordError, at)
}

/** After a failure: what is there is read back, holds, and takes more. */
async function expectGoesOn(disk: VirtualFileDisk, storage: Storage, allowed: Allowed, at: string): Promise<void> {
  const state = await stateOf(storage, allowed, `after ${at}`)
  await stateOf(storageOn(disk.after(nothingSurvives)), [state], `after ${at}, and a crash`)
  await storage.commit({ append: [record(999, 500)] })
  await storage.close()
  const end = plain(await storageOn(disk.copy()).open())
  assert.match(end, /999-999/, at)
  await expectSound(disk.after(nothingSurvives), [end], at)
}
