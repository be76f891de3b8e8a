import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  packedData,
  packedDataLength,
  packedDataMax,
  packNode,
  requirePacked,
  unpackFields,
  unpackNode,
  type ZnodeFields,
} from '../../../lib/core/tree/packed-node.ts'
import { recentNodesMax } from '../../../lib/core/tree/recent-nodes.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import type { Zxid } from '../../../lib/core/zab/zxid.ts'
import { InvariantError } from '../../../lib/errors.ts'
import { bytes, check, create, Fixture, setData } from './fixture.ts'

const long = fc.oneof(fc.constantFrom(0n, 1n), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }))
const zxid = long as fc.Arbitrary<Zxid>
const natural = fc.oneof(fc.constantFrom(0, 2 ** 32, 2 ** 48 - 1), fc.nat())
const integer = fc.oneof(fc.constantFrom(0, -1, 2 ** 31 - 1, -(2 ** 31)), fc.integer())
const fields: fc.Arbitrary<ZnodeFields> = fc.record(
  {
    data: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
    mode: fc.constantFrom('persistent', 'ephemeral', 'container', 'ttl'),
    ttlMs: natural,
    ephemeralOwner: long as fc.Arbitrary<SessionId>,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctime: natural,
    mtime: natural,
    touchedClockMs: natural,
    version: integer,
    creates: natural,
    aversion: integer,
  },
  { noNullPrototype: true },
)

describe('a packed node', () => {
  it('holds what was packed, and equal nodes are equal', () => {
    fc.assert(
      fc.property(fields, (given) => {
        const packed = packNode(given)
        assert.deepEqual(unpackNode(packed), given)
        assert.deepEqual(unpackFields(packed), { ...given, data: undefined })
        assert.deepEqual(packedData(packed), given.data)
        assert.equal(packedDataLength(packed), given.data?.length ?? 0)
        assert.equal(packNode(unpackNode(packed)), packed)
        requirePacked(packed, undefined, '/')
      }),
    )
  })

  it('holds a value up to a length, and leaves a longer one apart', () => {
    fc.assert(
      fc.property(fields, fc.constantFrom(0, 1, packedDataMax, packedDataMax + 1), (given, length) => {
        const data = new Uint8Array(length).fill(7)
        const packed = packNode({ ...given, data })
        const longData = length > packedDataMax ? data : undefined
        assert.deepEqual(unpackNode(packed, longData), { ...given, data })
        requirePacked(packed, longData, '/')
      }),
    )
  })

  it('is not made of a time or a count that does not fit', () => {
    const usual = unpackNode(packNode(fc.sample(fields, { numRuns: 1, seed: 1 })[0] as ZnodeFields))
    for (const field of ['ctime', 'touchedClockMs', 'creates'] as const)
      for (const value of [2 ** 48, -1])
        assert.throws(() => packNode({ ...usual, [field]: value }), InvariantError, `${field} ${value}`)
  })

  it('is refused wherever its fields are cut', () => {
    fc.assert(
      fc.property(fields, (given) => {
        const packed = packNode({ ...given, data: undefined })
        for (let length = 0; length < packed.length; length += 1) {
          const cut = (): void => requirePacked(packed.slice(0, length), undefined, '/a')
          assert.throws(cut, { code: 'COORD_STORE_DAMAGED' })
        }
      }),
    )
  })
})

describe('a node that rests', () => {
  function nodeOf(fixture: Fixture, path: string) {
    const node = fixture.state.tree.find(path)
    assert.ok(node)
    return node
  }
  /** So many other nodes change that none of before is among those that changed last. */
  function changeOthers(fixture: Fixture, prefix: string): void {
    for (let index = 0; index < recentNodesMax; index += 1) fixture.create(`/${prefix}${index}`)
  }

  it('is packed, shows what it showed, and is packed again after a change', () => {
    const fixture = new Fixture()
    fixture.create('/n')
    const node = nodeOf(fixture, '/n')
    assert.ok(!node.isPacked)
    const stat = node.stat()
    changeOthers(fixture, 'a')
    assert.ok(node.isPacked)
    assert.deepEqual(node.stat(), stat)
    fixture.setData('/n', 'other')
    assert.ok(!node.isPacked)
    assert.equal(node.version, 1)
    changeOthers(fixture, 'b')
    assert.ok(node.isPacked)
    assert.deepEqual(node.data, bytes('other'))
  })

  it('is not packed while its value is long, and is once it is short', () => {
    const fixture = new Fixture()
    fixture.create('/n')
    const node = nodeOf(fixture, '/n')
    fixture.setData('/n', 'x'.repeat(packedDataMax + 1))
    changeOthers(fixture, 'a')
    assert.ok(!node.isPacked)
    fixture.setData('/n', 'short')
    changeOthers(fixture, 'b')
    assert.ok(node.isPacked)
    assert.deepEqual(node.data, bytes('short'))
  })

  it('gets back in a failed multi what it had, although it was packed in the middle of it', () => {
    const fixture = new Fixture()
    fixture.create('/n')
    changeOthers(fixture, 'a')
    const stat = nodeOf(fixture, '/n').stat()
    const creates = Array.from({ length: 2 * recentNodesMax }, (_, index) => create(`/m${index}`))
    const root = nodeOf(fixture, '/').stat()
    fixture.fails({ type: 'multi', operations: [setData('/n', 'lost'), ...creates, check('/nowhere')] })
    assert.deepEqual(nodeOf(fixture, '/n').stat(), stat)
    assert.deepEqual(nodeOf(fixture, '/').stat(), root)
  })
})
