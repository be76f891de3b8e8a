import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, it } from 'mocha'
import { type Block, Blocks } from '../lib/blocks.ts'

interface Thing {
  readonly block: Block
  readonly start: number
  readonly length: number
  readonly byte: number
}

describe('Blocks', () => {
  it('leave alone what is held, whatever comes and goes beside it', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ put: fc.oneof(fc.nat(40), fc.constantFrom(0, 64, 256, 257, 1000)) }) },
      { weight: 2, arbitrary: fc.record({ drop: fc.nat(8) }) },
      fc.constant('all of them' as const),
    )
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 400 }), (steps) => {
        let made = 0
        const blocks = new Blocks<Uint8Array>({ min: 64, max: 256 }, (length) => {
          made += length
          return new Uint8Array(length)
        })
        const things: Thing[] = []
        let put = 0
        for (const [index, one] of steps.entries()) {
          if (one === 'all of them') for (const { block } of things.splice(0)) blocks.release(block)
          else if ('drop' in one) for (const { block } of things.splice(one.drop, 1)) blocks.release(block)
          else {
            const block = blocks.hold(one.put)
            const thing = { block, start: block.used, length: one.put, byte: index % 255 }
            block.bytes.fill(thing.byte, thing.start, thing.start + thing.length)
            block.used += thing.length
            assert.ok(block.used <= block.bytes.length)
            things.push(thing)
            put += one.put
          }
          for (const { block, start, length, byte } of things) {
            assert.ok(block.bytes.subarray(start, start + length).every((is) => is === byte))
          }
        }
        assert.ok(made <= 64 + 2 * 256 + 3 * put)
      }),
      { numRuns: 100 },
    )
  })

  it('use the same memory again and again for what comes and goes in order', () => {
    let made = 0
    const blocks = new Blocks<Uint8Array>({ min: 1 << 10, max: 1 << 14 }, (length) => {
      made += 1
      return new Uint8Array(length)
    })
    const held: Block[] = []
    for (let count = 0; count < 10_000; count += 1) {
      const block = blocks.hold(3000)
      block.used += 3000
      held.push(block)
      // Now three go, now none.
      if (count % 3 === 2 && held.length > 40) for (const gone of held.splice(0, 3)) blocks.release(gone)
    }
    assert.ok(made < 20, `${made} blocks`)
  })
})
