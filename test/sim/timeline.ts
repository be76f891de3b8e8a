/** Inputs and outputs as lines for people. What says nothing is left out. */
import type { Input } from '../../lib/core/input.ts'
import type { Output } from '../../lib/core/output.ts'
import type { LogRequest } from '../../lib/core/zab/batch.ts'
import { lastOf } from '../../lib/core/zab/batch.ts'
import type { MemberId, MemberRecord } from '../../lib/core/zab/configuration.ts'
import type { Message } from '../../lib/core/zab/message.ts'
import type { PersistChange } from '../../lib/core/zab/zab.ts'
import { formatZxid, type Zxid } from '../../lib/core/zab/zxid.ts'

const dull = new Set(['ping', 'pong', 'heartbeat', 'heartbeatReply'])

export function describeInput(input: Input): string | undefined {
  switch (input.type) {
    case 'message':
      return dull.has(input.message.type) ? undefined : `${shortId(input.from)} ${describeMessage(input.message)}`
    case 'linkUp':
      return `linkUp ${shortId(input.peer.id)}`
    case 'linkDown':
      return `linkDown ${shortId(input.id)}`
    case 'persisted':
      return `persisted ${input.token}`
    case 'request':
      return `request ${input.requests.map(({ type }) => type).join(' ')}`
    case 'membership':
      return `membership ${JSON.stringify(input.request)}`
    case 'probed':
      return `probed ${shortId(input.id)} ${input.reached}`
    default:
      return undefined
  }
}

export function describeOutput(output: Output, nameOf: (id: MemberId) => string): string | undefined {
  switch (output.type) {
    case 'send':
      return dull.has(output.message.type) ? undefined : `to ${nameOf(output.to)} ${describeMessage(output.message)}`
    case 'persist':
      return `persist ${output.token} ${describeChange(output.change)}`
    case 'closeLink':
      return `closeLink ${nameOf(output.to)}: ${output.reason}`
    case 'status': {
      const { role, serving, epoch, reason } = output.status
      return `status ${role}${serving ? ` serving ${epoch}` : `: ${reason}`}`
    }
    case 'membershipReply':
      return `membershipReply ${output.id} ${output.outcome.code ?? 'done'} ${output.outcome.reason}`
    case 'superseded':
      return `is superseded: ${output.reason}`
    case 'refused':
      return `refused ${output.code} ${output.reason}`
    case 'applied':
      return `applied ${formatZxid(output.applied.stamp.zxid)} ${output.applied.request.type} ${output.applied.result.type}`
    case 'members':
      return `members ${output.members.map(({ id }) => shortId(id)).join(' ')}`
    case 'installed':
    case 'probe':
      return output.type
    default:
      return undefined
  }
}

function shortId(id: MemberId): string {
  return id.slice(id.indexOf('-') + 1)
}

function describeMessage(message: Message): string {
  switch (message.type) {
    case 'propose':
      return `propose ${formatZxid(message.batch.first)}..${formatZxid(lastOf(message.batch))} after ${formatZxid(message.batch.previous)}`
    case 'snapshotChunk':
      return `snapshotChunk ${message.index}`
    case 'prepare':
      return `prepare ${message.cluster}`
    default: {
      const fields = Object.entries(message).filter(([key, value]) => key !== 'type' && value !== undefined)
      return [message.type, ...fields.map(([key, value]) => `${key}=${describeValue(value)}`)].join(' ')
    }
  }
}

function describeValue(value: unknown): string {
  if (typeof value === 'bigint') return formatZxid(value as Zxid)
  if (Array.isArray(value)) return `[${value.length}]`
  if (typeof value === 'object' && value !== null) return 'id' in value ? shortId(value.id as MemberId) : '{…}'
  return String(value)
}

function describeRequest(request: LogRequest): string {
  if (request.type !== 'reconfigure') return request.type
  const { voters, observers, seats, pinned, removed } = request.configuration
  const list = (members: readonly MemberRecord[]): string => members.map(({ id }) => shortId(id)).join(' ')
  const rulings = `${pinned.length > 0 ? ` pinned ${pinned.join()}` : ''}${removed.length > 0 ? ` removed ${removed.map(shortId).join()}` : ''}`
  return `reconfigure ${list(voters)} | ${list(observers)} | seats ${seats}${rulings}`
}

function describeChange(change: PersistChange): string {
  const parts: string[] = []
  const { epochs, belonging, truncateAfter, append, install } = change
  if (epochs !== undefined) parts.push(`epochs ${epochs.accepted} ${epochs.current}`)
  if (belonging !== undefined) parts.push(`belonging ${belonging.presence} ${belonging.cluster}`)
  if (truncateAfter !== undefined) parts.push(`truncateAfter ${formatZxid(truncateAfter)}`)
  if (append !== undefined)
    parts.push(`append ${formatZxid(append.first)} [${append.requests.map(describeRequest).join()}]`)
  if (install !== undefined) parts.push(`install ${formatZxid(install.zxid)}`)
  return parts.join(', ')
}
