/**
 * What the store does with files, as a port of its own: so that its tests can lose, tear and refuse each single step.
 * `NodeFiles` are the real ones. Names are of one directory; nothing is below it.
 *
 * What is written counts after `sync` of its file, or at once in a file that was opened `durable`; what is made, renamed
 * or removed, after `syncDirectory`.
 */
import { close, constants, fdatasync, fstat, fsync, ftruncate, open, read, write, writev } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/** `new`: made, or emptied. `durable`: each write is on the disk when it resolves. */
export type OpenMode = 'read' | 'new' | 'edit' | 'durable'

export interface OpenFile {
  size(): Promise<number>
  /** Fills `into`, or what there is before the end. Returns how many bytes that was. */
  read(into: Uint8Array, position: number): Promise<number>
  /** All of the parts, one behind the other. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>
  /** Lets go of what is behind so many bytes. */
  truncate(bytes: number): Promise<void>
  sync(): Promise<void>
  close(): Promise<void>
}

export interface Files {
  /** Where they are. */
  readonly directory: string
  /** With all that is above it; nothing where it is there. */
  makeDirectory(): Promise<void>
  list(): Promise<readonly string[]>
  open(name: string, mode: OpenMode): Promise<OpenFile>
  /** Takes the place of what has that name. */
  rename(from: string, to: string): Promise<void>
  /** Nothing where it is not there. */
  remove(name: string): Promise<void>
  syncDirectory(): Promise<void>
}

/** A file is let go of in such pieces. */
const pieceBytes = 4 * 0x10_0000

const openAsync = promisify(open)
const closeAsync = promisify(close)
const fdatasyncAsync = promisify(fdatasync)
const fstatAsync = promisify(fstat)
const fsyncAsync = promisify(fsync)
const ftruncateAsync = promisify(ftruncate)

/** On macOS the drive keeps in its cache what O_DSYNC wrote, and on Windows Node does not know it: there a sync follows. */
const writesThrough = process.platform !== 'darwin' && process.platform !== 'win32' && constants.O_DSYNC !== undefined

const flags: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  new: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  edit: constants.O_RDWR,
  durable: constants.O_RDWR | (writesThrough ? constants.O_DSYNC : 0),
}

export class NodeFiles implements Files {
  readonly directory: string

  constructor(directory: string) {
    this.directory = resolve(directory)
  }

  async makeDirectory(): Promise<void> {
    const first = await mkdir(this.directory, { recursive: true })
    if (first === undefined) return
    const top = dirname(first)
    for (let parent = dirname(this.directory); ; parent = dirname(parent)) {
      await syncDirectory(parent)
      if (parent === top) return
    }
  }

  list(): Promise<readonly string[]> {
    return readdir(this.directory)
  }

  async open(name: string, mode: OpenMode): Promise<OpenFile> {
    const fd = await openAsync(join(this.directory, name), flags[mode], 0o644)
    return new NodeFile(fd, mode === 'durable' && !writesThrough)
  }

  rename(from: string, to: string): Promise<void> {
    return rename(join(this.directory, from), join(this.directory, to))
  }

  remove(name: string): Promise<void> {
    return rm(join(this.directory, name), { force: true })
  }

  syncDirectory(): Promise<void> {
    return syncDirectory(this.directory)
  }
}

/**
 * Removes a file that counts for nothing, whatever is left of it, from its end on. To let go of all of a long file at once takes
 * the file system tens of milliseconds, and who writes the log beside it waits for that.
 */
export async function removeByPieces(files: Files, name: string): Promise<void> {
  const file = await files.open(name, 'edit')
  try {
    for (let left = (await file.size()) - pieceBytes; left > 0; left -= pieceBytes) {
      await file.truncate(left)
      await file.sync()
    }
  } finally {
    await file.close()
  }
  await files.remove(name)
}

async function syncDirectory(path: string): Promise<void> {
  // There a directory cannot be opened: its file system keeps a journal of names itself.
  if (process.platform === 'win32') return
  const fd = await openAsync(path, constants.O_RDONLY)
  try {
    await fsyncAsync(fd)
  } finally {
    await closeAsync(fd)
  }
}

class NodeFile implements OpenFile {
  readonly #fd: number
  readonly #syncsWrites: boolean

  constructor(fd: number, syncsWrites: boolean) {
    this.#fd = fd
    this.#syncsWrites = syncsWrites
  }

  async size(): Promise<number> {
    return (await fstatAsync(this.#fd)).size
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const bytes = await readSome(this.#fd, into.subarray(filled), position + filled)
      if (bytes === 0) break
      filled += bytes
    }
    return filled
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    let rest = parts
    let at = position
    // A disk that fills up takes a beginning, and refuses what comes then.
    while (rest.length > 0) {
      const written = await writeSome(this.#fd, rest, at)
      at += written
      const left = behind(rest, written)
      if (written === 0 && left.length > 0) throw new Error('the system wrote nothing, and did not say why')
      rest = left
    }
    if (this.#syncsWrites) await this.sync()
  }

  truncate(bytes: number): Promise<void> {
    return ftruncateAsync(this.#fd, bytes)
  }

  sync(): Promise<void> {
    return fdatasyncAsync(this.#fd)
  }

  close(): Promise<void> {
    return closeAsync(this.#fd)
  }
}

function readSome(fd: number, into: Uint8Array, position: number): Promise<number> {
  return new Promise((done, fail) => {
    read(fd, into, 0, into.length, position, (error, bytes) => (error === null ? done(bytes) : fail(error)))
  })
}

function writeSome(fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((done, fail) => {
    const end = (error: Error | null, written: number): void => (error === null ? done(written) : fail(error))
    const [first] = parts
    if (parts.length === 1 && first !== undefined) write(fd, first, 0, first.length, position, end)
    else writev(fd, parts, position, end)
  })
}

/** What is left of some parts behind so many bytes. */
export function behind(parts: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written
  for (const [index, part] of parts.entries()) {
    if (left < part.length) return [part.subarray(left), ...parts.slice(index + 1)]
    left -= part.length
  }
  return []
}
