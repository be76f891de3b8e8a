/** The bytes on the disk: what one release writes, every later one must read. */
import assert from 'node:assert/strict'
import { crc32 } from 'node:zlib'
import { decodeChange, encodeChange, type JournalChange } from '../../../adapters/storage-file/change.ts'
import { readCheckpoint, Staging } from '../../../adapters/storage-file/checkpoint-file.ts'
import { crcOf } from '../../../adapters/storage-file/crc.ts'
import { encodeFrame, findHeader, headerAt, spanOf } from '../../../adapters/storage-file/frame.ts'
import { decodeHeaderPage, headerPage, seedOf } from '../../../adapters/storage-file/segment.ts'
import { VirtualFileDisk } from './virtual-files.ts'

const segment = { number: 3, store: '0102030405060708', bytes: 0x10_0000 }

const change: JournalChange = {
  isBase: true,
  values: new Map<string, Uint8Array | undefined>([
    ['epoch', Uint8Array.of(9, 8)],
    ['größe', undefined],
    ['', new Uint8Array()],
  ]),
  truncateAfter: 0x7fff_ffff_ffff_ffffn,
  checkpoint: { zxid: 5n, number: 2, chunks: 7, bytes: 0x1_0000_0001, crc: 0xdead_beef },
  purgeThrough: 4n,
  append: [
    { first: 6n, last: 9n, bytes: Uint8Array.of(1, 2, 3) },
    { first: 10n, last: 10n, bytes: new Uint8Array() },
  ],
}

const empty: JournalChange = {
  isBase: false,
  values: new Map(),
  truncateAfter: undefined,
  checkpoint: undefined,
  purgeThrough: undefined,
  append: [],
}

describe('frames of storage-file', () => {
  it('a segment begins with what it is', () => {
    const page = headerPage(segment)
    assert.equal(page.length, 4096)
    assert.equal(
      page.toString('hex', 0, 36),
      '656d636f6f72646a00000001000000030102030405060708000000000010000087faee96',
    )
    assert.deepEqual(decodeHeaderPage(page, 'it'), segment)
  })

  it('a segment of a later release is no damage, and is said so', () => {
    const page = headerPage(segment)
    page.writeUInt32BE(2, 8)
    page.writeUInt32BE(crc32(page.subarray(0, 32)), 32)
    assert.throws(() => decodeHeaderPage(page, 'it'), {
      code: 'COORD_STORE_FAILED',
      message: 'it has format 2, this release reads 1',
    })
  })

  it('a change is written as it always was', () => {
    const payload = Buffer.concat(encodeChange(change))
    const golden = [
      '3f',
      '00000003 00000005 00000002 65706f6368 0908 00000007 ffffffff 6772c3b6c39f65 00000000 00000000',
      '7fffffffffffffff',
      '0000000000000005 00000002 00000007 0000000100000001 deadbeef',
      '0000000000000004',
      '00000002 0000000000000006 0000000000000009 00000003 000000000000000a 000000000000000a 00000000 010203',
    ]
    assert.equal(payload.toString('hex'), golden.join('').replaceAll(' ', ''))
    assert.deepEqual(decodeChange(payload), change)
  })

  it('an empty change is one byte', () => {
    const payload = Buffer.concat(encodeChange(empty))
    assert.equal(payload.toString('hex'), '00')
    assert.deepEqual(decodeChange(payload), empty)
  })

  it('a change of a later release is no damage, and is said so', () => {
    assert.throws(() => decodeChange(Buffer.of(64)), { code: 'COORD_STORE_FAILED', message: /flags 64/ })
  })

  it('a change that is longer or shorter than it says is damage', () => {
    const payload = Buffer.concat(encodeChange(change))
    assert.throws(() => decodeChange(Buffer.concat([payload, Buffer.of(0)])), { code: 'COORD_STORE_DAMAGED' })
    for (let length = 0; length < payload.length; length += 1) {
      assert.throws(() => decodeChange(payload.subarray(0, length)), { code: 'COORD_STORE_DAMAGED' }, `${length} bytes`)
    }
  })

  it('a frame is written as it always was', () => {
    const frame = encodeFrame(seedOf(segment), { sequence: 5, oldest: 2, link: 0xabcd }, [
      Buffer.of(1),
      Buffer.of(2, 3),
    ])
    const bytes = Buffer.concat(frame.parts)
    const golden = 'ec0f4a52 00000003 0000000000000005 00000002 0000abcd 55bc801d 05344ac6 010203'
    assert.equal(bytes.toString('hex'), golden.replaceAll(' ', ''))
    assert.equal(frame.bytes, bytes.length)
    assert.deepEqual(headerAt(bytes, 0, seedOf(segment)), {
      length: 3,
      sequence: 5,
      oldest: 2,
      link: 0xabcd,
      payloadCrc: crc32(Buffer.of(1, 2, 3)),
      crc: frame.crc,
    })
  })

  it('a large frame is the same, without being copied', () => {
    const large = Buffer.alloc(70_000, 7)
    const header = { sequence: 5, oldest: 2, link: 1 }
    const parts = [Buffer.of(1), new Uint8Array(), large]
    const frame = encodeFrame(0, header, parts)
    assert.equal(frame.parts.at(-1), large)
    assert.equal(headerAt(Buffer.concat(frame.parts), 0, 0)?.payloadCrc, crc32(Buffer.concat(parts)))
    assert.equal(frame.bytes, 32 + 70_001)
  })

  it('a frame of another segment, or of another store, is none', () => {
    const bytes = Buffer.concat(encodeFrame(seedOf(segment), { sequence: 5, oldest: 2, link: 1 }, [Buffer.of(1)]).parts)
    assert.ok(headerAt(bytes, 0, seedOf(segment)) !== undefined)
    for (const other of [{ number: 4 }, { store: '0102030405060709' }, { bytes: 0x20_0000 }]) {
      assert.equal(headerAt(bytes, 0, seedOf({ ...segment, ...other })), undefined)
    }
  })

  it('a frame with any bit flipped in its header is none', () => {
    const bytes = Buffer.concat(encodeFrame(1, { sequence: 5, oldest: 2, link: 1 }, [Buffer.of(1)]).parts)
    for (let bit = 0; bit < 32 * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >>> 3] = (flipped[bit >>> 3] as number) ^ (1 << (bit & 7))
      assert.equal(headerAt(flipped, 0, 1), undefined, `bit ${bit}`)
    }
  })

  it('a header is found where one may be, behind other bytes', () => {
    const frame = Buffer.concat(encodeFrame(1, { sequence: 5, oldest: 2, link: 1 }, [Buffer.of(1)]).parts)
    const bytes = Buffer.alloc(200)
    frame.copy(bytes, 4)
    assert.equal(findHeader(bytes, 0, 1), undefined)
    bytes.fill(0)
    frame.copy(bytes, 104)
    assert.equal(findHeader(bytes, 0, 1), 104)
    assert.equal(findHeader(bytes, 105, 1), undefined)
    frame.copy(bytes, 190)
    assert.equal(findHeader(bytes, 105, 1), undefined)
  })

  it('a checkpoint is written as it always was', async () => {
    const disk = new VirtualFileDisk()
    const files = disk.files()
    const staging = new Staging(files, segment.store, 4)
    await staging.add({ zxid: 0x1_0000_0002n, from: 0, chunks: [Uint8Array.of(1, 2, 3), new Uint8Array()] })
    await staging.add({ zxid: 0x1_0000_0002n, from: 2, chunks: [Uint8Array.of(4)] })
    const reference = await staging.finish({ zxid: 0x1_0000_0002n, chunks: 3 })
    assert.deepEqual(disk.list(), ['checkpoint-0000000005'])
    const golden = [
      '656d636f6f726463 00000001 00000005 0102030405060708 0000000100000002 6606b1cb',
      '00000003 aba57f41 010203 00000000 cf35fde5 00000001 22ae686a 04',
    ]
    assert.equal(disk.bytesOf('checkpoint-0000000005').toString('hex'), golden.join('').replaceAll(' ', ''))
    assert.deepEqual(reference, { zxid: 0x1_0000_0002n, number: 5, chunks: 3, bytes: 64, crc: 0x22ae_686a })
    const { chunks } = await readCheckpoint(files, segment.store, reference)
    assert.deepEqual(
      chunks.map((chunk) => [...chunk]),
      [[1, 2, 3], [], [4]],
    )
  })

  it('a checkpoint of a later release is no damage, and is said so', async () => {
    const disk = new VirtualFileDisk()
    const files = disk.files()
    const staging = new Staging(files, segment.store, 0)
    await staging.add({ zxid: 1n, from: 0, chunks: [Uint8Array.of(1)] })
    const reference = await staging.finish({ zxid: 1n, chunks: 1 })
    const bytes = disk.bytesOf('checkpoint-0000000001')
    bytes.writeUInt32BE(2, 8)
    bytes.writeUInt32BE(crc32(bytes.subarray(0, 32)), 32)
    await assert.rejects(readCheckpoint(files, segment.store, reference), {
      code: 'COORD_STORE_FAILED',
      message: 'checkpoint-0000000001 has format 2, this release reads 1',
    })
  })

  it('the next frame begins at a multiple of 8', () => {
    assert.deepEqual([33, 39, 40, 41].map(spanOf), [40, 40, 40, 48])
  })

  it('a CRC over pieces is that over the whole, with empty ones, too', () => {
    const pieces = [Buffer.of(1, 2), new Uint8Array(), Buffer.alloc(0), Buffer.of(3)]
    assert.equal(
      pieces.reduce((crc, piece) => crcOf(piece, crc), 0),
      crc32(Buffer.of(1, 2, 3)),
    )
  })
})
