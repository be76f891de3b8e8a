/**
 * Who may do what: ZooKeeper's access control lists, and the one function that decides (`isPermitted`), for writes where
 * they are applied, for reads, and for watch events where they are delivered.
 *
 * An ACL belongs to one node; nothing is inherited. `undefined` is the open ACL, which most nodes have. A session's
 * identities were verified by the member that hosts it and come stamped on its writes, so the decision is the same on
 * every member. Identities match by equality, but for `ip`, whose entries may name a network.
 */
import { ipMatches, isIpPattern } from './ip.ts'

/** `c`reate, `d`elete, `r`ead, `w`rite, `a`dminister. */
export type Permission = 'c' | 'd' | 'r' | 'w' | 'a'

/** One ACL entry; permissions in ZooKeeper's letters, in the order `cdrwa`. */
export interface AclEntry {
  readonly scheme: string
  readonly id: string
  readonly permissions: string
}

/** The ACL of a node; `undefined`: open to everybody. */
export type Acl = readonly AclEntry[] | undefined

/** Whom a session was proven to be. */
export interface Identity {
  readonly scheme: string
  readonly id: string
}

/** Everybody may do everything: what a node has that was created without an ACL. */
export const openAcl: readonly AclEntry[] = [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }]
/** Everybody may read. */
export const readAcl: readonly AclEntry[] = [{ scheme: 'world', id: 'anyone', permissions: 'r' }]
/** Whoever creates the node may do everything with it, by all identities that the session has then; nobody else. */
export const creatorAllAcl: readonly AclEntry[] = [{ scheme: 'auth', id: '', permissions: 'cdrwa' }]

/** Nobody yet: a session before it proved anything. */
export const noIdentities: readonly Identity[] = []

/** What an ACL and its entries may be at the most: every member can store and send that. UTF-16 code units. */
export const aclLimits = { entries: 1024, schemeLength: 64, idLength: 1024 } as const

/**
 * Whether each character is whole. Half of a pair has no bytes in UTF-8: on its way to others it would become another character,
 * and who sent it would have another ACL than they.
 */
export function isWhole({ scheme, id }: { readonly scheme: string; readonly id: string }): boolean {
  return !/\p{Surrogate}/u.test(scheme) && !/\p{Surrogate}/u.test(id)
}

/** Whether a scheme and an id fit an entry of an ACL, or an identity of a session. */
export function isShort({ scheme, id }: { readonly scheme: string; readonly id: string }): boolean {
  return scheme.length <= aclLimits.schemeLength && id.length <= aclLimits.idLength
}

/** May do anything. Never an entry of an ACL. */
export const superScheme = 'super'

/** Whether one of the wanted permissions is given. */
export function isPermitted(acl: Acl, wanted: string, identities: readonly Identity[]): boolean {
  if (acl === undefined) return true
  if (identities.some(({ scheme }) => scheme === superScheme)) return true
  return acl.some((entry) => grants(entry, wanted) && (isWorld(entry) || isOneOf(entry, identities)))
}

function grants({ permissions }: AclEntry, wanted: string): boolean {
  for (const permission of wanted) if (permissions.includes(permission)) return true
  return false
}

function isWorld({ scheme, id }: AclEntry): boolean {
  return scheme === 'world' && id === 'anyone'
}

function isOneOf(entry: AclEntry, identities: readonly Identity[]): boolean {
  return identities.some(
    ({ scheme, id }) => scheme === entry.scheme && (scheme === 'ip' ? ipMatches(id, entry.id) : id === entry.id),
  )
}

/** What is stored for an ACL that a session gives: `auth` resolved, duplicates dropped. */
export type ResolvedAcl = { readonly isValid: true; readonly acl: Acl } | { readonly isValid: false }

const invalid: ResolvedAcl = { isValid: false }

/**
 * `auth` stands for every identity of the session whose scheme authenticates somebody (all but `ip` and `super`). An
 * entry without a scheme is never valid: the host sends entries so whose scheme it does not know.
 */
export function resolveAcl(given: Acl, identities: readonly Identity[]): ResolvedAcl {
  if (given === undefined) return { isValid: true, acl: undefined }
  const resolved: AclEntry[] = []
  for (const entry of given) {
    const entries = entry.scheme === 'auth' ? resolveAuth(entry, identities) : isValidEntry(entry) ? [entry] : []
    if (entries.length === 0) return invalid
    for (const one of entries) if (!resolved.some((other) => isSame(one, other))) resolved.push(inOrder(one))
  }
  if (resolved.length === 0 || resolved.length > aclLimits.entries) return invalid
  return { isValid: true, acl: isOpen(resolved) ? undefined : resolved }
}

function resolveAuth({ permissions }: AclEntry, identities: readonly Identity[]): AclEntry[] {
  if (!arePermissions(permissions)) return []
  return identities
    .filter(({ scheme }) => scheme !== 'ip' && scheme !== superScheme)
    .map(({ scheme, id }) => ({ scheme, id, permissions }))
}

function isValidEntry({ scheme, id, permissions }: AclEntry): boolean {
  if (!arePermissions(permissions) || !isShort({ scheme, id })) return false
  switch (scheme) {
    case '':
    case superScheme:
      return false
    case 'world':
      return id === 'anyone'
    case 'ip':
      return isIpPattern(id)
    case 'digest':
      return isDigestId(id)
    default:
      return id !== ''
  }
}

/** A user and something after exactly one colon; as in ZooKeeper, colons at the end do not count. */
function isDigestId(id: string): boolean {
  return id.replace(/:+$/, '').split(':').length === 2
}

const letters = 'cdrwa'

/** Letters of `cdrwa`, each at most once, or none at all (ZooKeeper's 0, which gives nothing). */
export function arePermissions(permissions: string): boolean {
  return /^[cdrwa]*$/.test(permissions) && new Set(permissions).size === permissions.length
}

function inOrder(entry: AclEntry): AclEntry {
  const permissions = letters
    .split('')
    .filter((one) => entry.permissions.includes(one))
    .join('')
  return permissions === entry.permissions ? entry : { ...entry, permissions }
}

function isSame(a: AclEntry, b: AclEntry): boolean {
  return a.scheme === b.scheme && a.id === b.id && inOrder(a).permissions === inOrder(b).permissions
}

function isOpen(acl: readonly AclEntry[]): boolean {
  return acl.length === 1 && acl.every((entry) => isWorld(entry) && entry.permissions === letters)
}

/** What a session may see of an ACL: without the right to administer the node, no hashed passwords. */
export function visibleAcl(acl: Acl, identities: readonly Identity[]): readonly AclEntry[] {
  const entries = acl ?? openAcl
  if (isPermitted(acl, 'a', identities)) return entries
  return entries.map((entry) => (isHashed(entry) ? { ...entry, id: `${userOf(entry.id)}:x` } : entry))
}

const isHashed = ({ scheme }: AclEntry): boolean => scheme === 'digest' || scheme === 'scrypt'

/** The user of an id like `user:hash`; other ids are users as they are. */
export function userOf(id: string): string {
  const colon = id.indexOf(':')
  return colon === -1 ? id : id.slice(0, colon)
}
