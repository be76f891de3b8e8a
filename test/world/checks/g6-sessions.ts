/**
 * G6: a session that expires is one whose application knows already: by its own clock it had given it up. In the end no
 * session is left that is nobody's, and every ephemeral node has a living owner.
 */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function sessions({ history, model, streams }: Replay): void {
  const ended = new Map<bigint, number>()
  for (const { request, result, believers, isOrdered, order } of history.entries) {
    if (!('session' in request) || result.type !== 'closeSession') continue
    if (believers.length > 0 && !isOrdered)
      throw new Violation('G6', `session ${request.session} expired while ${believers.join()} took it for alive`, order)
    ended.set(request.session, order)
  }
  for (const call of history.calls) {
    const session = streams.get(call.stream)?.session ?? 0n
    const end = ended.get(session)
    const isAcknowledged = call.reply !== undefined && call.reply.result.type !== 'error'
    if (end !== undefined && isAcknowledged && call.order > end && call.request.kind === 'write')
      checkNotLater(call.id, end, call.reply?.order)
  }
  const open = new Set(history.openAtEnd)
  for (const { life, sessions: known, nodes } of history.finals) {
    const stray = known.find((session) => !open.has(session))
    if (stray !== undefined) throw new Violation('G6', `${life} still has session ${stray}, which is nobody's`)
    for (const path of nodes.keys()) {
      const owner = model.tree.stat(path)?.ephemeralOwner ?? 0n
      if (owner !== 0n && !known.includes(owner)) throw new Violation('G6', `${path} outlived its session ${owner}`)
    }
  }
}

function checkNotLater(call: number, end: number, order: number | undefined): void {
  throw new Violation('G6', `write ${call} of a session was acknowledged although it had ended at ${end}`, order)
}
