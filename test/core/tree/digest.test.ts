import assert from 'node:assert/strict'
import { digestOf } from '../../../lib/core/tree/digest.ts'

describe('digestOf', () => {
  it('does not depend on the order of keys, nor on keys without a value', () => {
    assert.equal(digestOf([{ a: 1, b: 2n }]), digestOf([{ b: 2n, a: 1, c: undefined }]))
  })

  it('does not depend on the class of a byte array', () => {
    assert.equal(digestOf([Buffer.from('abc')]), digestOf([new Uint8Array([97, 98, 99])]))
  })

  it('tells values, types and structures apart', () => {
    const bytes = new Uint8Array(1)
    const values = [
      0,
      1,
      256,
      -1,
      '0',
      0n,
      true,
      'true',
      null,
      undefined,
      [],
      [0],
      [[0]],
      {},
      { a: 0 },
      { b: 0 },
      bytes,
    ]
    const lists = [...values.map((value) => [value]), [], [0, 0], ['a', 'b'], ['ab', ''], ['', 'ab'], [bytes, bytes]]
    assert.equal(new Set(lists.map(digestOf)).size, lists.length)
  })

  it('spreads similar values', () => {
    const digests = Array.from({ length: 20_000 }, (_, index) => digestOf([`/node-${index}`]))
    assert.equal(new Set(digests).size, digests.length)
    for (const half of [0, 8]) {
      assert.ok(new Set(digests.map((digest) => digest.slice(half, half + 8))).size > digests.length - 5)
    }
  })
})
