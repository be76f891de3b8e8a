import assert from 'node:assert/strict'
import type { Batch, EncodedBatch } from '../../../lib/core/zab/batch.ts'
import { lastOf, PackedBatch } from '../../../lib/core/zab/batch.ts'
import { Log, type LogTail } from '../../../lib/core/zab/log.ts'
import { type Zxid, zxidOf, zxidZero } from '../../../lib/core/zab/zxid.ts'

function batchOf(previous: Zxid, first: Zxid, count = 1): Batch {
  const requests = Array.from({ length: count }, () => ({ type: 'noop' }) as const)
  return { first, previous, timeMs: 0, clockMs: 0, settled: zxidZero, requests }
}

/** 1.1, 1.2–1.4, 1.5, 2.1 */
function filled(tail: LogTail = { entries: 6, bytes: 1e9 }): Log {
  const log = new Log(zxidZero, tail)
  log.append(batchOf(zxidZero, zxidOf(1, 1)))
  log.append(batchOf(zxidOf(1, 1), zxidOf(1, 2), 3))
  log.append(batchOf(zxidOf(1, 4), zxidOf(1, 5)))
  log.append(batchOf(zxidOf(1, 5), zxidOf(2, 1)))
  return log
}

const ends = (batches: readonly Batch[]): Zxid[] => batches.map(lastOf)

describe('log', () => {
  it('takes what follows its last batch, and nothing else', () => {
    const log = filled()
    assert.equal(log.last, zxidOf(2, 1))
    assert.throws(() => log.append(batchOf(zxidOf(1, 5), zxidOf(2, 2))), /a hole in the log/)
    assert.throws(() => log.append(batchOf(zxidOf(2, 1), zxidOf(1, 9))), /a hole in the log/)
    assert.throws(() => log.append(batchOf(zxidOf(2, 1), zxidOf(2, 2), 0)), /at least one request/)
  })

  it('knows where its batches end', () => {
    const log = filled()
    assert.ok(log.isBatchEnd(zxidOf(1, 4)))
    assert.ok(!log.isBatchEnd(zxidOf(1, 3)))
    assert.ok(log.isBatchEnd(zxidZero))
    assert.equal(log.lastBatchEndUpTo(zxidOf(1, 3)), zxidOf(1, 1))
    assert.equal(log.lastBatchEndUpTo(zxidOf(1, 9)), zxidOf(1, 5))
    assert.equal(log.lastBatchEndUpTo(zxidOf(9, 9)), zxidOf(2, 1))
    assert.deepEqual(ends(log.after(zxidOf(1, 4))), [zxidOf(1, 5), zxidOf(2, 1)])
  })

  it('is durable through what was reported, and no further than it was cut', () => {
    const log = filled()
    log.markDurable(zxidOf(1, 5))
    const { fence } = log
    log.truncateAfter(zxidOf(1, 4))
    assert.equal(log.durable, zxidOf(1, 4))
    assert.equal(log.last, zxidOf(1, 4))
    assert.notEqual(log.fence, fence)
    assert.throws(() => log.markDurable(zxidOf(2, 1)), /durable beyond the log/)
    assert.throws(() => log.truncateAfter(zxidOf(1, 3)), /cannot cut/)
  })

  it('trims what is applied and does not fit, and serves nothing older', () => {
    assert.ok(!filled().trim(zxidOf(2, 1)))
    const log = filled({ entries: 0, bytes: 1e9 })
    assert.ok(log.trim(zxidOf(1, 4)))
    assert.equal(log.base, zxidOf(1, 4))
    assert.equal(log.lastBatchEndUpTo(zxidOf(1, 1)), undefined)
    assert.equal(log.lastBatchEndUpTo(zxidOf(1, 4)), zxidOf(1, 4))
    assert.equal(log.last, zxidOf(2, 1))
  })

  it('starts over behind a snapshot', () => {
    const log = filled()
    log.reset(zxidOf(3, 7))
    assert.equal(log.last, zxidOf(3, 7))
    assert.equal(log.durable, zxidOf(3, 7))
    assert.deepEqual(log.after(zxidZero), [])
    log.append(batchOf(zxidOf(3, 7), zxidOf(3, 8)))
    assert.equal(log.last, zxidOf(3, 8))
  })

  it('keeps of what was applied the bytes alone, from which the requests can be read again', () => {
    const log = new Log(zxidZero, { entries: 2, bytes: 1000 })
    let reads = 0
    const encoded = (batch: Batch): Batch => {
      const { requests } = batch
      const readRequests = (): Batch['requests'] => {
        reads += 1
        return requests
      }
      const at = (bytes: Uint8Array): EncodedBatch => ({ bytes, readRequests, at })
      return { ...batch, encoded: at(new Uint8Array(100)) }
    }
    log.append(encoded(batchOf(zxidZero, zxidOf(1, 1), 3)))
    log.append(encoded(batchOf(zxidOf(1, 3), zxidOf(1, 4), 2)))
    log.append(encoded(batchOf(zxidOf(1, 5), zxidOf(1, 6))))
    log.append(batchOf(zxidOf(1, 6), zxidOf(1, 7)))
    log.pack(zxidOf(1, 5))
    const packed = log.after(zxidZero).map((batch) => batch instanceof PackedBatch)
    assert.deepEqual(packed, [true, true, false, false], 'not before it was applied')
    assert.deepEqual(ends(log.after(zxidZero)), [zxidOf(1, 3), zxidOf(1, 5), zxidOf(1, 6), zxidOf(1, 7)])
    assert.equal(log.entriesAfter(zxidZero), 7)
    assert.equal(reads, 0)
    assert.equal(log.after(zxidZero)[0]?.requests.length, 3)
    assert.equal(reads, 1)
    log.pack(zxidOf(1, 7))
    assert.ok(!(log.after(zxidOf(1, 6))[0] instanceof PackedBatch), 'without bytes it stays as it is')
    log.trim(zxidOf(1, 7))
    assert.equal(log.entriesAfter(zxidOf(1, 5)), 2)
  })

  it('keeps those bytes where others were that went, and not in what they came in', () => {
    const log = new Log(zxidZero, { entries: 10, bytes: 0x1_0000 })
    const frame = new Uint8Array(2000)
    const at = (bytes: Uint8Array): EncodedBatch => ({ bytes, readRequests: () => [], at })
    const places = new Set<ArrayBufferLike>()
    for (let counter = 1; counter <= 100; counter += 1) {
      frame.fill(counter)
      log.append({ ...batchOf(log.last, zxidOf(1, counter)), encoded: at(frame) })
      log.pack(zxidOf(1, counter))
      log.trim(zxidOf(1, counter))
      for (const { first, encoded } of log.after(log.base)) {
        assert.ok(encoded?.bytes.every((byte) => byte === Number(first & 0xffn)) === true)
        places.add(encoded.bytes.buffer)
      }
    }
    assert.equal(log.entriesAfter(log.base), 10)
    assert.ok(!places.has(frame.buffer))
    assert.ok(places.size < 12, `${places.size} blocks for a hundred batches, ten at a time`)
  })
})
