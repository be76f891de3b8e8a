/**
 * A mark of whoever has opened the store last, in a file beside the journal. The lock of `lock.ts` keeps processes of one
 * host apart; those of two hosts, or of two containers that share a volume but no kernel or no network, it cannot. Whoever
 * opens the store puts a mark of its own there, and looks for it before it goes on to another file: so the one before
 * finds out, at the latest after as much as a segment holds.
 */
import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { Finding } from '../storage-shared/finding.ts'
import type { Files } from './files.ts'
import { newOwnerName, ownerName } from './layout.ts'

const markBytesMax = 1024

export class Owner {
  readonly #files: Files
  readonly #mark: Buffer

  constructor(files: Files) {
    this.#files = files
    const who = `process ${process.pid} of ${hostname()}`
    this.#mark = Buffer.from(`${randomBytes(16).toString('hex')} ${who}\n`).subarray(0, markBytesMax)
  }

  /** From now on the store is ours. */
  async take(): Promise<void> {
    const file = await this.#files.open(newOwnerName, 'new')
    try {
      await file.write([this.#mark], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.#files.rename(newOwnerName, ownerName)
    await this.#files.syncDirectory()
  }

  /** Rejects with COORD_STORE_LOCKED when another one has opened the store since. */
  async check(): Promise<void> {
    const found = await this.#read()
    if (found.equals(this.#mark)) return
    const who = /^\S+ (.+)\n$/.exec(found.toString())?.[1] ?? 'somebody else'
    throw new Finding(`${who} has opened it`, 'COORD_STORE_LOCKED')
  }

  async #read(): Promise<Buffer> {
    if (!(await this.#files.list()).includes(ownerName)) return Buffer.alloc(0)
    const file = await this.#files.open(ownerName, 'read')
    try {
      const mark = Buffer.alloc(markBytesMax)
      return mark.subarray(0, await file.read(mark, 0))
    } finally {
      await file.close()
    }
  }
}
