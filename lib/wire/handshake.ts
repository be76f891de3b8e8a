/**
 * The handshake of a link (design D13): each side proves that it knows the shared secret, over both sides' nonces, ids
 * and versions, before anything else is read from it. Three frames, each at most `handshakeBytesMax`:
 *
 *   dialer   → hello      who I am, my nonce
 *   acceptor → welcome    who I am, my nonce, my proof
 *   dialer   → proof      my proof
 *
 * Either side may answer `reject` instead, with a reason for people. Without a secret the proofs are those of the empty one.
 */
import type { MemberId } from '../core/zab/configuration.ts'
import { decode, encode } from './cbor.ts'
import { memberId } from './log.ts'
import { bytes, copied, natural, oneOf, ownedText, type Schema, struct, text, union } from './schema.ts'

/** Before the proof, no frame may be larger. */
export const handshakeBytesMax = 4096
/**
 * Raised by changes that an older version cannot read: members of two versions do not talk to each other. What may change
 * without that is in docs/ARCHITECTURE.md, "Versions"; the golden bytes tell (test/wire/golden.test.ts).
 */
export const protocolVersion = 1

export const rejections = ['self', 'duplicate', 'secret', 'version', 'protocol', 'closing'] as const
export type Rejection = (typeof rejections)[number]

export interface Introduction {
  readonly version: number
  readonly id: MemberId
  readonly name: string
  readonly address: string
  /** The ensemble that it belongs to; empty while it belongs to none. */
  readonly cluster: string
  /** The highest level of the state machine that it knows. */
  readonly features: number
  /** Random, of this process: tells whether a dial reached ourselves, or another life of the same id. */
  readonly incarnation: Uint8Array
  readonly nonce: Uint8Array
}

export type HandshakeFrame =
  | ({ readonly type: 'hello' } & Introduction)
  | ({ readonly type: 'welcome'; readonly proof: Uint8Array } & Introduction)
  | { readonly type: 'proof'; readonly proof: Uint8Array }
  | { readonly type: 'reject'; readonly rejection: Rejection; readonly reason: string }

const introduction = {
  version: natural,
  id: memberId,
  name: ownedText(256),
  address: ownedText(1024),
  cluster: ownedText(128),
  features: natural,
  incarnation: copied(32),
  nonce: copied(32),
}

const frame: Schema<HandshakeFrame> = union<HandshakeFrame, 'type'>('type', {
  hello: struct<Introduction>(introduction),
  welcome: struct<Introduction & { proof: Uint8Array }>({ ...introduction, proof: copied(64) }),
  proof: struct<{ proof: Uint8Array }>({ proof: bytes(64) }),
  reject: struct<{ rejection: Rejection; reason: string }>({ rejection: oneOf(rejections), reason: text(1024) }),
})

export const encodeHandshake = (value: HandshakeFrame): Uint8Array => encode(frame, value)
export const decodeHandshake = (value: Uint8Array): HandshakeFrame => decode(frame, value)
