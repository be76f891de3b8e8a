import assert from 'node:assert/strict'
import {
  counterMax,
  counterOf,
  epochMax,
  epochOf,
  formatZxid,
  zxidFrom,
  zxidOf,
  zxidPlus,
  zxidZero,
} from '../../../lib/core/zab/zxid.ts'

describe('zxid', () => {
  it('keeps every bit of epoch and counter', () => {
    const largest = zxidOf(epochMax, counterMax)
    assert.equal(epochOf(largest), epochMax)
    assert.equal(counterOf(largest), counterMax)
    assert.equal(largest, (1n << 63n) - 1n)
    assert.equal(zxidFrom(largest), largest)
    assert.equal(epochOf(zxidOf(1 << 22, 1)), 1 << 22)
  })

  it('orders by epoch, then by counter', () => {
    assert.ok(zxidOf(1, counterMax) < zxidOf(2, 0))
    assert.ok(zxidOf(2, 1) < zxidOf(2, 2))
    assert.ok(zxidZero < zxidOf(0, 1))
  })

  it('refuses what does not fit', () => {
    assert.throws(() => zxidOf(epochMax + 1, 0), /epoch out of range/)
    assert.throws(() => zxidOf(-1, 0), /epoch out of range/)
    assert.throws(() => zxidOf(1.5, 0), /epoch out of range/)
    assert.throws(() => zxidOf(1, counterMax + 1), /counter out of range/)
    assert.throws(() => zxidFrom(-1n), /not a zxid/)
    assert.throws(() => zxidFrom(1n << 63n), /not a zxid/)
  })

  it('never counts into the next epoch', () => {
    assert.equal(zxidPlus(zxidOf(3, 4), 5), zxidOf(3, 9))
    assert.throws(() => zxidPlus(zxidOf(3, counterMax), 1), /the counter of epoch 3 has ended/)
  })

  it('is told as epoch.counter', () => {
    assert.equal(formatZxid(zxidOf(54_310_400, 17)), '54310400.17')
  })
})
