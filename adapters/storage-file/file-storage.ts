/** The `Storage` port over plain files: `new FileStorage(directory)`. */
import { GuardedStorage } from '../storage-shared/guarded-storage.ts'
import { FileStore } from './file-store.ts'
import { NodeFiles } from './files.ts'
import { lock } from './lock.ts'
import { pageBytes } from './segment.ts'

export interface FileStorageOptions {
  /**
   * How long a file of the journal becomes, bytes: from 64 KiB to 1 GiB. Default: 16 MiB. A store takes two or three of them
   * beside what it holds; the first one of a store is 1 MiB long, and each after it twice as long as the one before.
   */
  readonly segmentBytes?: number | undefined
}

const defaultSegmentBytes = 16 * 2 ** 20
const segmentBytesMin = 64 * 2 ** 10
const segmentBytesMax = 2 ** 30

/**
 * Keeps a member's state in files of one directory, which is made where it is not there. Durable: a commit is on the disk
 * before it counts. The directory is the store's alone; one process at a time has it open.
 */
export class FileStorage extends GuardedStorage {
  constructor(directory: string, options: FileStorageOptions = {}) {
    if (typeof directory !== 'string' || directory === '') {
      throw new TypeError(
        'a FileStorage is given the directory that is to hold it, for example new FileStorage("./coord")',
      )
    }
    const { segmentBytes = defaultSegmentBytes } = options
    if (!(Number.isInteger(segmentBytes) && segmentBytes >= segmentBytesMin && segmentBytes <= segmentBytesMax)) {
      throw new RangeError(
        `segmentBytes (${segmentBytes}) must be a whole number from ${segmentBytesMin} to ${segmentBytesMax}`,
      )
    }
    const files = new NodeFiles(directory)
    const wholePages = Math.ceil(segmentBytes / pageBytes) * pageBytes
    super(new FileStore(files, wholePages, () => lock(files.directory)), true)
  }
}
