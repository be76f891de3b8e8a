/**
 * What the differential test does on both systems: a plan is a list of steps of three sessions, as plain values, so that
 * a failing one can be shrunk and printed. Paths are under a root that each plan has for itself.
 */
import fc from 'fast-check'

export const sessionCount = 3

export interface PlannedAcl {
  readonly perms: number
  readonly scheme: string
  readonly id: string
}

export type PlannedCreate = {
  readonly op: 'create' | 'create2' | 'createContainer' | 'createTTL'
  readonly path: string
  readonly data: string | null
  readonly flags: number
  readonly ttlMs: number
  readonly acl: readonly PlannedAcl[]
}

export type PlannedSub =
  | PlannedCreate
  | { readonly op: 'delete' | 'check'; readonly path: string; readonly version: number }
  | { readonly op: 'setData'; readonly path: string; readonly data: string | null; readonly version: number }

export type PlannedOperation =
  | PlannedSub
  | {
      readonly op: 'exists' | 'getData' | 'getChildren' | 'getChildren2'
      readonly path: string
      readonly watch: boolean
    }
  | { readonly op: 'getACL' | 'getAllChildrenNumber' | 'getEphemerals' | 'sync'; readonly path: string }
  | { readonly op: 'setACL'; readonly path: string; readonly acl: readonly PlannedAcl[]; readonly version: number }
  | { readonly op: 'multi'; readonly operations: readonly PlannedSub[] }
  | {
      readonly op: 'multiRead'
      readonly operations: readonly { readonly op: 'getData' | 'getChildren'; readonly path: string }[]
    }
  | { readonly op: 'addWatch'; readonly path: string }
  | { readonly op: 'removeWatches' | 'checkWatches'; readonly path: string; readonly type: number }
  | { readonly op: 'auth'; readonly credentials: string }
  | { readonly op: 'whoAmI' }
  /** Ends the session and opens the next one in its place. */
  | { readonly op: 'close' }
  /** Cuts the connection; the next step of this session comes back with its id, password and watches. */
  | { readonly op: 'cut' }
  /** The session falls silent until it has expired; then the next one opens in its place. */
  | { readonly op: 'expire' }
  /** Sets limits under /zookeeper/quota for a path. */
  | { readonly op: 'setQuota'; readonly path: string; readonly limits: string }
  | { readonly op: 'readQuota'; readonly path: string }

export interface PlannedStep {
  readonly session: number
  readonly operation: PlannedOperation
}

/** What a plan is about: where ZooKeeper 3.8.0 differs from what we follow, the subjects are kept apart. */
export type Subject = 'watches' | 'acls' | 'quotas' | 'expiry'

export interface Plan {
  readonly subject: Subject
  readonly steps: readonly PlannedStep[]
}

const names = ['a', 'b', 'c']

/** 3.8.0 mixes up several watches of one session on one path: so each path has one kind. All others: one-shot ones. */
export const persistentlyWatched: ReadonlyMap<string, 'recursive' | 'single'> = new Map([
  ['', 'recursive'],
  ['/a/b', 'recursive'],
  ['/c', 'single'],
  ['/b/b', 'single'],
])

/** Few enough to meet again. */
const goodPath = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...names).map((name) => `/${name}`) },
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)).map(([a, b]) => `/${a}/${b}`),
  },
  {
    weight: 2,
    arbitrary: fc.array(fc.constantFrom(...names), { minLength: 3, maxLength: 3 }).map((all) => `/${all.join('/')}`),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom('', ...names), fc.integer({ min: 0, max: 4 })).map(([parent, number]) => {
      return `${parent === '' ? '' : `/${parent}`}/s${String(number).padStart(10, '0')}`
    }),
  },
  { weight: 1, arbitrary: fc.constant('') },
)

const badPath = fc.constantFrom(
  '/a/',
  '//a',
  '/a//b',
  '/a/./b',
  '/..',
  '/a/..',
  '/a\u0000b',
  '/a\u0001b',
  '/\ufff0',
  '/\ue000',
  '/x\u0085',
  '/missing/\u0007',
)

const path = fc.oneof({ weight: 40, arbitrary: goodPath }, { weight: 1, arbitrary: badPath })
const data = fc.constantFrom('', 'x', 'yy', 'zzz', null)
const version = fc.oneof(
  { weight: 5, arbitrary: fc.constant(-1) },
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
)

const openAcl: readonly PlannedAcl[] = [{ perms: 31, scheme: 'world', id: 'anyone' }]

/** Of the passwords in `credentials` below. */
const digests = ['u1:FfP80c+zcEPgU6zorph629PDPJ0=', 'u2:AaHy+pRIUVK2OXJejfBQ3E/DOVQ=']

const aclEntry: fc.Arbitrary<PlannedAcl> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      perms: fc.integer({ min: 0, max: 31 }),
      scheme: fc.constant('world'),
      id: fc.constant('anyone'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      perms: fc.integer({ min: 0, max: 31 }),
      scheme: fc.constant('digest'),
      id: fc.constantFrom(...digests),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      perms: fc.constantFrom(31, 1, 30),
      scheme: fc.constant('auth'),
      id: fc.constantFrom('', 'ignored'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      perms: fc.constantFrom(31, 1),
      scheme: fc.constant('ip'),
      id: fc.constantFrom('127.0.0.1', '127.0.0.0/8', '10.0.0.1', '10.0.0.0/8'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      perms: fc.constant(31),
      scheme: fc.constantFrom('nonsense', 'world', 'digest', 'ip', ''),
      id: fc.constantFrom('', 'x', 'a:b:c', '1.2.3', '1.2.3.4/99'),
    }),
  },
)

const acl = fc.oneof(
  { weight: 6, arbitrary: fc.constant(openAcl) },
  { weight: 6, arbitrary: fc.array(aclEntry, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant([]) },
)

/** Sequential ones name the beginning of the last segment. */
function createOf(aclOf: fc.Arbitrary<readonly PlannedAcl[]>): fc.Arbitrary<PlannedCreate> {
  const kinds = fc.oneof(
    {
      weight: 10,
      arbitrary: fc.record({
        op: fc.constantFrom('create' as const, 'create2' as const),
        flags: fc.constantFrom(0, 0, 0, 1, 2, 3),
      }),
    },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('createContainer' as const), flags: fc.constant(4) }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('createTTL' as const), flags: fc.constantFrom(5, 6) }) },
  )
  const ttlMs = fc.constantFrom(3_600_000, 3_600_000, 1, 0, -1, 0xff_ffff_ffff, 0x100_0000_0000)
  return fc
    .record({ kind: kinds, path, parent: fc.constantFrom('', '/a', '/b', '/a/b'), data, ttlMs, acl: aclOf })
    .map((value) => {
      const isSequential = [2, 3, 6].includes(value.kind.flags)
      // A TTL that is over at once would let the node vanish at a time of its own.
      const ttl = value.ttlMs === 1 ? 3_600_000 : value.ttlMs
      return {
        ...value.kind,
        path: isSequential ? `${value.parent}/s` : value.path,
        data: value.data,
        ttlMs: ttl,
        acl: value.acl,
      }
    })
}

function subOf(aclOf: fc.Arbitrary<readonly PlannedAcl[]>): fc.Arbitrary<PlannedSub> {
  return fc.oneof(
    { weight: 4, arbitrary: createOf(aclOf) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('setData' as const), path, data, version }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('delete' as const, 'check' as const), path, version }) },
  )
}

function operationOf(subject: Subject): fc.Arbitrary<PlannedOperation> {
  const aclOf = subject === 'acls' ? acl : fc.constant(openAcl)
  const watch = subject === 'acls' ? fc.constant(false) : fc.boolean()
  const all: { weight: number; arbitrary: fc.Arbitrary<PlannedOperation> }[] = [
    { weight: 24, arbitrary: createOf(aclOf) },
    { weight: 9, arbitrary: fc.record({ op: fc.constant('delete' as const), path, version }) },
    { weight: 10, arbitrary: fc.record({ op: fc.constant('setData' as const), path, data, version }) },
    {
      weight: 24,
      arbitrary: fc.record({
        op: fc.constantFrom('exists' as const, 'getData' as const, 'getChildren' as const, 'getChildren2' as const),
        path,
        watch,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        op: fc.constantFrom('getAllChildrenNumber' as const, 'getEphemerals' as const, 'sync' as const),
        path: goodPath,
      }),
    },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('close' as const) }) },
  ]
  // ZooKeeper checks the limits of a multi one by one against what is committed: ours, as it goes.
  if (subject !== 'quotas') {
    all.push({
      weight: 10,
      arbitrary: fc.record({ op: fc.constant('multi' as const), operations: fc.array(subOf(aclOf), { maxLength: 5 }) }),
    })
    const reads = fc.record({ op: fc.constantFrom('getData' as const, 'getChildren' as const), path: goodPath })
    all.push({
      weight: 3,
      arbitrary: fc.record({ op: fc.constant('multiRead' as const), operations: fc.array(reads, { maxLength: 4 }) }),
    })
  }
  if (subject === 'watches') {
    all.push({
      weight: 8,
      arbitrary: fc.record({
        op: fc.constant('addWatch' as const),
        path: fc.constantFrom(...persistentlyWatched.keys()),
      }),
    })
    all.push({
      weight: 6,
      arbitrary: fc.record({
        op: fc.constantFrom('removeWatches' as const, 'checkWatches' as const),
        path: goodPath,
        type: fc.constantFrom(1, 2, 3),
      }),
    })
    all.push({ weight: 4, arbitrary: fc.record({ op: fc.constant('cut' as const) }) })
  }
  if (subject === 'expiry') all.push({ weight: 2, arbitrary: fc.record({ op: fc.constant('expire' as const) }) })
  if (subject === 'acls') {
    all.push({ weight: 10, arbitrary: fc.record({ op: fc.constant('setACL' as const), path, acl, version }) })
    all.push({ weight: 8, arbitrary: fc.record({ op: fc.constant('getACL' as const), path }) })
    all.push({
      weight: 8,
      arbitrary: fc.record({
        op: fc.constant('auth' as const),
        credentials: fc.constantFrom('u1:p', 'u2:p', 'super:test', 'nocolon'),
      }),
    })
    all.push({ weight: 3, arbitrary: fc.record({ op: fc.constant('whoAmI' as const) }) })
  }
  if (subject === 'quotas') {
    const limits = fc
      .record({ count: fc.constantFrom(-1, 2, 3, 5), bytes: fc.constantFrom(-1, 4, 10), hard: fc.boolean() })
      .map(({ count, bytes, hard }) =>
        hard
          ? `count=-1,bytes=-1=;byteHardLimit=${bytes};countHardLimit=${count}`
          : `count=${count},bytes=${bytes}=;byteHardLimit=-1;countHardLimit=-1`,
      )
    const quotaPath = fc.constantFrom('/a', '/b')
    all.push({ weight: 6, arbitrary: fc.record({ op: fc.constant('setQuota' as const), path: quotaPath, limits }) })
    all.push({ weight: 6, arbitrary: fc.record({ op: fc.constant('readQuota' as const), path: quotaPath }) })
  }
  return fc.oneof(...all)
}

/** Plans about one subject, of `length` steps. */
export function plans(subject: Subject, length: number): fc.Arbitrary<Plan> {
  const step = fc.record({ session: fc.nat({ max: sessionCount - 1 }), operation: operationOf(subject) })
  return fc.array(step, { minLength: length, maxLength: length }).map((steps) => ({ subject, steps }))
}
