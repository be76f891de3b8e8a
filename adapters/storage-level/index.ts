/**
 * A `Storage` over any abstract-level database: `MemoryLevel` by default, `ClassicLevel` for disk, or one of your own.
 *
 * `frame.ts` wraps each entry so that damage shows, `layout.ts` names the keys, `ledger.ts` keeps what the next change
 * must know and the seal that ties the entries together, `change.ts` turns a change into one batch, `recover.ts` reads
 * everything back and proves it, `level-storage.ts` is the port.
 */
export { type Level, type LevelStorageOptions, levelStorage } from './level-storage.ts'
