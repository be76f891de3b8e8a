/**
 * Where other members may be, for a member that is not told a static list: by DNS, from a file, from wherever an
 * application keeps its addresses. What is found is only dialled: it never founds an ensemble and decides no quorum.
 *
 * Contract:
 * - `find` gives the addresses as of now, in any order; also none, some or too many: the member asks again, sooner while it
 *   has no ensemble. Duplicates, the member's own address and those of processes that are gone do no harm.
 * - `find` rejects with an error that says why where it cannot tell; that is a warning, and the addresses of before stay.
 * - Aborting makes `find` reject soon, and leaves nothing behind. It is never called twice at a time.
 * - `description` is a text for people: it ends up in warnings and errors.
 */
export interface Discovery {
  readonly description: string
  find(signal: AbortSignal): Promise<readonly string[]>
}
