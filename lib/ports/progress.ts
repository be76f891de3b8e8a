/** How far something is that takes long: of `total` pieces, so many are done. */
export interface Progress {
  /**
   * `recovery`: the store is read back (pieces of the checkpoint, records of the log); `snapshot`: the state comes from the
   * leader (records: nodes and sessions); `catch-up`: the log does (entries).
   */
  readonly phase: 'recovery' | 'snapshot' | 'catch-up'
  readonly done: number
  readonly total: number
}
