import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { AclEntry, Identity } from '../../../lib/core/tree/acl.ts'
import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import type { FrozenState } from '../../../lib/core/tree/frozen-state.ts'
import type {
  Applied,
  MultiOperation,
  Operation,
  SnapshotRecord,
  SubOperation,
  TreeRequest,
} from '../../../lib/core/tree/operation.ts'
import { zxidOf } from '../../../lib/core/zab/zxid.ts'
import { alice, bob, bytes, carol, create, Fixture } from './fixture.ts'
import { Model } from './model.ts'

const names = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 2 }) },
  { weight: 1, arbitrary: fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 }) },
)
const plain = names.map((list) => `/${list.join('/')}`)
const odd = ['/', '/a/', '//a', '/a//b', 'a', 'xa/b', '', '/a/..', '/a/./b', '/zookeeper', '/zookeeper/quota', '/a/n-']
/** Of quotas: on paths, on what can have none, and beside the names that count. */
const quotaRoot = '/zookeeper/quota'
const limitsPath = fc.oneof(
  { weight: 6, arbitrary: plain.map((at) => `${quotaRoot}${at}/zookeeper_limits`) },
  { weight: 1, arbitrary: fc.constantFrom(`${quotaRoot}/zookeeper_limits`, `${quotaRoot}/zookeeper/zookeeper_limits`) },
)
const statsPath = plain.map((at) => `${quotaRoot}${at}/zookeeper_stats`)
const path = fc.oneof(
  { weight: 18, arbitrary: plain },
  { weight: 2, arbitrary: fc.constantFrom(...odd) },
  { weight: 1, arbitrary: fc.constant('/zookeeper/config') },
)
const version = fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 2 }))
const data = fc.option(fc.constantFrom('', 'x', 'longer').map(bytes), { nil: undefined })
const flag = fc.constantFrom(undefined, false, true)
const modes = ['persistent', 'persistent-sequential', 'ephemeral', 'ephemeral-sequential', 'container'] as const
const mode = fc.constantFrom(...modes)

const [eve, mallory] = ['eve', 'mallory'].map((user) => ({ scheme: 'digest', id: `${user}:hash` })) as [
  Identity,
  Identity,
]
const identities = fc.constantFrom<readonly Identity[]>(
  [],
  [],
  [],
  [eve],
  [eve, mallory],
  [{ scheme: 'ip', id: '10.0.0.1' }],
  [{ scheme: 'super', id: '' }],
)
const permissions = fc.constantFrom('cdrwa', 'r', 'cdrw', 'wc', 'a', '', 'd')
const who = fc.constantFrom(
  { scheme: 'world', id: 'anyone' },
  eve,
  mallory,
  { scheme: 'auth', id: '' },
  { scheme: 'digest', id: 'no colon' },
  { scheme: '', id: 'x' },
)
const entry = fc.tuple(who, permissions).map(([one, letters]): AclEntry => ({ ...one, permissions: letters }))
const known = fc.constantFrom({ scheme: 'world', id: 'anyone' }, { scheme: 'world', id: 'anyone' }, eve, mallory)
const someAcl = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(known, permissions).map(([one, letters]) => [{ ...one, permissions: letters }]) },
  { weight: 1, arbitrary: fc.array(entry, { maxLength: 3 }) },
)
const acl = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 2, arbitrary: someAcl })

const creation = fc.record({ type: fc.constant('create'), path, data, mode, parents: flag, acl })
const ttlModes = fc.constantFrom('persistent-ttl', 'persistent-ttl', 'persistent-sequential-ttl', 'persistent')
const ttlMs = fc.constantFrom(1, 2, 3, 5, 1, 2, 3, 5, undefined, 0, 2 ** 40)
const mortal = fc.record({ type: fc.constant('create'), path, data, mode: ttlModes, ttlMs })
const limitsText = fc.constantFrom(
  'count=-1,bytes=-1=;countHardLimit=2',
  'count=-1,bytes=-1=;byteHardLimit=6;countHardLimit=5',
  'count=1,bytes=1',
  'nonsense',
)
const limits = limitsText.map(bytes)
const quotaWrite: fc.Arbitrary<SubOperation> = fc.oneof(
  fc.record({
    type: fc.constant('create'),
    path: limitsPath,
    data: limits,
    mode: fc.constant('persistent'),
    parents: fc.constant(true),
  }),
  fc.record({
    type: fc.constant('create'),
    path: statsPath,
    data,
    mode: fc.constant('persistent'),
    parents: fc.constant(true),
  }),
  fc.record({ type: fc.constant('setData'), path: limitsPath, data: limits, version: fc.constant(-1) }),
  fc.record({
    type: fc.constant('delete'),
    path: fc.oneof(
      limitsPath,
      statsPath,
      plain.map((at) => `${quotaRoot}${at}`),
    ),
    version: fc.constant(-1),
    recursive: flag,
  }),
)
const subOperation: fc.Arbitrary<SubOperation> = fc.oneof(
  { weight: 8, arbitrary: creation },
  { weight: 2, arbitrary: mortal },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('delete'), path, version, recursive: flag }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('setData'), path, data, version }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('check'), path, version }) },
  { weight: 4, arbitrary: quotaWrite },
)
// The fixture opens its sessions in entries 1 to 3.
const czxid = fc.integer({ min: 4, max: 12 }).map((counter) => zxidOf(0, counter))
const multi: fc.Arbitrary<MultiOperation> = fc.record({
  type: fc.constant('multi'),
  operations: fc.array(subOperation, { maxLength: 6 }),
  ifHeld: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, fc.record({ path, czxid })),
})
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 12, arbitrary: subOperation },
  { weight: 6, arbitrary: multi },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('setAcl'), path, acl: someAcl, version }) },
  { weight: 1, arbitrary: fc.constant({ type: 'closeSession' }) },
)
const session = fc.constantFrom(alice, bob, carol)
const write = fc.record({ kind: fc.constant('write' as const), session, operation, identities })
/** Somebody is reaped, perhaps after a while, perhaps one that is gone. */
const reaping = fc.record({
  kind: fc.constant('reap' as const),
  nth: fc.nat(5),
  isSame: fc.constantFrom(true, true, true, false),
  afterMs: fc.constantFrom(0, 0, 0, 10, 300_001),
})
type Step =
  | (typeof write extends fc.Arbitrary<infer W> ? W : never)
  | (typeof reaping extends fc.Arbitrary<infer R> ? R : never)
const step: fc.Arbitrary<Step> = fc.oneof({ weight: 9, arbitrary: write }, { weight: 2, arbitrary: reaping })

/** Histories that stay with one matter: what is rare among everything is common there. */
const nobody = fc.constant<readonly Identity[]>([])
const near = fc.constantFrom('/a', '/a/b', '/a/b/c', '/b')
const quotaAt = fc.constantFrom('/a', '/a', '/a/b', '/a/b', '/zookeeper').map((at) => `${quotaRoot}${at}`)
const persistent = fc.constant('persistent' as const)
const always = fc.constant(true)
const anyOne = fc.constant(-1)
const aboutQuotas: fc.Arbitrary<SubOperation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ type: fc.constant('create'), path: near, data, mode: persistent, parents: flag }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('setData'), path: near, data, version: anyOne }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete'), path: near, version: anyOne, recursive: flag }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(quotaAt, limits)
      .map(([at, text]) => create(`${at}/zookeeper_limits`, { data: text, parents: true })),
  },
  { weight: 2, arbitrary: quotaAt.map((at) => create(`${at}/zookeeper_stats`, { parents: true })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(quotaAt, limits)
      .map(([at, text]) => ({ type: 'setData', path: `${at}/zookeeper_limits`, data: text, version: -1 }) as const),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('delete'), path: quotaAt, version: anyOne, recursive: always }),
  },
)
const quotaMulti = fc.record({
  type: fc.constant('multi' as const),
  operations: fc.array(aboutQuotas, { minLength: 1, maxLength: 5 }),
})
const quotaStep: fc.Arbitrary<Step> = fc.record({
  kind: fc.constant('write' as const),
  session,
  operation: fc.oneof(aboutQuotas, quotaMulti),
  identities: nobody,
})
const aboutMortals: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant('create'), path: near, data, mode: ttlModes, ttlMs }) },
  { weight: 2, arbitrary: near.map((at) => create(at, { mode: 'container' })) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('setData'), path: near, data, version: anyOne }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete'), path: near, version: anyOne, recursive: flag }) },
)
const mortalStep: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('write' as const), session, operation: aboutMortals, identities: nobody }),
  reaping,
)
const history: fc.Arbitrary<readonly Step[]> = fc.oneof(
  ...[step, quotaStep, mortalStep].map((one) => fc.array(one, { maxLength: 50, size: 'max' })),
)

/** Applies a step; what it asked for and what came of it. */
function take(fixture: Fixture, next: Step): Applied & { readonly request: TreeRequest } {
  if (next.kind === 'write') {
    const request = fixture.writeRequest(next.operation, next.session)
    return fixture.apply({ ...request, identities: next.identities })
  }
  fixture.skip(next.afterMs)
  const mortals = [...fixture.state.tree.mortals()].sort(([a], [b]) => (a < b ? -1 : 1))
  const [at, node] = mortals[next.nth % Math.max(1, mortals.length)] ?? ['/a', undefined]
  return fixture.apply({ type: 'reap', path: at, czxid: next.isSame && node !== undefined ? node.czxid : zxidOf(0, 1) })
}

function assertSame({ tree }: ReplicatedState, model: Model): void {
  assert.deepEqual([...tree.walk('/')].map((place) => place.path).sort(), [...model.nodes.keys()].sort())
  for (const [key, node] of model.nodes) {
    assert.deepEqual(tree.stat(key), model.stat(key), key)
    assert.deepEqual(tree.getData(key)?.data, node.data, key)
    assert.deepEqual(tree.find(key)?.acl, node.acl, key)
    assert.deepEqual(tree.getChildren(key)?.children, model.children(key).sort(), key)
    assert.equal(tree.getAllChildrenNumber(key), model.descendants(key).length, key)
  }
  for (const owner of [alice, bob, carol]) {
    assert.deepEqual(tree.getEphemerals(owner), model.ephemerals(owner).sort())
  }
  for (const [quota, usage] of model.usages()) assert.deepEqual(tree.quotaOf(quota)?.usage, usage, quota)
  const mortal = [...model.nodes].filter(([, node]) => node.mode === 'container' || node.mode === 'ttl')
  assert.deepEqual([...tree.mortals()].map(([at]) => at).sort(), mortal.map(([at]) => at).sort())
}

/** All of the state but what every entry moves: the header and the sessions' results. */
function treeOf(state: ReplicatedState): unknown {
  return [...state.tree.walk('/')].map((place) => place.node.record(place.path))
}

function pick({ result, changes, warnings, endedSession }: Omit<Applied, 'stamp' | 'request'>): object {
  return { result, changes, warnings, endedSession }
}

function keyOf(record: SnapshotRecord): unknown[] {
  return [record.kind, record.kind === 'node' ? record.path : record.kind === 'session' ? String(record.session) : '']
}

describe('the tree and its model', () => {
  it('answer alike to random operations and stay alike', () => {
    const check = (steps: readonly Step[]) => {
      const fixture = new Fixture()
      const model = new Model()
      for (const next of steps) {
        const before = treeOf(fixture.state)
        const { result, stamp, request } = take(fixture, next)
        if (request.type === 'reap') {
          assert.equal(result.type === 'delete', model.reap(request, stamp))
        } else if (next.kind === 'write') {
          assert.deepEqual(result, model.evaluate(next.operation, next.session, stamp, next.identities))
          if (result.type === 'closeSession') fixture.open(next.session)
        }
        assertSame(fixture.state, model)
        if (result.type === 'error' || result.type === 'void') assert.deepEqual(treeOf(fixture.state), before)
      }
    }
    fc.assert(fc.property(history, check), { numRuns: 300 })
  })

  it('is restored from a snapshot at any point, and goes on with the same digest', () => {
    const check = (steps: readonly Step[], at: number) => {
      const fixture = new Fixture()
      let restored: ReplicatedState | undefined
      for (const [index, next] of steps.entries()) {
        if (index === at) restored = ReplicatedState.fromSnapshot(fixture.state.snapshot())
        const { stamp, request } = take(fixture, next)
        restored?.apply(stamp, request)
      }
      if (restored === undefined) return
      assert.equal(restored.digest(), fixture.state.digest())
      const usageOf = ({ tree }: ReplicatedState) =>
        [...tree.walk('/')].map(({ path: key }) => [key, tree.quotaOf(key)?.path, tree.quotaOf(key)?.usage])
      assert.deepEqual(usageOf(restored), usageOf(fixture.state))
    }
    fc.assert(fc.property(history, fc.nat(29), check), { numRuns: 200 })
  })

  it('is read out as it was at any point, in slices, while it goes on', () => {
    const check = (steps: readonly Step[], at: number, weight: number) => {
      const fixture = new Fixture()
      let frozen: FrozenState | undefined
      let digest = ''
      const records: SnapshotRecord[] = []
      for (const [index, next] of steps.entries()) {
        if (index === at) {
          frozen = fixture.state.freeze()
          digest = fixture.state.digest()
        }
        records.push(...(frozen?.take(weight) ?? []))
        take(fixture, next)
      }
      if (frozen === undefined) return
      while (!frozen.isDone) records.push(...frozen.take(weight))
      assert.equal(ReplicatedState.fromSnapshot(records).digest(), digest)
      assert.deepEqual([frozen.records, frozen.take(weight)], [frozen.total, []])
      assert.equal(new Set(records.map((record) => JSON.stringify(keyOf(record)))).size, records.length)
      // What the first freeze left behind means nothing to the next one.
      const again = fixture.state.freeze().take(1e6)
      assert.equal(ReplicatedState.fromSnapshot(again).digest(), fixture.state.digest())
    }
    fc.assert(fc.property(history, fc.nat(29), fc.constantFrom(1, 200, 1000), check), { numRuns: 400 })
  })

  it('is the same wherever the same entries are applied: results, changes, warnings, digest', () => {
    const check = (steps: readonly Step[]) => {
      const fixture = new Fixture()
      const log: Applied[] = []
      for (const next of steps) log.push(take(fixture, next))
      const other = new Fixture()
      for (const { stamp, request, ...outcome } of log) {
        if (request.type === 'publishConfiguration') continue
        const { result, changes, warnings, endedSession } = other.state.apply(stamp, request)
        assert.deepEqual({ result, changes, warnings, endedSession }, pick(outcome))
      }
      assert.equal(other.state.digest(), fixture.state.digest())
    }
    fc.assert(fc.property(history, check), { numRuns: 100 })
  })

  it('leaves the tree as it was when a multi fails', () => {
    const check = (prelude: readonly SubOperation[], failing: readonly SubOperation[]) => {
      const fixture = new Fixture()
      for (const next of prelude) fixture.do(next)
      const untouched = ReplicatedState.fromSnapshot(fixture.state.snapshot())
      const missing: SubOperation = { type: 'check', path: '/missing', version: -1 }
      const fails = fixture.writeRequest({ type: 'multi', operations: [...failing, missing] })
      const { stamp, result, changes } = fixture.apply(fails)
      assert.equal(result.type, 'error')
      assert.deepEqual(changes, [])
      // The same failure, recorded for the same write, from a multi that never touched the tree.
      untouched.advance(stamp)
      if (result.type === 'error') untouched.sessions.record(fails, result)
      assert.equal(fixture.state.digest(), untouched.digest())
    }
    fc.assert(fc.property(fc.array(subOperation, { maxLength: 15 }), fc.array(subOperation), check), { numRuns: 300 })
  })
})
