import assert from 'node:assert/strict'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Encoder } from 'cbor-x'
import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import type { Batch, LogRequest } from '../../lib/core/zab/batch.ts'
import { type Configuration, type MemberRecord, memberIdFrom } from '../../lib/core/zab/configuration.ts'
import type { Message } from '../../lib/core/zab/message.ts'
import { zxidOf, zxidZero } from '../../lib/core/zab/zxid.ts'
import { CoordError } from '../../lib/errors.ts'
import { Random } from '../../lib/testing/random.ts'
import { decode, encode } from '../../lib/wire/cbor.ts'
import { decodeHandshake, encodeHandshake, protocolVersion } from '../../lib/wire/handshake.ts'
import { decodeBatch, encodeBatch } from '../../lib/wire/log.ts'
import { decodeMessages, encodeMessage } from '../../lib/wire/messages.ts'
import { natural, optional, struct } from '../../lib/wire/schema.ts'

/** What stands in a frame behind its header. */
function frameOf(...messages: Message[]): Buffer {
  return Buffer.concat(messages.flatMap(encodeMessage))
}

const a: MemberRecord = { id: memberIdFrom('A'), name: 'a', address: 'ws://a' }
const session = sessionIdFrom(0x7fff_ffff_ffff_ffffn)
const small = sessionIdFrom(1n)

const configuration: Configuration = {
  voters: [a],
  observers: [],
  founders: ['ws://a'],
  seats: 5,
  features: 1,
  pinned: ['x'],
  removed: [memberIdFrom('Z')],
}

const requests: readonly LogRequest[] = [
  { type: 'noop' },
  { type: 'createSession', session, passwordHash: new Uint8Array(32).fill(7), timeoutMs: 10_000 },
  { type: 'attachSession', session: small, passwordHash: new Uint8Array(32), timeoutMs: 1, generation: 2 },
  { type: 'expireSession', session, generation: 3 },
  { type: 'reconfigure', configuration },
  {
    type: 'write',
    session,
    generation: 1,
    cxid: 9,
    answeredThrough: 8,
    operation: {
      type: 'multi',
      ifHeld: { path: '/lock', czxid: zxidOf(5, 6) },
      operations: [
        { type: 'create', path: '/ä', data: new Uint8Array([0, 1, 255]), mode: 'ephemeral-sequential', parents: true },
        { type: 'create', path: '/null', data: undefined, mode: 'persistent' },
        { type: 'setData', path: '/empty', data: new Uint8Array(), version: -1 },
        { type: 'delete', path: '/d', version: 4, recursive: true },
        { type: 'check', path: '/c', version: 0 },
      ],
    },
  },
  { type: 'write', session, generation: 1, cxid: 10, answeredThrough: 8, operation: { type: 'closeSession' } },
]

const batch = (): Batch => ({
  first: zxidOf(0x7fff_fff0, 0xffff_fff0),
  previous: zxidZero,
  timeMs: 1_800_000_000_000,
  clockMs: 5,
  settled: zxidOf(1, 1),
  requests,
})

/** Without what is undefined: absent and undefined are the same here. */
function bare(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(bare)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, field]) => field !== undefined && key !== 'encoded')
  return Object.fromEntries(entries.map(([key, field]) => [key, bare(field)]))
}

const messages: readonly Message[] = [
  {
    type: 'presence',
    state: 'founded',
    cluster: 'c',
    since: 3,
    founders: ['ws://a'],
    acceptedEpoch: 4,
    features: 1,
    majorityLost: false,
    restores: '0123456789abcdef',
  },
  {
    type: 'notification',
    role: 'leading',
    currentEpoch: 3,
    lastZxid: zxidOf(3, 4),
    electable: false,
    leader: a,
    epoch: 0,
    mark: { epoch: 3, zxid: zxidOf(3, 9) },
  },
  {
    type: 'notification',
    role: 'looking',
    currentEpoch: 0,
    lastZxid: zxidZero,
    electable: true,
    leader: undefined,
    epoch: 0,
    mark: undefined,
  },
  { type: 'followerInfo', attempt: 1, acceptedEpoch: 2, acceptedFrom: a.id, wish: 'auto', features: 1 },
  { type: 'prepare', cluster: 'c', epoch: 7, wallMs: 8, members: [a], seats: 5, features: 1 },
  { type: 'handOver', epoch: 7, to: a },
  { type: 'membership', id: 1, request: { kind: 'leave' } },
  {
    type: 'membership',
    id: 2,
    request: { kind: 'change', add: [{ name: 'b', role: 'voter' }], remove: ['c'], seats: undefined },
  },
  { type: 'membershipReply', id: 2, outcome: { code: 'COORD_NEW_CONFIG_NO_QUORUM', reason: 'why' } },
  { type: 'propose', batch: batch(), committed: zxidOf(1, 2) },
  { type: 'request', parcel: { requests: requests.slice(-2) } },
  { type: 'ping', round: 2 ** 40, committed: zxidOf(1, 2) },
  { type: 'pong', round: 3 },
  {
    type: 'pong',
    round: 3,
    replica: { zxid: zxidOf(1, 2), history: { left: 0, right: 2 ** 32 - 1 }, standing: 'doubtful' },
  },
  { type: 'pong', round: 3, replica: { zxid: zxidOf(1, 2), history: undefined, standing: 'sound' } },
  { type: 'verdict', epoch: 4, standing: 'diverged', reason: 'why' },
  { type: 'heartbeat', id: 1, sessions: [session, small] },
  {
    type: 'snapshotChunk',
    index: 0,
    records: [
      { kind: 'header', zxid: zxidOf(1, 2), clockMs: 3, version: 1 },
      {
        kind: 'session',
        session,
        passwordHash: new Uint8Array(32),
        timeoutMs: 4,
        generation: 1,
        lastCxid: 2,
        results: [
          {
            cxid: 1,
            result: { type: 'error', code: 'COORD_NO_NODE', path: '/x', index: 1, results: [{ type: 'rolledBack' }] },
          },
          { cxid: 2, result: { type: 'delete' } },
        ],
      },
    ],
  },
]

describe('messages', () => {
  it('come back as they went, several in one frame', () => {
    const frame = frameOf(...messages)
    assert.deepEqual(decodeMessages(frame).map(bare), messages.map(bare))
  })

  it('carry a batch as its own bytes, made once', () => {
    const original = batch()
    const bytes = encodeBatch(original)
    assert.equal(encodeBatch(original), bytes)
    const [message] = decodeMessages(frameOf({ type: 'propose', batch: original, committed: zxidZero }))
    assert.ok(message?.type === 'propose')
    assert.deepEqual(message.batch.encoded === undefined ? [] : [...message.batch.encoded.bytes], [...bytes])
    assert.deepEqual(bare(decodeBatch(bytes)), bare(original))
  })

  it('hand requests on as they came: a batch takes over the bytes of its parcels', () => {
    const sent = frameOf({ type: 'request', parcel: { requests: requests.slice(-2) } })
    const [received] = decodeMessages(sent)
    assert.ok(received?.type === 'request')
    const own = { requests: requests.slice(0, 1) }
    const parcels = [own, received.parcel]
    const original: Batch = { ...batch(), requests: parcels.flatMap((parcel) => parcel.requests), parcels }
    const { encoded } = received.parcel
    assert.ok(encoded !== undefined && Buffer.from(encodeBatch(original)).includes(Buffer.from(encoded)))
    assert.equal(original.parcels, undefined, 'the frame that they came in is let go of')
    assert.deepEqual(bare(decodeBatch(encodeBatch(original))), bare({ ...original, parcels: undefined }))
    assert.deepEqual(bare(original.encoded?.readRequests()), bare(original.requests))
  })

  it('have data of their own: a frame that is overwritten changes nothing', () => {
    const frame = new Uint8Array(frameOf({ type: 'request', parcel: { requests: requests.slice(-2) } }))
    const before = decodeMessages(frame).map(bare)
    const decoded = decodeMessages(frame)
    frame.fill(0)
    assert.deepEqual(decoded.map(bare), before)
  })

  const cbor = new Encoder({ useRecords: false, tagUint8Array: false })
  const hostile: Readonly<Record<string, Uint8Array>> = {
    'an endless array': Uint8Array.from([0x9f]),
    'an array of 112 million': Uint8Array.from([0x9a, 0x06, 0xac, 0xfc, 0x00]),
    'a length beyond the frame': Uint8Array.from([0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    'deep nesting': new Uint8Array(200_000).fill(0x81),
    'a map': cbor.encode({ type: 'ping' }),
    'a key of prototypes': cbor.encode({ __proto__: { polluted: true }, constructor: 1 }),
    'no such type': cbor.encode([9999, []]),
    'a type that is a text': cbor.encode(['constructor', []]),
    'too many fields': cbor.encode([25, [1, 2, 3, 4, 5, 6]]),
    'a number where bytes belong': cbor.encode([22, [7, 1n]]),
    'a negative zxid': cbor.encode([23, [-1n]]),
    'a zxid of 64 bits': cbor.encode([23, [2n ** 63n]]),
    'a fraction': cbor.encode([26, [0.5]]),
    'nothing where something must be': cbor.encode([26, []]),
  }
  it('of a build that reports no digest say nothing of the state', () => {
    const [type] = cbor.decode(frameOf({ type: 'pong', round: 3 })) as [number]
    assert.deepEqual(decodeMessages(cbor.encode([type, [3]])), [{ type: 'pong', round: 3 }])
  })

  it('of a later build are read as long as what it added at the end is not set', () => {
    const before = struct<{ readonly a: number }>({ a: natural })
    const later = struct<{ readonly a: number; readonly b?: number | undefined }>({ a: natural, b: optional(natural) })
    assert.deepEqual(decode(before, encode(later, { a: 1 })), { a: 1 })
    assert.deepEqual(decode(later, encode(before, { a: 1 })), { a: 1 })
    assert.throws(() => decode(before, encode(later, { a: 1, b: 2 })), { code: 'COORD_PROTOCOL' })
  })

  for (const [what, bytes] of Object.entries(hostile)) {
    it(`are refused as a whole: ${what}`, () => {
      assert.throws(
        () => decodeMessages(bytes),
        (error) => error instanceof CoordError && error.code === 'COORD_PROTOCOL',
      )
      assert.equal(({} as { polluted?: boolean }).polluted, undefined)
    })
  }

  // FUZZ=10000000 npx mocha test/wire/messages.test.ts --timeout 0 for a long run.
  const inputs = Number(process.env['FUZZ'] ?? 20_000)

  it('never break the reader, whatever is done to their bytes', () => {
    const random = new Random(Number(process.env['SEED'] ?? 1), 'fuzz')
    const frame = new Uint8Array(frameOf(...messages))
    const memory = new MemoryWatch()
    for (let round = 0; round < inputs; round++) {
      memory.look(round, inputs)
      const bytes = frame.slice(random.between(0, 40), random.between(41, frame.length))
      for (let flips = random.between(0, 4); flips > 0; flips--) {
        bytes[random.between(0, bytes.length - 1)] = random.between(0, 255)
      }
      try {
        decodeMessages(bytes)
      } catch (error) {
        assert.ok(error instanceof CoordError, `round ${round}: ${String(error)}`)
      }
    }
    memory.check()
  })
})

describe('frames of a handshake', () => {
  const introduction = {
    version: protocolVersion,
    id: memberIdFrom('a'),
    name: 'orders-1',
    address: 'ws://10.0.0.5:7400/embedded-coord',
    cluster: 'c',
    features: 1,
    incarnation: new Uint8Array(16).fill(1),
    nonce: new Uint8Array(16).fill(2),
  }
  const proof = new Uint8Array(32).fill(3)
  const frames = [
    encodeHandshake({ type: 'hello', ...introduction }),
    encodeHandshake({ type: 'welcome', ...introduction, proof }),
    encodeHandshake({ type: 'proof', proof }),
    encodeHandshake({ type: 'reject', rejection: 'secret', reason: 'the secrets differ' }),
  ]

  it('never break the reader, whatever is done to their bytes', () => {
    const random = new Random(Number(process.env['SEED'] ?? 1), 'handshakes')
    const inputs = Number(process.env['FUZZ'] ?? 5_000)
    const memory = new MemoryWatch()
    for (let round = 0; round < inputs; round++) {
      memory.look(round, inputs)
      const whole = frames[round % frames.length] as Uint8Array
      const bytes = whole.slice(0, random.chance(0.7) ? whole.length : random.between(1, whole.length))
      for (let flips = random.between(0, 4); flips > 0; flips--) {
        bytes[random.between(0, bytes.length - 1)] = random.between(0, 255)
      }
      try {
        decodeHandshake(bytes)
      } catch (error) {
        assert.ok(error instanceof CoordError, `round ${round}: ${String(error)}`)
      }
    }
    memory.check()
  })
})

/** Whether what is alive grows with what is read: after a fifth of it and in the end, when the rest has been collected. */
class MemoryWatch {
  readonly #collect: () => void
  #before = 0

  constructor() {
    setFlagsFromString('--expose-gc')
    this.#collect = runInNewContext('gc') as () => void
  }

  look(round: number, rounds: number): void {
    if (round === Math.floor(rounds / 5)) this.#before = this.#alive()
  }

  check(): void {
    const grown = this.#alive() - this.#before
    assert.ok(grown < 2 * 1024 * 1024, `${grown} more bytes are alive`)
  }

  #alive(): number {
    this.#collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
}
