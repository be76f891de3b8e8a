import assert from 'node:assert/strict'
import { Encoder } from 'cbor-x/encode'
import fc from 'fast-check'
import { Source } from '../../lib/wire/source.ts'

const cbor = new Encoder({ useRecords: false, tagUint8Array: false })
const lengthMax = 0x2_0000

/** One item of each kind, and how it is asked for. */
const items = fc.oneof(
  fc.maxSafeInteger().map((value) => ({ value, read: (source: Source) => source.integer() })),
  fc.integer({ min: -70_000, max: 70_000 }).map((value) => ({ value, read: (source: Source) => source.integer() })),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => ({ value, read: (source: Source) => source.long() })),
  fc.string({ unit: 'grapheme' }).map((value) => ({ value, read: (source: Source) => source.text(lengthMax) })),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536).map((length) => {
    return { value: 'ä'.repeat(length), read: (source: Source) => source.text(lengthMax) }
  }),
  fc.uint8Array({ maxLength: 300 }).map((value) => ({ value, read: (source: Source) => source.bytes(lengthMax) })),
  fc.boolean().map((value) => ({ value, read: (source: Source) => source.boolean() })),
  fc.constantFrom(null, undefined).map((value) => {
    return { value, read: (source: Source) => (source.takeNothing() ? value : 'something') }
  }),
  fc.array(fc.nat({ max: 30 })).map((value) => ({
    value,
    read: (source: Source) => Array.from({ length: source.list(lengthMax) }, () => source.integer()),
  })),
)

describe('a source of items', () => {
  it('reads what is written, and refuses it wherever it is cut', () => {
    fc.assert(
      fc.property(fc.array(items, { maxLength: 8 }), (all) => {
        const bytes = Buffer.concat(all.map(({ value }) => cbor.encode(value)))
        const source = new Source(bytes)
        for (const { value, read } of all) assert.deepEqual(read(source), value)
        assert.ok(source.isAtEnd)
        for (const cut of new Set([0, 1, bytes.length >> 1, bytes.length - 1])) {
          if (cut < 0 || cut >= bytes.length) continue
          const rest = new Source(bytes.subarray(0, cut))
          assert.throws(
            () => {
              // A missing null is nothing that was there: whoever asks for it sees the end.
              for (const { value, read } of all) assert.notEqual(read(rest), value ?? 'something')
            },
            (error: unknown) => error instanceof Error,
          )
        }
      }),
    )
  })

  const wrong: Record<string, readonly [bytes: readonly number[], read: (source: Source) => unknown]> = {
    'an item of another kind': [[0x41, 1], (source) => source.integer()],
    'a fraction': [[...cbor.encode(0.5)], (source) => source.integer()],
    'a number that is not safe': [[...cbor.encode(2n ** 60n)], (source) => source.integer()],
    'a float that is not safe': [[...cbor.encode(2 ** 60)], (source) => source.integer()],
    'a negative long that is not safe': [[0x3b, ...Array(8).fill(0xff)], (source) => source.long()],
    'a list of a length that is not known': [[0x9f, 1, 0xff], (source) => source.list(9)],
    'a reserved head': [[0x1c], (source) => source.integer()],
    'a tag': [[0xc0, 1], (source) => source.integer()],
    'a text that is too long': [[...cbor.encode('abc')], (source) => source.text(2)],
    'bytes that are too many': [[0x43, 1, 2, 3], (source) => source.bytes(2)],
    'a list that is too long': [[0x83, 1, 2, 3], (source) => source.list(2)],
    'a length that is only claimed': [[0x9a, 0xff, 0xff, 0xff, 0xff], (source) => source.list(2 ** 32)],
    'bytes that are only claimed': [[0x5b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], (source) => source.bytes(2 ** 33)],
    'nothing at all': [[], (source) => source.boolean()],
  }
  for (const [what, [bytes, read]] of Object.entries(wrong)) {
    it(`refuses ${what}`, () => {
      assert.throws(() => read(new Source(Uint8Array.from(bytes))), { code: 'COORD_PROTOCOL' })
    })
  }
})
