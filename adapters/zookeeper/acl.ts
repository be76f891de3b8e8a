/** ACLs on the wire and ours: the permissions are bits there, letters here. */
import type { AclEntry } from '../../lib/ports/session-link.ts'
import type { WireAcl } from './records.ts'

/** By letter, in our order. */
const bits = { c: 4, d: 8, r: 1, w: 2, a: 16 } as const
const allBits = 31

/** Bits that mean nothing make an entry that is never valid, where ZooKeeper ignores them. */
export function aclFromWire(entries: readonly WireAcl[]): AclEntry[] {
  return entries.map(({ perms, scheme, id }) => {
    const letters = Object.entries(bits).filter(([, bit]) => (perms & bit) !== 0)
    const unknown = (perms & ~allBits) === 0 ? '' : '?'
    return {
      scheme: scheme ?? '',
      id: id ?? '',
      permissions: `${letters.map(([letter]) => letter).join('')}${unknown}`,
    }
  })
}

export function aclToWire(acl: readonly AclEntry[]): WireAcl[] {
  return acl.map(({ scheme, id, permissions }) => ({
    perms: Object.entries(bits).reduce((sum, [letter, bit]) => sum + (permissions.includes(letter) ? bit : 0), 0),
    scheme,
    id,
  }))
}

/** ZooKeeper's OPEN_ACL_UNSAFE: everybody may do everything. */
export function isOpenAcl(entries: readonly WireAcl[]): boolean {
  const [first] = entries
  return entries.length === 1 && first?.perms === allBits && first.scheme === 'world' && first.id === 'anyone'
}

export const openAcl: readonly WireAcl[] = [{ perms: allBits, scheme: 'world', id: 'anyone' }]
