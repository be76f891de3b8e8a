import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import type { MultiOperation, Operation, SubOperation } from '../../../lib/core/tree/operation.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import { zxidOf } from '../../../lib/core/zab/zxid.ts'
import { alice, bob, bytes, carol, Fixture } from './fixture.ts'
import { Model } from './model.ts'

const names = fc.array(fc.constantFrom('a', 'b'), { minLength: 1, maxLength: 3 })
const odd = ['/', '/a/', '//a', '/a//b', 'a', 'xa/b', '', '/a/..', '/a/./b', '/zookeeper', '/zookeeper/quota', '/a/n-']
const path = fc.oneof(
  { weight: 9, arbitrary: names.map((list) => `/${list.join('/')}`) },
  { weight: 1, arbitrary: fc.constantFrom(...odd) },
)
const version = fc.oneof({ weight: 2, arbitrary: fc.constant(-1) }, fc.integer({ min: 0, max: 2 }))
const data = fc.option(fc.constantFrom('', 'x', 'longer').map(bytes), { nil: undefined })
const flag = fc.constantFrom(undefined, false, true)
const mode = fc.constantFrom('persistent', 'persistent-sequential', 'ephemeral', 'ephemeral-sequential')

const creation = fc.record({ type: fc.constant('create'), path, data, mode, parents: flag })
const subOperation: fc.Arbitrary<SubOperation> = fc.oneof(
  { weight: 4, arbitrary: creation },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('delete'), path, version, recursive: flag }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('setData'), path, data, version }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('check'), path, version }) },
)
// The fixture opens its sessions in entries 1 to 3.
const czxid = fc.integer({ min: 4, max: 12 }).map((counter) => zxidOf(0, counter))
const multi: fc.Arbitrary<MultiOperation> = fc.record({
  type: fc.constant('multi'),
  operations: fc.array(subOperation, { maxLength: 6 }),
  ifHeld: fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, fc.record({ path, czxid })),
})
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: subOperation },
  { weight: 3, arbitrary: multi },
  { weight: 1, arbitrary: fc.constant({ type: 'closeSession' }) },
)
const session = fc.constantFrom(alice, bob, carol)
const step = fc.record({ session, operation })

function assertSame({ tree }: ReplicatedState, model: Model): void {
  assert.deepEqual([...tree.walk('/')].map((place) => place.path).sort(), [...model.nodes.keys()].sort())
  for (const [key, node] of model.nodes) {
    assert.deepEqual(tree.stat(key), model.stat(key), key)
    assert.deepEqual(tree.getData(key)?.data, node.data, key)
    assert.deepEqual(tree.getChildren(key)?.children, model.children(key).sort(), key)
    assert.equal(tree.getAllChildrenNumber(key), model.descendants(key).length, key)
  }
  for (const owner of [alice, bob, carol]) {
    assert.deepEqual(tree.getEphemerals(owner), model.ephemerals(owner).sort())
  }
}

/** All of the state but what every entry moves: the header and the sessions' results. */
function treeOf(state: ReplicatedState): unknown {
  return [...state.tree.walk('/')].map((place) => place.node.record(place.path))
}

describe('the tree and its model', () => {
  it('answer alike to random operations and stay alike', () => {
    const check = (steps: readonly { readonly session: SessionId; readonly operation: Operation }[]) => {
      const fixture = new Fixture()
      const model = new Model()
      for (const next of steps) {
        const before = treeOf(fixture.state)
        const { result, stamp } = fixture.write(next.operation, next.session)
        assert.deepEqual(result, model.evaluate(next.operation, next.session, stamp))
        assertSame(fixture.state, model)
        if (result.type === 'error') assert.deepEqual(treeOf(fixture.state), before)
        if (result.type === 'closeSession') fixture.open(next.session)
      }
    }
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), check), { numRuns: 300 })
  })

  it('is restored from a snapshot at any point, and goes on with the same digest', () => {
    const check = (steps: readonly { readonly session: SessionId; readonly operation: Operation }[], at: number) => {
      const fixture = new Fixture()
      let restored: ReplicatedState | undefined
      for (const [index, next] of steps.entries()) {
        if (index === at) restored = ReplicatedState.fromSnapshot(fixture.state.snapshot())
        const { stamp, request } = fixture.write(next.operation, next.session)
        restored?.apply(stamp, request)
      }
      if (restored !== undefined) assert.equal(restored.digest(), fixture.state.digest())
    }
    fc.assert(fc.property(fc.array(step, { maxLength: 30 }), fc.nat(29), check), { numRuns: 200 })
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
