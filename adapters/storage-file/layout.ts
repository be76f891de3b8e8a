/**
 * The files of a store. Numbers only grow; those that hold anything are in use by the rule beside them, and all others
 * are left from a moment that a crash has cut short.
 *
 *     journal-<number>      the changes, in the order of the numbers: from the oldest that is needed to the last that has begun,
 *                           and one behind it that is prepared
 *     checkpoint-<number>   the one that the journal names
 *     staging               a checkpoint that is being made
 *     spare-<number>        on its way to become a journal file
 *     owner                 who has opened the store last
 *     owner-new             on its way to become that
 *     lock                  where the system has no better place for it: `lock.ts`
 */
export const stagingName = 'staging'
export const ownerName = 'owner'
export const newOwnerName = 'owner-new'
export const lockName = 'lock'

export const journalName = (number: number): string => `journal-${padded(number)}`
export const checkpointName = (number: number): string => `checkpoint-${padded(number)}`
export const spareName = (number: number): string => `spare-${padded(number)}`

const padded = (number: number): string => String(number).padStart(10, '0')

/** What is in a directory, by kind. */
export interface Listing {
  /** Numbers, ascending. */
  readonly journals: readonly number[]
  readonly checkpoints: readonly number[]
  /** Names that count for nothing: a crash left them. */
  readonly leftovers: readonly string[]
  readonly hasOwner: boolean
  readonly foreign: readonly string[]
}

export function listingOf(names: readonly string[]): Listing {
  const known = new Set([ownerName, lockName])
  const isLeftover = (name: string): boolean =>
    [stagingName, newOwnerName].includes(name) || /^spare-\d{10}$/.test(name)
  const isNumbered = (name: string): boolean => /^(?:journal|checkpoint)-\d{10}$/.test(name)
  return {
    journals: numbers(names, /^journal-(\d{10})$/),
    checkpoints: numbers(names, /^checkpoint-(\d{10})$/),
    leftovers: names.filter(isLeftover),
    hasOwner: names.includes(ownerName),
    // A disk of its own has a lost+found; hidden files are of those who look after directories.
    foreign: names.filter(
      (name) =>
        !(isNumbered(name) || isLeftover(name) || known.has(name) || name === 'lost+found' || name.startsWith('.')),
    ),
  }
}

function numbers(names: readonly string[], pattern: RegExp): number[] {
  return names
    .flatMap((name) => pattern.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/** For messages: zxids read best as ZooKeeper prints them. */
export const hex = (zxid: bigint): string => `0x${zxid.toString(16)}`
