import assert from 'node:assert/strict'
import fc from 'fast-check'
import { FrameReader, frame } from '../../../adapters/zookeeper/framing.ts'
import { JuteReader, JuteWriter, MarshallingError, type Schema } from '../../../adapters/zookeeper/jute.ts'
import { multiRequest, multiResponse, type WireOperation } from '../../../adapters/zookeeper/multi.ts'
import { type Exchange, exchanges } from '../../../adapters/zookeeper/operations.ts'
import * as records from '../../../adapters/zookeeper/records.ts'

function encode<T>(schema: Schema<T>, value: T): Buffer {
  const writer = new JuteWriter()
  schema.write(writer, value)
  return writer.finish()
}

const decode = <T>(schema: Schema<T>, bytes: Uint8Array): T => schema.read(new JuteReader(bytes))

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe('the jute codec', () => {
  it('writes what ZooKeeper writes', () => {
    const connect = {
      protocolVersion: 0,
      lastZxidSeen: 1n,
      timeoutMs: 10_000,
      sessionId: -1n,
      password: new Uint8Array([1, 2]),
      readOnly: true,
    }
    const expected = '00000000' + '0000000000000001' + '00002710' + 'ffffffffffffffff' + '00000002' + '0102' + '01'
    assert.equal(hex(encode(records.connectRequest, connect)), expected)
    assert.equal(hex(encode(records.connectRequest, { ...connect, readOnly: undefined })), expected.slice(0, -2))
    const create = { path: '/é', data: undefined, acl: [{ perms: 31, scheme: 'world', id: 'anyone' }], flags: 2 }
    assert.equal(
      hex(encode(records.createRequest, create)),
      `00000003${hex(Buffer.from('/é'))}ffffffff000000010000001f00000005${hex(Buffer.from('world'))}00000006${hex(Buffer.from('anyone'))}00000002`,
    )
  })

  it('tells null from empty', () => {
    for (const data of [undefined, new Uint8Array(0)]) {
      const request = { path: '/', data, version: -1 }
      assert.deepEqual(decode(records.setDataRequest, encode(records.setDataRequest, request)), request)
    }
  })

  it('reads what it wrote, whatever the record', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 20 })
    const long = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n })
    const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
    const data = fc.option(fc.uint8Array({ maxLength: 50 }), { nil: undefined })
    const time = fc.integer({ min: 0, max: 2 ** 48 })
    const stat = fc.record({
      czxid: long,
      mzxid: long,
      ctime: time,
      mtime: time,
      version: int,
      cversion: int,
      aversion: int,
      ephemeralOwner: long,
      dataLength: int,
      numChildren: int,
      pzxid: long,
    })
    const acl = fc.array(fc.record({ perms: int, scheme: text, id: text }), { maxLength: 4 })
    const create = fc.record({ path: text, data, acl, flags: int })
    const operation = fc.oneof(
      fc.record({ type: fc.constantFrom('create' as const, 'create2' as const), request: create }),
      fc.record({
        type: fc.constant('createTTL' as const),
        request: fc.record({ path: text, data, acl, flags: int, ttlMs: time }),
      }),
      fc.record({
        type: fc.constantFrom('delete' as const, 'check' as const),
        request: fc.record({ path: text, version: int }),
      }),
      fc.record({ type: fc.constant('setData' as const), request: fc.record({ path: text, data, version: int }) }),
      fc.record({
        type: fc.constantFrom('getData' as const, 'getChildren' as const),
        request: fc.record({ path: text }),
      }),
    )
    const result = fc.oneof(
      fc.record({ type: fc.constant('create' as const), path: text }),
      fc.record({ type: fc.constant('create2' as const), path: text, stat }),
      fc.record({ type: fc.constantFrom('delete' as const, 'check' as const) }),
      fc.record({ type: fc.constant('setData' as const), stat }),
      fc.record({ type: fc.constant('getData' as const), data, stat }),
      fc.record({ type: fc.constant('getChildren' as const), children: fc.array(text) }),
      fc.record({ type: fc.constant('error' as const), error: int }),
    )
    const same = <T>(schema: Schema<T>, value: fc.Arbitrary<T>): void =>
      fc.assert(
        fc.property(value, (one) => assert.deepEqual(decode(schema, encode(schema, one)), structuredClone(one))),
      )
    same(multiRequest, fc.array<WireOperation>(operation, { maxLength: 6 }))
    same(multiResponse, fc.array(result, { maxLength: 6 }))
    same(records.aclResponse, fc.record({ acl, stat }))
    same(records.replyHeader, fc.record({ xid: int, zxid: long, error: int }))
    same(
      records.setWatches2Request,
      fc.record({
        relativeZxid: long,
        data: fc.array(text),
        exists: fc.array(text),
        children: fc.array(text),
        persistent: fc.array(text),
        persistentRecursive: fc.array(text),
      }),
    )
  })

  it('makes of any bytes a value or a MarshallingError, for every record', () => {
    const schemas = Object.values(exchanges as unknown as Record<string, Exchange<unknown, unknown>>).flatMap(
      ({ request, response }) => [request, response],
    )
    const small = fc.uint8Array({ maxLength: 120 })
    // Plausible lengths and counts get deeper than random ones.
    const words = fc
      .array(fc.oneof(fc.integer({ min: -2, max: 30 }), fc.integer()), { maxLength: 30 })
      .map((numbers) => new Uint8Array(Buffer.concat(numbers.map((number) => encode({ ...intSchema }, number)))))
    fc.assert(
      fc.property(
        fc.oneof(small, words),
        fc.constantFrom(...schemas, records.connectRequest, records.connectResponse),
        (bytes, schema) => {
          try {
            decode<unknown>(schema as Schema<unknown>, bytes)
          } catch (error) {
            assert.ok(error instanceof MarshallingError, String(error))
          }
        },
      ),
      { numRuns: 5_000 },
    )
  })

  it('reserves nothing for a count that cannot be true', () => {
    const bytes = encode(intSchema, 0x7fff_ffff)
    assert.throws(() => decode(records.childrenResponse, bytes), MarshallingError)
    assert.throws(() => decode(records.setDataRequest, bytes), MarshallingError)
    assert.throws(() => decode(records.setDataRequest, encode(intSchema, -2)), MarshallingError)
  })
})

const intSchema: Schema<number> = {
  bytesMin: 4,
  read: (reader) => reader.int(),
  write: (writer, value) => writer.int(value),
}

describe('packets on a stream', () => {
  it('are the same however they are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
        (packets, cuts) => {
          const stream = Buffer.concat(
            packets.map((packet) =>
              frame((writer) => {
                for (const byte of packet) writer.bool(byte % 2 === 1)
              }),
            ),
          )
          const reader = new FrameReader(1000)
          const read: Buffer[] = []
          for (let at = 0, turn = 0; at < stream.length; turn += 1) {
            const end = at + (cuts[turn % cuts.length] as number)
            reader.push(stream.subarray(at, end))
            at = end
            for (let packet = reader.next(); packet !== undefined; packet = reader.next()) read.push(packet)
          }
          assert.deepEqual(
            read.map((packet) => [...packet]),
            packets.map((packet) => [...packet].map((byte) => byte % 2)),
          )
          assert.equal(reader.isInside, false)
        },
      ),
    )
  })

  it('have a length that is not negative and not too long', () => {
    for (const length of [-1, 1001, 0x7fff_ffff]) {
      const reader = new FrameReader(1000)
      reader.push(encode(intSchema, length))
      assert.throws(() => reader.next(), MarshallingError)
    }
  })

  it('may come byte by byte', () => {
    const reader = new FrameReader(100_000)
    for (const byte of encode(intSchema, 100_000)) reader.push(Buffer.from([byte]))
    for (let sent = 1; sent < 100_000; sent += 1) {
      reader.push(Buffer.from([1]))
      if (sent % 1000 === 0) assert.equal(reader.next(), undefined)
    }
    reader.push(Buffer.from([1]))
    assert.equal(reader.next()?.length, 100_000)
  })
})
