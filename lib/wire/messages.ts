/**
 * The bytes of what members say to each other: one schema per message type, in one list that may only grow at its end.
 */

import type { LogRequest } from '../core/zab/batch.ts'
import type { Message, MessageMap, MessageType } from '../core/zab/message.ts'
import { presenceStates } from '../core/zab/message.ts'
import { decodeEach, encode } from './cbor.ts'
import {
  batch,
  loggedConfiguration,
  logRequest,
  memberId,
  memberRecord,
  sessionId,
  snapshotRecord,
  zxid,
} from './log.ts'
import { boolean, integer, list, natural, oneOf, optional, type Schema, struct, text, union } from './schema.ts'

const countMax = 0x10_0000
const cluster = text(128)
const reason = text(4096)
const founders = list(text(1024), 1024)

const schemas: { readonly [K in MessageType]: Schema<MessageMap[K]> } = {
  presence: struct<MessageMap['presence']>({ state: oneOf(presenceStates), cluster, founders, acceptedEpoch: natural }),
  prepare: struct<MessageMap['prepare']>({ cluster, epoch: natural, members: list(memberRecord, 1024) }),
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
  }),
  followerInfo: struct<MessageMap['followerInfo']>({
    attempt: natural,
    acceptedEpoch: natural,
    acceptedFrom: optional(memberId),
  }),
  newEpoch: struct<MessageMap['newEpoch']>({ attempt: natural, epoch: natural }),
  ackEpoch: struct<MessageMap['ackEpoch']>({ epoch: natural, currentEpoch: natural, lastZxid: zxid }),
  refuse: struct<MessageMap['refuse']>({ code: oneOf(['COORD_NAME_IN_USE']), reason }),
  diff: struct<MessageMap['diff']>({ after: zxid }),
  trunc: struct<MessageMap['trunc']>({ after: zxid }),
  snapshot: struct<MessageMap['snapshot']>({ zxid, configurations: list(loggedConfiguration, 16) }),
  snapshotChunk: struct<MessageMap['snapshotChunk']>({ index: natural, records: list(snapshotRecord, countMax) }),
  snapshotEnd: struct<MessageMap['snapshotEnd']>({ chunks: natural }),
  wantSnapshot: struct<MessageMap['wantSnapshot']>({ epoch: natural }),
  newLeader: struct<MessageMap['newLeader']>({ epoch: natural, lastZxid: zxid }),
  ackNewLeader: struct<MessageMap['ackNewLeader']>({ epoch: natural, lastZxid: zxid }),
  upToDate: struct<MessageMap['upToDate']>({ epoch: natural, committed: zxid }),
  propose: struct<MessageMap['propose']>({ batch, committed: zxid }),
  ack: struct<MessageMap['ack']>({ lastZxid: zxid }),
  commit: struct<MessageMap['commit']>({ committed: zxid }),
  ping: struct<MessageMap['ping']>({ round: natural, committed: zxid }),
  pong: struct<MessageMap['pong']>({ round: natural }),
  request: struct<MessageMap['request']>({ requests: list<LogRequest>(logRequest, countMax) }),
  readIndex: struct<MessageMap['readIndex']>({ id: natural }),
  readIndexReply: struct<MessageMap['readIndexReply']>({ id: natural, zxid }),
  heartbeat: struct<MessageMap['heartbeat']>({ id: integer, sessions: list(sessionId, countMax) }),
  heartbeatReply: struct<MessageMap['heartbeatReply']>({ id: integer, ended: list(sessionId, countMax) }),
}

const message: Schema<Message> = union<Message, 'type'>('type', schemas as never)

export function encodeMessage(value: Message): Uint8Array {
  return encode(message, value)
}

/** The messages of one frame. Throws a CoordError COORD_PROTOCOL. */
export function decodeMessages(bytes: Uint8Array): readonly Message[] {
  return decodeEach(message, bytes)
}
