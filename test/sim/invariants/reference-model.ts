/**
 * Every answer is the one that a small independent model gives to the same entry (test/core/tree/model.ts for the tree,
 * the sessions here), on every member alike; and an entry that fails has changed nothing.
 */

import { ReplicatedState } from '../../../lib/core/tree/apply.ts'
import { digestOf } from '../../../lib/core/tree/digest.ts'
import type {
  Applied,
  OperationResult,
  RequestResult,
  TreeRequest,
  WriteRequest,
} from '../../../lib/core/tree/operation.ts'
import type { SessionId } from '../../../lib/core/tree/session-id.ts'
import { formatZxid, type Zxid, zxidZero } from '../../../lib/core/zab/zxid.ts'
import { Model } from '../../core/tree/model.ts'
import type { CoreWorld } from '../core-world.ts'
import type { SimMember } from '../sim-member.ts'
import { type Invariant, Violation } from './invariant.ts'

interface ModelSession {
  generation: number
  timeoutMs: number
  readonly answers: OperationResult[]
}

export class ReferenceModel implements Invariant {
  readonly #tree = new Model()
  readonly #sessions = new Map<SessionId, ModelSession>()
  /** What each entry was answered, in the model. */
  readonly #answers = new Map<Zxid, string>()
  /** Which nodes each entry changed, in order: what watches are told. */
  readonly #changes = new Map<Zxid, string>()
  #last: Zxid = zxidZero

  onApplied(_world: CoreWorld, member: SimMember, { stamp, request, result, changes }: Applied): void {
    // The text of the configuration comes from the protocol: DigestEquality compares it among the members.
    if (request.type === 'publishConfiguration' || member.isDiverged) return
    if (stamp.zxid > this.#last) {
      this.#last = stamp.zxid
      this.#answers.set(stamp.zxid, digestOf([this.#answer(request, stamp)]))
    }
    if (result.type === 'error' && changes.length > 0) {
      throw new Violation('ReferenceModel', `${formatZxid(stamp.zxid)} fails and changes ${changes[0]?.path}`)
    }
    const changed = digestOf([changes])
    const known = this.#changes.get(stamp.zxid)
    this.#changes.set(stamp.zxid, known ?? changed)
    if (known !== undefined && known !== changed) {
      throw new Violation(
        'ReferenceModel',
        `${member.name} changes other nodes, or in another order, at ${formatZxid(stamp.zxid)}`,
      )
    }
    // What a session no longer asks for may be answered or not: the model never forgets.
    if (result.type === 'void') return
    if (this.#answers.get(stamp.zxid) === digestOf([result])) return
    const what = request.type === 'write' ? request.operation.type : request.type
    throw new Violation(
      'ReferenceModel',
      `${member.name} answers ${formatZxid(stamp.zxid)} (${what}) with ${result.type}, the model does not`,
    )
  }

  /** In the end the trees are compared as a whole. */
  onEnd(world: CoreWorld): void {
    const state = world.leader?.peer?.state
    if (!(state instanceof ReplicatedState)) return
    const there = [...state.tree.walk('/')].map(({ path }) => path).filter((path) => path !== '/zookeeper/config')
    const wanted = [...this.#tree.nodes.keys()].filter((path) => path !== '/zookeeper/config')
    const different = there.find((path) => !wanted.includes(path)) ?? wanted.find((path) => !there.includes(path))
    if (different !== undefined)
      throw new Violation('ReferenceModel', `${different} is in one tree and not in the other`)
    for (const path of wanted) {
      const data = state.tree.getData(path)
      if (digestOf([data?.stat, data?.data]) !== digestOf([this.#tree.stat(path), this.#tree.nodes.get(path)?.data])) {
        throw new Violation('ReferenceModel', `${path} is not as in the model`)
      }
    }
  }

  #answer(request: TreeRequest, stamp: Applied['stamp']): RequestResult {
    if (request.type === 'reap') throw new Violation('ReferenceModel', 'the workload has nothing to reap')
    const session = this.#sessions.get(request.session)
    const gone: RequestResult = { type: 'error', code: 'COORD_SESSION_EXPIRED' }
    switch (request.type) {
      case 'createSession': {
        const created = session ?? { generation: 1, timeoutMs: request.timeoutMs, answers: [] }
        this.#sessions.set(request.session, created)
        return attached(created)
      }
      case 'attachSession':
        if (session === undefined) return gone
        if (request.generation < session.generation) return { type: 'error', code: 'COORD_SESSION_MOVED' }
        if (request.generation > session.generation) session.timeoutMs = request.timeoutMs
        session.generation = request.generation
        return attached(session)
      case 'expireSession':
        if (session?.generation !== request.generation) return { type: 'void' }
        return this.#end(request.session, stamp)
      case 'write':
        return session === undefined ? gone : this.#write(session, request, stamp)
    }
  }

  #write(session: ModelSession, request: WriteRequest, stamp: Applied['stamp']): RequestResult {
    if (request.generation !== session.generation) return { type: 'error', code: 'COORD_SESSION_MOVED' }
    const nextCxid = session.answers.length + 1
    if (request.cxid > nextCxid) return { type: 'gap', nextCxid }
    const known = session.answers[request.cxid - 1]
    if (known !== undefined) return known
    if (request.operation.type === 'closeSession') return this.#end(request.session, stamp)
    const result = this.#tree.evaluate(request.operation, request.session, stamp)
    session.answers.push(result)
    return result
  }

  #end(session: SessionId, stamp: Applied['stamp']): RequestResult {
    this.#sessions.delete(session)
    return this.#tree.evaluate({ type: 'closeSession' }, session, stamp)
  }
}

function attached({ generation, timeoutMs, answers }: ModelSession): RequestResult {
  return { type: 'attached', generation, timeoutMs, nextCxid: answers.length + 1 }
}
