/**
 * A way to prove who somebody is, for ACLs. Give it to `joinEnsemble({ authSchemes })` on every member: an ACL that names
 * the scheme can be set only through members that know it.
 *
 * The member that hosts a session verifies its credentials; what it found is stamped on the session's writes, so that
 * every member decides alike. Identities are compared as texts: whoever belongs to groups gets an id for each.
 */
export interface AuthScheme {
  /** As in ACL entries. Not one of ZooKeeper's own: world, auth, digest, ip, super; nor `scrypt`. */
  readonly scheme: string
  /** The ids that these credentials prove; none, or a throw, refuses them. May take its time. */
  authenticate(credentials: Uint8Array): readonly string[] | Promise<readonly string[]>
  /** Whether a text may stand as an id in an ACL entry. Default: any that is not empty. */
  isValidId?(id: string): boolean
}
