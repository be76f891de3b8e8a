/** How the data of znodes becomes the application's values, and back. */
import { copyOf } from '../bytes.ts'
import { CoordError } from '../errors.ts'

/** Both directions of an encoding. `decode` throws for bytes that are not of it. */
export interface ValueCodec<V> {
  readonly name: string
  encode(value: V): Uint8Array
  decode(bytes: Uint8Array): V
}

/** `'view'`: `Uint8Array`, the default; `'buffer'`: Node's `Buffer`; `'json'`: whatever JSON can say; or one of your own. */
export type ValueEncoding = 'view' | 'buffer' | 'utf8' | 'json' | ValueCodec<unknown>

/** The type of values under an encoding. For json the application says it: `namespace<Order>(…)`. */
export type ValueOf<E> = E extends 'view'
  ? Uint8Array
  : E extends 'buffer'
    ? Buffer
    : E extends 'utf8'
      ? string
      : E extends 'json'
        ? unknown
        : E extends { decode(bytes: Uint8Array): infer V }
          ? V
          : Uint8Array

const utf8Encoder = new TextEncoder()
const utf8Decoder = new TextDecoder('utf-8', { fatal: true })

function requireBytes(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value
  throw new TypeError(`data must be a Uint8Array with this value encoding, not ${typeof value}: set valueEncoding`)
}

function requireText(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError(`data must be a string with the value encoding 'utf8', not ${typeof value}`)
}

function requireJson(value: unknown): string {
  const text = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`a ${typeof value} is not JSON`)
  return text
}

const codecs: { readonly [N in Extract<ValueEncoding, string>]: ValueCodec<unknown> } = {
  // Copies: the application may reuse its buffer.
  view: { name: 'view', encode: (value) => copyOf(requireBytes(value)), decode: (bytes) => bytes },
  buffer: {
    name: 'buffer',
    encode: (value) => copyOf(requireBytes(value)),
    decode: (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  },
  utf8: {
    name: 'utf8',
    encode: (value) => utf8Encoder.encode(requireText(value)),
    decode: (bytes) => utf8Decoder.decode(bytes),
  },
  json: {
    name: 'json',
    encode: (value) => utf8Encoder.encode(requireJson(value)),
    decode: (bytes) => JSON.parse(utf8Decoder.decode(bytes)) as unknown,
  },
}

/** Their values share nothing with the bytes. */
const copyingCodecs: ReadonlySet<ValueCodec<unknown>> = new Set([codecs.utf8, codecs.json])

/** The codec of an encoding; a TypeError for what is none. */
export function codecOf(encoding: ValueEncoding | undefined): ValueCodec<unknown> {
  if (encoding === undefined) return codecs.view
  if (typeof encoding === 'string' && Object.hasOwn(codecs, encoding)) return codecs[encoding]
  const isCodec =
    typeof encoding === 'object' && typeof encoding?.encode === 'function' && typeof encoding.decode === 'function'
  if (isCodec) return encoding
  throw new TypeError(
    `valueEncoding must be 'view', 'buffer', 'utf8', 'json' or { name, encode, decode }, not ${typeof encoding}`,
  )
}

/** `undefined` is ZooKeeper's null and passes by the encoding. */
export function encodeValue<V>(codec: ValueCodec<V>, value: V | undefined): Uint8Array | undefined {
  return value === undefined ? undefined : codec.encode(value)
}

/** The same of data that belongs to somebody else: where the value would share it, it gets a copy. */
export function decodeForeign<V>(codec: ValueCodec<V>, bytes: Uint8Array | undefined, path: string): V | undefined {
  const own = bytes === undefined || copyingCodecs.has(codec as ValueCodec<unknown>) ? bytes : copyOf(bytes)
  return decodeValue(codec, own, path)
}

export function decodeValue<V>(codec: ValueCodec<V>, bytes: Uint8Array | undefined, path: string): V | undefined {
  if (bytes === undefined) return undefined
  try {
    return codec.decode(bytes)
  } catch (cause) {
    throw new CoordError('COORD_BAD_DATA', `the data of ${path} does not decode as ${codec.name}`, { path, cause })
  }
}
