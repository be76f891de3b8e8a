/** Damages a virtual disk, and looks whether the store notices. */
import assert from 'node:assert/strict'
import type { CoordError } from '../../../lib/errors.ts'
import { finishedDisk, storageOn } from './crash-runs.ts'
import { plain } from './model.ts'
import type { VirtualFileDisk } from './virtual-files.ts'

/** Whether the damage was found; it must be, unless the state is the same with it. Nothing may be written then. */
export async function isFound(disk: VirtualFileDisk, state: string, what: string): Promise<boolean> {
  const before = contentsOf(disk)
  const storage = storageOn(disk)
  try {
    const found = plain(await storage.open())
    assert.equal(found, state, `${what}: another state`)
    return false
  } catch (error) {
    if ((error as CoordError).code === undefined) throw error
    assert.equal((error as CoordError).code, 'COORD_STORE_DAMAGED', `${what}: ${String(error)}`)
    assert.match((error as CoordError).message, /(?:journal|checkpoint)-\d{10}|its journal is missing/, what)
    assert.deepEqual(contentsOf(disk), before, `${what}: something was written`)
    return true
  }
}

const contentsOf = (disk: VirtualFileDisk): (readonly [string, Buffer])[] =>
  disk.list().map((name) => [name, Buffer.from(disk.bytesOf(name))])

/** Flips a bit in every n-th byte of every file, and now and then where nothing is written. */
export async function flipBits(every: number): Promise<{ found: number; harmless: number }> {
  const { disk, state } = await finishedDisk()
  let found = 0
  let harmless = 0
  for (const name of disk.list()) {
    const { length } = disk.bytesOf(name)
    for (let at = 0; at < length; at += isBlank(disk.bytesOf(name), at) ? Math.max(every, 64) : every) {
      const damaged = disk.copy()
      const bytes = damaged.bytesOf(name)
      bytes[at] = (bytes[at] as number) ^ (1 << (at % 8))
      if (await isFound(damaged, state, `a flipped bit in ${name}, offset ${at}`)) found += 1
      else harmless += 1
    }
  }
  return { found, harmless }
}

const isBlank = (bytes: Buffer, at: number): boolean => bytes.subarray(at, at + 64).every((byte) => byte === 0)
