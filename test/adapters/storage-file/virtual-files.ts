/**
 * A disk with files that a test can crash, refuse and look into: `Files` with a cache. What is written lies in the cache,
 * in sectors of 512 bytes, until it is synced; names that are made, changed or removed, until the directory is. A crash
 * keeps of the sectors whichever it likes, and of the changes of names a beginning.
 */
import type { Files, OpenFile, OpenMode } from '../../../adapters/storage-file/files.ts'

const sectorBytes = 512

/** What becomes of one operation, in place of going well. */
export type Fault =
  /** The machine ends in the middle of it. */
  | 'crash'
  /** Refused, without effect; or with it; or with an effect that stays in the cache, and that no sync brings to the disk. */
  | { readonly error: NodeJS.ErrnoException; readonly effect: 'none' | 'whole' | 'cached' }

/** What a crash keeps: of a sector, whether; of so many changes of names, how many. */
export interface Survival {
  readonly name: string
  sector(): boolean
  names(count: number): number
}

export const nothingSurvives: Survival = { name: 'nothing', sector: () => false, names: () => 0 }
export const everythingSurvives: Survival = { name: 'everything', sector: () => true, names: (count) => count }

/** Some of it, by chance. */
export function someSurvives(seed: number): Survival {
  let state = seed + 0x9e37_79b9
  const next = (): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x6d2b_79f5) | 0
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32
  }
  return {
    name: `some (${seed})`,
    sector: () => next() < 0.5,
    names: (count) => Math.floor(next() * (count + 1)),
  }
}

interface Inode {
  /** As whoever reads it sees it. */
  bytes: Buffer
  /** As it is on the disk. */
  durable: Buffer
  readonly dirty: Set<number>
}

type Names = Map<string, Inode>

export class VirtualFileDisk {
  /** Decides on each operation, by what it is and which one it is. */
  onOperation: (what: string, index: number) => Fault | undefined = () => undefined
  operations = 0
  /** How many writes became durable by themselves: frames. */
  durableWrites = 0
  onCrash: () => void = () => {}
  readonly #names: Names
  #durableNames: Names
  #unsyncedNames: ((names: Names) => void)[] = []

  constructor(names: Names = new Map()) {
    this.#names = names
    this.#durableNames = new Map(names)
  }

  /** The disk after a crash now. */
  after(survival: Survival): VirtualFileDisk {
    const names = new Map(this.#durableNames)
    for (const change of this.#unsyncedNames.slice(0, survival.names(this.#unsyncedNames.length))) change(names)
    return new VirtualFileDisk(new Map([...names].map(([name, inode]) => [name, survivorOf(inode, survival)])))
  }

  /** As it is seen now, everything durable. */
  copy(): VirtualFileDisk {
    return new VirtualFileDisk(new Map([...this.#names].map(([name, { bytes }]) => [name, inodeOf(bytes)])))
  }

  /** Names, sorted. */
  list(): string[] {
    return [...this.#names.keys()].sort()
  }

  bytesOf(name: string): Buffer {
    return (this.#names.get(name) as Inode).bytes
  }

  /** Puts a file there, or removes it, behind everybody's back. */
  put(name: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.#names.delete(name)
    else this.#names.set(name, inodeOf(bytes))
    this.#durableNames = new Map(this.#names)
  }

  /** As one process has them. */
  files(): Files {
    const process = { isDead: false }
    const step = <T>(what: string, act: () => T, cached: () => void = act): Promise<T> =>
      this.#step(process, what, act, cached)
    return {
      directory: '/virtual',
      makeDirectory: () => step('make directory', () => {}),
      list: () => step('list', () => this.list()),
      open: (name, mode) => step(`open ${name} ${mode}`, () => this.#open(name, mode, step)),
      rename: (from, to) => step(`rename ${from} ${to}`, () => this.#rename(from, to)),
      remove: (name) => step(`remove ${name}`, () => this.#changeNames((names) => names.delete(name))),
      syncDirectory: () =>
        step(
          'sync directory',
          () => {
            this.#durableNames = new Map(this.#names)
            this.#unsyncedNames = []
          },
          () => {},
        ),
    }
  }

  async #step<T>(process: { isDead: boolean }, what: string, act: () => T, cached: () => void): Promise<T> {
    await Promise.resolve()
    if (process.isDead) return new Promise(() => {})
    const fault = this.onOperation(what, this.operations)
    this.operations += 1
    if (fault === undefined) return act()
    if (fault === 'crash') {
      cached()
      process.isDead = true
      this.onCrash()
      return new Promise(() => {})
    }
    if (fault.effect === 'whole') act()
    else if (fault.effect === 'cached') {
      cached()
      for (const { dirty } of this.#names.values()) dirty.clear()
    }
    throw fault.error
  }

  #open(
    name: string,
    mode: OpenMode,
    step: <T>(what: string, act: () => T, cached?: () => void) => Promise<T>,
  ): OpenFile {
    if (mode === 'new') {
      const existing = this.#names.get(name)
      if (existing === undefined) {
        const made = inodeOf(Buffer.alloc(0))
        this.#changeNames((names) => names.set(name, made))
      } else resize(existing, 0)
    }
    const inode = this.#names.get(name)
    if (inode === undefined) throw errorOf('ENOENT', `no such file or directory, open '${name}'`)
    let isOpen = true
    const used = <T>(what: string, act: () => T, cached?: () => void): Promise<T> => {
      if (!isOpen) throw new Error(`${what} of ${name}, which is closed`)
      return step(`${what} ${name}`, act, cached)
    }
    return {
      size: () => used('size', () => inode.bytes.length),
      read: (into, position) =>
        used('read', () => {
          const found = inode.bytes.subarray(position, position + into.length)
          into.set(found)
          return found.length
        }),
      write: (parts, position) => {
        const bytes = Buffer.concat(parts)
        const cached = (): void => writeTo(inode, bytes, position)
        if (mode === 'read') throw new Error(`${name} is read only`)
        if (mode !== 'durable') return used('write', cached)
        const sectors = sectorsOf(bytes.length, position)
        return used(
          'write',
          () => {
            cached()
            for (const sector of sectors) persist(inode, sector)
            this.durableWrites += 1
          },
          cached,
        )
      },
      truncate: (bytes) => {
        if (mode === 'read') throw new Error(`${name} is read only`)
        return used('truncate', () => resize(inode, bytes))
      },
      sync: () =>
        used(
          'sync',
          () => {
            inode.durable = grown(inode.durable, inode.bytes.length).subarray(0, inode.bytes.length)
            for (const sector of inode.dirty) persist(inode, sector)
          },
          () => {},
        ),
      close: () =>
        used('close', () => {
          isOpen = false
        }),
    }
  }

  #rename(from: string, to: string): void {
    this.#changeNames((names) => {
      const inode = names.get(from)
      if (inode === undefined) throw errorOf('ENOENT', `no such file or directory, rename '${from}'`)
      names.delete(from)
      names.set(to, inode)
    })
  }

  #changeNames(change: (names: Names) => void): void {
    change(this.#names)
    this.#unsyncedNames.push(change)
  }
}

export function errorOf(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${message}`), { code })
}

const inodeOf = (bytes: Uint8Array): Inode => ({
  bytes: Buffer.from(bytes),
  durable: Buffer.from(bytes),
  dirty: new Set(),
})

function survivorOf({ bytes, durable, dirty }: Inode, survival: Survival): Inode {
  // The length is a matter of the file system, apart from the sectors.
  const length = bytes.length === durable.length || survival.sector() ? bytes.length : durable.length
  const inode = inodeOf(grown(durable, length).subarray(0, length))
  for (const sector of dirty) {
    if (!survival.sector()) continue
    bytes.copy(inode.bytes, sector * sectorBytes, sector * sectorBytes, (sector + 1) * sectorBytes)
  }
  inode.durable = Buffer.from(inode.bytes)
  return inode
}

function writeTo(inode: Inode, bytes: Buffer, position: number): void {
  inode.bytes = grown(inode.bytes, position + bytes.length)
  bytes.copy(inode.bytes, position)
  for (const sector of sectorsOf(bytes.length, position)) inode.dirty.add(sector)
}

function resize(inode: Inode, length: number): void {
  inode.bytes = Buffer.from(grown(inode.bytes, length).subarray(0, length))
  inode.dirty.clear()
}

function persist(inode: Inode, sector: number): void {
  inode.durable = grown(inode.durable, inode.bytes.length)
  inode.bytes.copy(inode.durable, sector * sectorBytes, sector * sectorBytes, (sector + 1) * sectorBytes)
  inode.dirty.delete(sector)
}

function grown(bytes: Buffer, length: number): Buffer {
  return length <= bytes.length ? bytes : Buffer.concat([bytes], length)
}

function sectorsOf(length: number, position: number): number[] {
  const first = Math.floor(position / sectorBytes)
  const end = Math.ceil((position + length) / sectorBytes)
  return Array.from({ length: end - first }, (_, index) => first + index)
}
