/**
 * The bytes of what members say to each other: one schema per message type, in one list that may only grow at its end.
 */

import type { Mark } from '../core/zab/marks.ts'
import type { MemberChoice, MembershipOutcome, MembershipRequest } from '../core/zab/membership-request.ts'
import type { Message, MessageMap, MessageType, Replica, StreamId } from '../core/zab/message.ts'
import { presenceStates, refusalCodes, standings, wishes } from '../core/zab/message.ts'
import { decodeItems, written } from './cbor.ts'
import {
  encodeBatch,
  encodeParcel,
  historyDigest,
  knownErrorCode,
  loggedConfiguration,
  markOf,
  memberId,
  memberRecord,
  preparation,
  readBatch,
  readParcel,
  sessionId,
  snapshotRecord,
  zxid,
} from './log.ts'
import {
  boolean,
  integer,
  list,
  natural,
  oneOf,
  optional,
  ownedText,
  type Schema,
  type Struct,
  struct,
  text,
  union,
} from './schema.ts'

const countMax = 0x10_0000
const cluster = ownedText(128)
const reason = text(4096)
const founders = list(ownedText(1024), 1024)

const memberName = text(256)
const nothing = struct<object>({})
const membershipRequest = union<MembershipRequest, 'kind'>('kind', {
  change: struct<Omit<Extract<MembershipRequest, { kind: 'change' }>, 'kind'>>({
    add: list(struct<MemberChoice>({ name: memberName, role: oneOf(['voter', 'observer']) }), 1024),
    remove: list(memberName, 1024),
    seats: optional(natural),
  }),
  transfer: struct<{ readonly name: string | undefined }>({ name: optional(memberName) }),
  leave: nothing,
  close: nothing,
  mayStop: nothing,
})
const membershipOutcome = struct<MembershipOutcome>({
  code: optional(knownErrorCode),
  reason,
})

const streamId = struct<StreamId>({ epoch: natural, number: natural })

/** What is large, and bytes already, follows its message as an item of its own: it is copied, not encoded. */
interface Attached {
  propose: 'batch'
  request: 'parcel'
}

interface Attachment {
  readonly field: string
  readonly encode: (value: never) => Uint8Array
  readonly read: (plain: unknown) => unknown
}

const attachments: { readonly [K in MessageType]?: K extends keyof Attached ? Attachment : never } = {
  propose: { field: 'batch' satisfies Attached['propose'], encode: encodeBatch, read: readBatch },
  request: { field: 'parcel' satisfies Attached['request'], encode: encodeParcel, read: readParcel },
}

type Body<K extends MessageType> = K extends keyof Attached ? Omit<MessageMap[K], Attached[K]> : MessageMap[K]

const schemas: { readonly [K in MessageType]: Struct<Body<K>> } = {
  presence: struct<MessageMap['presence']>({
    state: oneOf(presenceStates),
    cluster,
    since: natural,
    founders,
    acceptedEpoch: natural,
    features: natural,
    majorityLost: boolean,
    restores: optional(text(64)),
  }),
  prepare: preparation,
  prepared: struct<MessageMap['prepared']>({ cluster }),
  refusePrepare: struct<MessageMap['refusePrepare']>({ cluster, reason }),
  abandonPrepare: struct<MessageMap['abandonPrepare']>({ cluster }),
  found: struct<MessageMap['found']>({ cluster }),
  notification: struct<MessageMap['notification']>({
    role: oneOf(['looking', 'following', 'leading']),
    currentEpoch: natural,
    lastZxid: zxid,
    electable: boolean,
    leader: optional(memberRecord),
    epoch: natural,
    mark: optional(struct<Mark>({ epoch: natural, zxid })),
    isDiverged: optional(boolean),
  }),
  followerInfo: struct<MessageMap['followerInfo']>({
    attempt: natural,
    acceptedEpoch: natural,
    acceptedFrom: optional(memberId),
    wish: oneOf(wishes),
    features: natural,
  }),
  newEpoch: struct<MessageMap['newEpoch']>({ attempt: natural, epoch: natural }),
  ackEpoch: struct<MessageMap['ackEpoch']>({
    epoch: natural,
    currentEpoch: natural,
    lastZxid: zxid,
    configured: zxid,
    received: optional(struct<NonNullable<MessageMap['ackEpoch']['received']>>({ id: streamId, chunks: natural })),
  }),
  refuse: struct<MessageMap['refuse']>({ code: oneOf(refusalCodes), reason }),
  diff: struct<MessageMap['diff']>({ after: zxid, entries: natural }),
  trunc: struct<MessageMap['trunc']>({ after: zxid, entries: natural }),
  snapshot: struct<MessageMap['snapshot']>({
    id: streamId,
    zxid,
    total: natural,
    from: natural,
    configurations: list(loggedConfiguration, 16),
    marks: list(markOf, 1024),
  }),
  snapshotChunk: struct<MessageMap['snapshotChunk']>({ index: natural, records: list(snapshotRecord, countMax) }),
  snapshotEnd: struct<MessageMap['snapshotEnd']>({ chunks: natural, records: natural, entries: natural }),
  wantSnapshot: struct<MessageMap['wantSnapshot']>({ epoch: natural }),
  newLeader: struct<MessageMap['newLeader']>({ epoch: natural, lastZxid: zxid }),
  ackNewLeader: struct<MessageMap['ackNewLeader']>({ epoch: natural, lastZxid: zxid }),
  upToDate: struct<MessageMap['upToDate']>({ epoch: natural, committed: zxid }),
  propose: struct<Body<'propose'>>({ committed: zxid }),
  ack: struct<MessageMap['ack']>({ lastZxid: zxid }),
  commit: struct<MessageMap['commit']>({ committed: zxid }),
  ping: struct<MessageMap['ping']>({ round: natural, committed: zxid }),
  pong: struct<MessageMap['pong']>({
    round: natural,
    replica: optional(struct<Replica>({ zxid, history: optional(historyDigest), standing: oneOf(standings) })),
  }),
  request: nothing,
  readIndex: struct<MessageMap['readIndex']>({ id: natural }),
  readIndexReply: struct<MessageMap['readIndexReply']>({ id: natural, zxid }),
  heartbeat: struct<MessageMap['heartbeat']>({ id: integer, sessions: list(sessionId, countMax) }),
  heartbeatReply: struct<MessageMap['heartbeatReply']>({ id: integer, ended: list(sessionId, countMax) }),
  handOver: struct<MessageMap['handOver']>({ epoch: natural, to: memberRecord }),
  farewell: nothing,
  membership: struct<MessageMap['membership']>({ id: natural, request: membershipRequest }),
  membershipReply: struct<MessageMap['membershipReply']>({ id: natural, outcome: membershipOutcome }),
  snapshotAck: struct<MessageMap['snapshotAck']>({ chunks: natural }),
  verdict: struct<MessageMap['verdict']>({ epoch: natural, standing: oneOf(standings), reason }),
}

const message: Schema<Message> = union<Message, 'type'>('type', schemas as never)

/** A message, in parts: what it carries is not copied before it is in a frame. */
export type EncodedMessage = readonly Uint8Array[]

export function encodeMessage(value: Message): EncodedMessage {
  const attachment: Attachment | undefined = attachments[value.type]
  if (attachment === undefined) return [written((writer) => message.write(writer, value))]
  const attached = attachment.encode(value[attachment.field as never])
  const head = written((writer) => {
    message.write(writer, value)
    writer.headOfBytes(attached.length)
  })
  return [head, attached]
}

/** The messages of one frame. Throws a CoordError COORD_PROTOCOL. */
export function decodeMessages(bytes: Uint8Array): readonly Message[] {
  return decodeItems(bytes, (items) => {
    const messages: Message[] = []
    for (let index = 0; index < items.length; index += 1) {
      const head = message.read(items[index])
      const attachment: Attachment | undefined = attachments[head.type]
      if (attachment === undefined) {
        messages.push(head)
      } else {
        index += 1
        // Put into what was read just now: a copy with a computed field would cost more than all the rest of it.
        const whole: Record<string, unknown> = head as never
        whole[attachment.field] = attachment.read(items[index])
        messages.push(whole as never)
      }
    }
    return messages
  })
}
