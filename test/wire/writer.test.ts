/** What the writer of the bytes is bound to: cbor-x, which reads them, would write the same. */
import assert from 'node:assert/strict'
import { Encoder } from 'cbor-x'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { decode, encode } from '../../lib/wire/cbor.ts'
import { list as listOf, natural } from '../../lib/wire/schema.ts'
import { Writer } from '../../lib/wire/writer.ts'

const cbor = new Encoder({ useRecords: false, mapsAsObjects: false, tagUint8Array: false, variableMapSize: true })

type Plain = undefined | boolean | number | bigint | string | Uint8Array | readonly Plain[]

function write(writer: Writer, plain: Plain): void {
  if (plain === undefined) writer.nothing()
  else if (typeof plain === 'boolean') writer.boolean(plain)
  else if (typeof plain === 'number') writer.number(plain)
  else if (typeof plain === 'bigint') writer.long(plain)
  else if (typeof plain === 'string') writer.text(plain)
  else if (plain instanceof Uint8Array) writer.bytes(plain)
  else {
    writer.array(plain.length)
    for (const item of plain) write(writer, item)
  }
}

const edges = [0, 23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]
const number = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(...edges, ...edges.map((edge) => -1 - edge)))
const long = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), fc.constantFrom(0n, 2n ** 63n - 1n))
const lengths = fc.constantFrom(0, 1, 21, 22, 23, 24, 31, 32, 63, 64, 65, 85, 86, 255, 256, 21_845, 65_535, 65_536)
/** Of one, two, three and four bytes, and both halves of a pair alone. */
const characters = fc.constantFrom('a', 'ü', '猫', '🐟', '\ud800', '\udc00')
const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.tuple(characters, lengths).map(([character, length]) => character.repeat(length)),
  fc.tuple(lengths, characters).map(([length, character]) => 'a'.repeat(length) + character),
)
const bytes = fc.oneof(
  fc.uint8Array(),
  lengths.map((length) => new Uint8Array(length).fill(7)),
)
const leaf: fc.Arbitrary<Plain> = fc.oneof(fc.constant(undefined), fc.boolean(), number, long, text, bytes)
const list = fc.array(leaf, { maxLength: 40 })
const plain: fc.Arbitrary<Plain> = fc.oneof(leaf, list, fc.array(fc.oneof(leaf, list), { maxLength: 300 }))

describe('The writer', () => {
  it('writes what cbor-x writes', () => {
    const writer = new Writer()
    fc.assert(
      fc.property(plain, (value) => {
        write(writer, value)
        assert.deepEqual(Buffer.from(writer.take()), Buffer.from(cbor.encode(value)))
      }),
      { numRuns: 1000 },
    )
  })

  it('writes a text of one byte a character as bytes, and items that are written already as they are', () => {
    const writer = new Writer()
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code))
    writer.array(2)
    writer.latin1(all)
    writer.items(cbor.encode('one'))
    assert.deepEqual(cbor.decode(Buffer.from(writer.take())), [Buffer.from(all, 'latin1'), 'one'])
  })

  it('is not shared by a value that is encoded while another one is written', () => {
    const nested = { write: () => encode(natural, 1), read: () => 0 }
    assert.throws(() => encode(listOf(nested, 2), [1]), { name: 'InvariantError' })
    assert.equal(decode(natural, encode(natural, 2)), 2)
  })

  it('gives bytes of their own, however many, and begins anew after what was not wanted', () => {
    const writer = new Writer()
    const large = new Uint8Array(5_000_000).fill(1)
    writer.text('before')
    const before = writer.take()
    writer.bytes(large)
    const whole = writer.take()
    writer.text('given up')
    writer.clear()
    writer.text('after')
    assert.deepEqual([cbor.decode(before as Buffer), cbor.decode(writer.take() as Buffer)], ['before', 'after'])
    assert.ok((cbor.decode(whole as Buffer) as Buffer).equals(large))
  })
})
