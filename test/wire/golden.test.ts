/**
 * What members of this version say and store, byte by byte, as it was when the version of the protocol was last raised.
 * Members of two releases of one protocolVersion must read each other, and a store of each: so these bytes do not change.
 *
 * `GOLDEN=write npx mocha test/wire/golden.test.ts` adds what is new; what has changed it replaces only when
 * protocolVersion is another one.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createModes } from '../../lib/core/tree/operation.ts'
import { presenceStates, refusalCodes, standings, wishes } from '../../lib/core/zab/message.ts'
import { decodeHandshake, encodeHandshake, protocolVersion, rejections } from '../../lib/wire/handshake.ts'
import { decodeBatch, encodeBatch } from '../../lib/wire/log.ts'
import { decodeMessages, encodeMessage } from '../../lib/wire/messages.ts'
import * as store from '../../lib/wire/stored.ts'
import { batches, handshakes, messages, records, stored } from './samples.ts'

interface Golden {
  readonly protocolVersion: number
  /** Hexadecimal. */
  readonly bytes: { readonly [name: string]: string }
  /** Texts that are sent as their place in a list. */
  readonly lists: { readonly [name: string]: readonly string[] }
}

interface Sample {
  readonly value: unknown
  readonly bytes: Uint8Array
  read(this: void, bytes: Uint8Array): unknown
}

const file = fileURLToPath(new URL('golden.json', import.meta.url))
const golden = JSON.parse(readFileSync(file, 'utf8')) as Golden

const samples = new Map<string, Sample>()
function add<T>(name: string, value: T, write: (value: T) => Uint8Array, read: (bytes: Uint8Array) => unknown): void {
  samples.set(name, { value, bytes: write(value), read })
}
for (const [type, all] of Object.entries(messages))
  for (const [index, message] of all.entries())
    add(
      `message ${type} ${index + 1}`,
      message,
      (value) => Buffer.concat(encodeMessage(value)),
      (bytes) => decodeMessages(bytes)[0],
    )
for (const frame of Object.values(handshakes)) add(`handshake ${frame.type}`, frame, encodeHandshake, decodeHandshake)
for (const [index, batch] of batches.entries()) add(`stored batch ${index + 1}`, batch, encodeBatch, decodeBatch)
add('stored epochs', stored.epochs, store.encodeEpochs, store.decodeEpochs)
add('stored belonging', stored.belonging, store.encodeBelonging, store.decodeBelonging)
add('stored snapshot head', stored.snapshotHead, store.encodeSnapshotHead, store.decodeSnapshotHead)
add('stored records', records, store.encodeRecords, store.decodeRecords)

const lists = { createModes, presenceStates, refusalCodes, rejections, standings, wishes }

if (process.env['GOLDEN'] === 'write') {
  const bytes = Object.fromEntries(
    [...samples].map(([name, sample]) => [name, Buffer.from(sample.bytes).toString('hex')]),
  )
  const kept = golden.protocolVersion === protocolVersion ? golden.bytes : {}
  writeFileSync(file, `${JSON.stringify({ protocolVersion, bytes: { ...bytes, ...kept }, lists }, undefined, 2)}\n`)
}

describe('golden bytes', () => {
  it('are those of this version of the protocol', () => {
    assert.equal(golden.protocolVersion, protocolVersion, 'write them anew')
    assert.deepEqual(Object.keys(golden.bytes).sort(), [...samples.keys()].sort(), 'something is new: add it')
  })

  for (const [name, { value, bytes, read }] of samples) {
    it(`${name} is written and read as ever`, () => {
      const old = Buffer.from(golden.bytes[name] ?? '', 'hex')
      const hint = name.startsWith('stored')
        ? 'stores of before would not be read: add optional fields at the end'
        : 'members of before would not read it: add optional fields at the end, or raise protocolVersion'
      assert.equal(Buffer.from(bytes).toString('hex'), old.toString('hex'), hint)
      assert.deepEqual(bare(read(old)), bare(value))
    })
  }

  it('what is sent as its place in a list keeps its place', () => {
    for (const [name, list] of Object.entries(lists))
      assert.deepEqual(list.slice(0, golden.lists[name]?.length ?? 0), golden.lists[name], name)
  })
})

/** Without what is undefined, and without the bytes that are kept beside. */
function bare(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
  if (Array.isArray(value)) return value.map(bare)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([key, field]) => field !== undefined && key !== 'encoded')
  return Object.fromEntries(entries.map(([key, field]) => [key, bare(field)]))
}
