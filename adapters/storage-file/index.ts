/**
 * A `Storage` of plain files, with no database and no native addon beneath: what a log needs, and nothing else.
 *
 * `files.ts` is what is done with files, and `layout.ts` names them; `change.ts` and `frame.ts` say how a change is stored,
 * `segment.ts` and `journal.ts` keep the frames, `checkpoint-file.ts` the checkpoints; `ledger.ts` has what the next
 * change must know; `recover.ts` reads everything back and proves it; `lock.ts` and `owner.ts` keep others out;
 * `file-store.ts` puts them together, and `file-storage.ts` is the port.
 */
export { FileStorage, type FileStorageOptions } from './file-storage.ts'
