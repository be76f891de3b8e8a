/**
 * G4: what anybody had been told before a sync or a linearizable read was asked for is visible to it, and to all that the
 * session reads afterwards (G3). `awaitZxid` waits for its zxid.
 */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function sync({ history }: Replay): void {
  const moments = history.calls.flatMap((call) => {
    const { reply, order } = call
    if (reply === undefined || reply.result.type === 'error') return []
    return [
      { order, call, isAnswer: false },
      { order: reply.order, call, isAnswer: true },
    ]
  })
  let told = 0n
  const floors = new Map<number, bigint>()
  for (const { call, isAnswer, order } of moments.sort((a, b) => a.order - b.order)) {
    const zxid = call.reply?.zxid ?? 0n
    if (!isAnswer) floors.set(call.id, told)
    if (isAnswer && zxid > told) told = zxid
    const floor = isAnswer ? floorOf(call.request, floors.get(call.id) ?? 0n) : undefined
    if (floor !== undefined && zxid < floor)
      throw new Violation(
        'G4',
        `${call.request.kind} ${call.id} was answered at ${zxid}, but ${floor} was known`,
        order,
      )
  }
}

function floorOf(request: Replay['history']['calls'][number]['request'], told: bigint): bigint | undefined {
  if (request.kind === 'sync') return told
  if (request.kind === 'awaitZxid') return request.zxid
  return request.kind === 'read' && request.consistency === 'linearizable' ? told : undefined
}
