/**
 * Verifies who sessions are: the schemes of ZooKeeper that prove something (`digest`), a stronger one (`scrypt`), and
 * those that the application brought. It runs on the member that hosts the session; what it finds is stamped on writes.
 */
import { createHash, scrypt } from 'node:crypto'
import { type AclEntry, aclLimits, type Identity, isShort, isWhole, userOf } from '../core/tree/acl.ts'
import type { Operation } from '../core/tree/operation.ts'
import { CoordError } from '../errors.ts'
import type { AuthScheme } from '../ports/auth-scheme.ts'

/** Schemes that need no port: their entries are judged where they are applied. */
const ownSchemes: ReadonlySet<string> = new Set(['world', 'auth', 'digest', 'ip', 'super', 'scrypt'])

/** scrypt's cost: about 50 ms and 16 MiB, off the event loop. */
const scryptCost = { N: 16_384, r: 8, p: 1 }
const scryptBytes = 32

/**
 * The id of an ACL entry of the scheme `digest`: `user:` and the base64 of the SHA-1 of `user:password`, as ZooKeeper
 * stores it. Weak by today's standards: prefer `scryptId` where no ZooKeeper client must log in.
 */
export function digestId(user: string, password: string): string {
  requireUser(user)
  return digestOfCredentials(`${user}:${password}`)
}

/** ZooKeeper's digest is of the whole text, with a colon or without. */
function digestOfCredentials(credentials: string): string {
  return `${userOf(credentials)}:${createHash('sha1').update(credentials).digest('base64')}`
}

/** The id of an ACL entry of the scheme `scrypt`: `user:` and a slow hash of the password, salted by the user's name. */
export function scryptId(user: string, password: string): Promise<string> {
  requireUser(user)
  return new Promise((resolve, reject) => {
    scrypt(password, `embedded-coord scrypt ${user}`, scryptBytes, scryptCost, (error, key) => {
      if (error === null) resolve(`${user}:${key.toString('base64')}`)
      else reject(error)
    })
  })
}

function requireUser(user: string): void {
  if (user.includes(':')) throw new TypeError('a user name has no colon')
}

export class Authentication {
  readonly #schemes: ReadonlyMap<string, AuthScheme>
  readonly #superDigest: string | undefined

  /** `superDigest` is the id of the scheme `digest` whose owner is a superuser. */
  constructor(schemes: readonly AuthScheme[] = [], superDigest?: string) {
    const known = new Set(ownSchemes)
    for (const { scheme } of schemes) {
      if (known.has(scheme)) throw new TypeError(`the scheme ${scheme} is there already: choose another name`)
      if (!(isShort({ scheme, id: '' }) && isWhole({ scheme, id: '' })))
        throw new TypeError(`the name of a scheme has at most ${aclLimits.schemeLength} whole characters`)
      known.add(scheme)
    }
    this.#schemes = new Map(schemes.map((scheme) => [scheme.scheme, scheme]))
    this.#superDigest = superDigest
  }

  /** What the credentials prove: at once where that is quick. Throws or rejects with COORD_AUTH_FAILED. */
  authenticate(
    scheme: string,
    credentials: Uint8Array,
    superDigest?: string,
  ): readonly Identity[] | Promise<readonly Identity[]> {
    if (scheme === 'digest') return this.#digest(new TextDecoder().decode(credentials), superDigest)
    if (scheme === 'scrypt') return scryptIdentity(new TextDecoder().decode(credentials))
    const port = this.#schemes.get(scheme)
    if (port === undefined) throw refusal(`this member knows no scheme ${JSON.stringify(scheme)}`)
    return askScheme(port, credentials)
  }

  /** The operation with such ACL entries made invalid whose scheme this member does not know, or which that refuses. */
  withKnownSchemes(operation: Operation): Operation {
    if (operation.type === 'multi') {
      const operations = operation.operations.map((sub) => (sub.type === 'create' ? this.#withKnownAcl(sub) : sub))
      return { ...operation, operations }
    }
    return operation.type === 'create' || operation.type === 'setAcl' ? this.#withKnownAcl(operation) : operation
  }

  #withKnownAcl<O extends { readonly acl?: readonly AclEntry[] | undefined }>(operation: O): O {
    const { acl } = operation
    if (acl === undefined) return operation
    // What is invalid anyway must not be larger than other members can read.
    if (acl.length > aclLimits.entries) return { ...operation, acl: [] }
    if (acl.every((entry) => this.#isKnown(entry))) return operation
    return { ...operation, acl: acl.map((entry) => (this.#isKnown(entry) ? entry : unknownEntry)) }
  }

  #isKnown(entry: AclEntry): boolean {
    const { scheme, id } = entry
    if (!isShort(entry)) return false
    if (ownSchemes.has(scheme)) return true
    const port = this.#schemes.get(scheme)
    return port !== undefined && isValidFor(port, id)
  }

  #digest(credentials: string, superDigest: string | undefined): readonly Identity[] {
    const id = digestOfCredentials(credentials)
    const digest = { scheme: 'digest', id }
    if (!isShort(digest)) throw refusal('the name of the user is too long')
    return id === this.#superDigest || id === superDigest ? [{ scheme: 'super', id: '' }, digest] : [digest]
  }
}

/** Valid nowhere. */
const unknownEntry: AclEntry = { scheme: '', id: '', permissions: '' }

/** A port of the application may throw: then it has not said yes. */
function isValidFor(port: AuthScheme, id: string): boolean {
  try {
    return port.isValidId?.(id) ?? id !== ''
  } catch {
    return false
  }
}

function refusal(why: string, cause?: unknown): CoordError {
  return new CoordError('COORD_AUTH_FAILED', why, { cause })
}

async function scryptIdentity(credentials: string): Promise<readonly Identity[]> {
  const user = userOf(credentials)
  const identity = { scheme: 'scrypt', id: await scryptId(user, credentials.slice(user.length + 1)) }
  if (!isShort(identity)) throw refusal('the name of the user is too long')
  return [identity]
}

async function askScheme(port: AuthScheme, credentials: Uint8Array): Promise<readonly Identity[]> {
  const { scheme } = port
  let ids: unknown
  try {
    ids = await port.authenticate(credentials)
  } catch (cause) {
    throw refusal(`the scheme ${scheme} refused the credentials`, cause)
  }
  if (!Array.isArray(ids) || ids.length === 0) throw refusal(`the scheme ${scheme} refused the credentials`)
  const isId = (id: unknown): boolean =>
    typeof id === 'string' && id !== '' && isShort({ scheme, id }) && isWhole({ scheme, id })
  if (!ids.every(isId))
    throw refusal(`the scheme ${scheme} gave what is no id: a text of 1 to ${aclLimits.idLength} whole characters`)
  return ids.map((id: string) => ({ scheme, id }))
}
