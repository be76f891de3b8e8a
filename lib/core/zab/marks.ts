/**
 * What voters have acknowledged, as the others remember it (design D5). A torn tail that nobody relies on and the loss of
 * what was acknowledged look alike from inside a store, so each batch header says how far the leader had each voter's
 * acknowledgement, and every new link begins with telling the other end its own mark.
 *
 * Promises of an epoch need no marks. Those that a would-be leader counts are of the links that it has, and a voter that
 * lost its store comes over a new one; and once it leads, a quorum has acknowledged its NEWLEADER, which is a mark.
 *
 * A member that starts from less than it once acknowledged must not vote as if it remembered: it begins a life under a
 * fresh id and is repaired (runtime/member.ts). Its last batches may be gone unnoticed where no member that recorded
 * them is reachable.
 */
import type { Batch } from './batch.ts'
import type { Configuration, MemberId } from './configuration.ts'
import type { Epochs } from './zab.ts'
import { epochOf, type Zxid, zxidZero } from './zxid.ts'

/** Through which zxid a voter acknowledged the log, to the leader of which epoch. */
export interface Mark {
  readonly epoch: number
  readonly zxid: Zxid
}

export interface MarkOf extends Mark {
  readonly id: MemberId
}

export class Marks {
  readonly #byId = new Map<MemberId, Mark>()

  constructor(marks: readonly MarkOf[] = []) {
    for (const { id, epoch, zxid } of marks) this.note(id, { epoch, zxid })
  }

  of(id: MemberId): Mark | undefined {
    return this.#byId.get(id)
  }

  note(id: MemberId, mark: Mark): void {
    const known = this.#byId.get(id)
    const isLater = known === undefined || mark.epoch > known.epoch
    if (isLater || (mark.epoch === known.epoch && mark.zxid > known.zxid)) this.#byId.set(id, mark)
  }

  /** Takes over what a batch header says; `configuration` is that of the log before the batch. */
  noteHeader(batch: Batch, configuration: Configuration | undefined): void {
    const epoch = epochOf(batch.first)
    batch.acknowledged?.forEach((zxid, index) => {
      const voter = configuration?.voters[index]
      if (voter !== undefined && zxid !== zxidZero) this.note(voter.id, { epoch, zxid })
    })
  }

  /** What the next header says: of each voter, in order, what it acknowledged in this epoch. */
  header(configuration: Configuration | undefined, epoch: number): readonly Zxid[] {
    return (configuration?.voters ?? []).map(({ id }) => {
      const mark = this.#byId.get(id)
      return mark?.epoch === epoch ? mark.zxid : zxidZero
    })
  }

  /** Of the members that there still are. */
  list(isMember: (id: MemberId) => boolean): readonly MarkOf[] {
    return [...this.#byId].filter(([id]) => isMember(id)).map(([id, mark]) => ({ id, ...mark }))
  }
}

/**
 * Whether a log that ends at `lastZxid` lacks what was acknowledged. A store with a later promise may have been cut by the
 * leader that it was given to: what a store loses, it loses from its end, so that promise would be gone before the mark.
 */
export function isBehind(mark: Mark, epochs: Epochs, lastZxid: Zxid): boolean {
  if (epochs.current !== mark.epoch) return epochs.current < mark.epoch
  return epochs.accepted <= mark.epoch && lastZxid < mark.zxid
}
