/**
 * Where an outcome may differ from ZooKeeper 3.8.0's, each with the heading of its entry in docs/DEVIATIONS.md. What the
 * plans keep apart (see `Subject` in plan.ts) needs no entry here.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Observed } from './execute.ts'

interface Deviation {
  /** What docs/DEVIATIONS.md says, word by word. */
  readonly documented: string
  /** Whether this is why `theirs` and `ours` differ. */
  explains(theirs: Observed, ours: Observed): boolean
}

/** The ACL of a reply, each entry once, in one order: ZooKeeper keeps the identities of a session in none. */
const aclOf = ({ outcome }: Observed): string[] => {
  const { acl = [] } = outcome as { readonly acl?: readonly unknown[] }
  return [...new Set(acl.map((entry) => JSON.stringify(entry)))].sort()
}

const errorOf = ({ outcome }: Observed): number | undefined => (outcome as { readonly error?: number }).error

export const deviations: readonly Deviation[] = [
  {
    documented: 'Entries of an ACL that are the same once `auth` is resolved are kept once',
    explains: (theirs, ours) => theirs.operation.op === 'getACL' && isDeepStrictEqual(aclOf(theirs), aclOf(ours)),
  },
  {
    documented: '`exists` needs the permission to read',
    explains: (theirs, ours) => theirs.operation.op === 'exists' && errorOf(theirs) === 0 && errorOf(ours) === -102,
  },
  {
    documented: '`checkWatches` asks for watches of the session itself',
    explains: (theirs, ours) =>
      theirs.operation.op === 'checkWatches' && errorOf(theirs) === 0 && errorOf(ours) === -121,
  },
]
