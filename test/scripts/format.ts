/** How values look in a trace: short, and the same every time. */
import type { TreeRequest } from '../../lib/core/tree/operation.ts'
import type { Batch, LogRequest, Parcel } from '../../lib/core/zab/batch.ts'
import type { MembershipRequest } from '../../lib/core/zab/membership-request.ts'
import type { Message, Replica } from '../../lib/core/zab/message.ts'
import type { PersistChange } from '../../lib/core/zab/zab.ts'
import { formatZxid, type Zxid } from '../../lib/core/zab/zxid.ts'

export function formatRequest(request: LogRequest | TreeRequest): string {
  if (request.type === 'reconfigure') {
    const { voters, observers } = request.configuration
    const [those, others] = [voters, observers].map((list) => list.map(({ id }) => id).join(' '))
    return `reconfigure [${those}]${others === '' ? '' : ` observers [${others}]`}`
  }
  if (request.type !== 'write') return 'session' in request ? `${request.type} ${request.session}` : request.type
  const { operation } = request
  return `${operation.type}${'path' in operation ? ` ${operation.path}` : ''}`
}

function formatBatch(batch: Batch): string {
  return `${formatZxid(batch.first)} [${batch.requests.map(formatRequest).join(', ')}]`
}

export function formatMessage(message: Message): string {
  const { type, ...fields } = message
  return [type, ...Object.entries(fields).map(([key, value]) => formatField(key, value))]
    .filter((text) => text !== '')
    .join(' ')
}

function formatField(key: string, value: unknown): string {
  if (value === undefined || (key === 'wish' && value === 'auto')) return ''
  if (key === 'majorityLost' && value === false) return ''
  if (key === 'features' || key === 'seats') return value === 1 || value === 5 ? '' : `${key}=${JSON.stringify(value)}`
  if (key === 'configured' && value === 0n) return ''
  if (key === 'to') return `to=${(value as { name: string }).name}`
  if (key === 'request') return describeRequest(value as MembershipRequest)
  if (key === 'outcome') return (value as { code?: string }).code ?? 'done'
  if (key === 'batch') return formatBatch(value as Batch)
  if (key === 'parcel') return `[${(value as Parcel).requests.map(formatRequest).join(', ')}]`
  if (key === 'records' && Array.isArray(value)) return `${(value as unknown[]).length} records`
  if (key === 'configurations' || key === 'marks' || key === 'mark') return ''
  if (key === 'replica') return formatReplica(value as Replica)
  if (key === 'cluster') return value === '' ? '' : 'cluster'
  if (key === 'leader') return `leader=${(value as { name: string }).name}`
  if (key === 'members') return `[${(value as { id: string }[]).map(({ id }) => id).join(' ')}]`
  if (Array.isArray(value)) return `${key}=[${value.join(' ')}]`
  return `${key}=${typeof value === 'bigint' ? formatZxid(value as Zxid) : JSON.stringify(value)?.replaceAll('"', '')}`
}

/** The digest would change with every rule of evaluation. */
function formatReplica({ zxid, standing }: Replica): string {
  return standing === 'sound' ? '' : `${standing} at ${formatZxid(zxid)}`
}

function describeRequest(request: MembershipRequest): string {
  const { kind, ...fields } = request
  return [
    kind,
    ...Object.entries(fields).map(([key, value]) => (value === undefined ? '' : `${key}=${JSON.stringify(value)}`)),
  ]
    .filter((text) => text !== '')
    .join(' ')
}

export function formatPersist({ epochs, belonging, truncateAfter, install, append }: PersistChange): string {
  const parts: string[] = []
  if (belonging !== undefined) parts.push(belonging.presence)
  if (epochs !== undefined) parts.push(`accepted=${epochs.accepted} current=${epochs.current}`)
  if (truncateAfter !== undefined) parts.push(`a cut after ${formatZxid(truncateAfter)}`)
  if (install !== undefined) parts.push(`a snapshot at ${formatZxid(install.zxid)}`)
  if (append !== undefined) parts.push(formatBatch(append))
  return parts.join(', ')
}
