/**
 * The replicated state as the rules have it: the tree, the sessions with their exact writes, and reads. One entry at a
 * time, in the order of the log.
 */
import { createHash } from 'node:crypto'
import type {
  EntryStamp,
  OperationResult,
  PublishConfiguration,
  RequestResult,
  TreeRequest,
} from '../../../lib/core/tree/operation.ts'
import type { Stat } from '../../../lib/core/tree/stat.ts'
import type { NodeRead, NodeReadResult, ReadOperation, ReadResult } from '../../../lib/ports/session-link.ts'
import { isAllowed, type ModelChange, ModelTree } from './tree.ts'

interface ModelSession {
  readonly passwordHash: string
  timeoutMs: number
  generation: number
  lastCxid: number
  readonly results: Map<number, OperationResult>
}

export interface Effect {
  readonly result: RequestResult
  readonly changes: readonly ModelChange[]
  /** It evaluated a write: not a repetition, not one out of order, not of a session that is gone. */
  readonly isEvaluated: boolean
}

type Write = Extract<TreeRequest, { type: 'write' }>

const nothing = (result: RequestResult): Effect => ({ result, changes: [], isEvaluated: false })

export class ModelEnsemble {
  readonly tree: ModelTree = new ModelTree()
  readonly #sessions = new Map<bigint, ModelSession>()

  sessions(): bigint[] {
    return [...this.#sessions.keys()]
  }

  apply(request: TreeRequest | PublishConfiguration, stamp: EntryStamp): Effect {
    if (request.type === 'createSession') return nothing(this.#open(request))
    if (request.type === 'attachSession') return nothing(this.#attach(request))
    if (request.type === 'write') return this.#write(request, stamp)
    if (request.type === 'publishConfiguration')
      return { ...nothing({ type: 'void' }), changes: this.tree.publish(request.data, stamp) }
    if (request.type === 'reap') {
      const changes = this.tree.reap(request.path, request.czxid, stamp)
      return { ...nothing({ type: changes.length > 0 ? 'delete' : 'void' }), changes }
    }
    const isMeant = this.#sessions.get(request.session)?.generation === request.generation
    return isMeant ? this.#end(request.session, stamp) : nothing({ type: 'void' })
  }

  /** What a read shows; `undefined` for those that the model knows nothing of. Everybody is nobody in particular. */
  read(read: ReadOperation, session: bigint): ReadResult | undefined {
    const { tree } = this
    switch (read.type) {
      case 'getEphemerals': {
        const paths = tree.ephemerals(session).filter((path) => path.startsWith(read.prefix))
        return { type: 'paths', paths: paths.sort() }
      }
      case 'exists':
      case 'getData':
      case 'getChildren':
        return this.#node(read)
      case 'getAllChildrenNumber': {
        const refusal = this.#refusal(read.path, 'r')
        return refusal ?? { type: 'count', count: tree.descendants(read.path).length }
      }
      case 'getAcl': {
        const refusal = this.#refusal(read.path, 'ra')
        const acl = tree.acl(read.path) ?? [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }]
        return refusal ?? { type: 'acl', acl, stat: tree.stat(read.path) as Stat }
      }
      case 'multiRead':
        return { type: 'reads', results: read.reads.map((one) => this.#node(one)) }
      default:
        return undefined
    }
  }

  #node({ type, path }: NodeRead): NodeReadResult {
    const { tree } = this
    const stat = tree.stat(path)
    if (type === 'exists' && stat === undefined) return { type: 'stat', stat }
    const refusal = this.#refusal(path, 'r')
    if (refusal !== undefined || stat === undefined) return refusal as NodeReadResult
    if (type === 'exists') return { type: 'stat', stat }
    if (type === 'getData') return { type: 'data', data: tree.data(path), stat }
    return { type: 'childNames', children: tree.children(path) ?? [], stat }
  }

  #refusal(path: string, wanted: string): Extract<NodeReadResult, { type: 'error' }> | undefined {
    if (this.tree.stat(path) === undefined) return { type: 'error', code: 'COORD_NO_NODE', path }
    return isAllowed(this.tree.acl(path), wanted, []) ? undefined : { type: 'error', code: 'COORD_NO_AUTH', path }
  }

  #open({ session, passwordHash, timeoutMs }: Extract<TreeRequest, { type: 'createSession' }>): RequestResult {
    const known = this.#sessions.get(session)
    const hash = hashText(passwordHash)
    if (known !== undefined && known.passwordHash !== hash) return { type: 'error', code: 'COORD_SESSION_EXPIRED' }
    const opened = known ?? { passwordHash: hash, timeoutMs, generation: 1, lastCxid: 0, results: new Map() }
    this.#sessions.set(session, opened)
    return attached(opened)
  }

  #attach(request: Extract<TreeRequest, { type: 'attachSession' }>): RequestResult {
    const { generation, timeoutMs } = request
    const session = this.#sessions.get(request.session)
    if (session === undefined || session.passwordHash !== hashText(request.passwordHash))
      return { type: 'error', code: 'COORD_SESSION_EXPIRED' }
    if (generation < session.generation) return { type: 'error', code: 'COORD_SESSION_MOVED' }
    if (generation > session.generation) Object.assign(session, { generation, timeoutMs })
    return attached(session)
  }

  #write(request: Write, stamp: EntryStamp): Effect {
    const session = this.#sessions.get(request.session)
    if (session === undefined) return nothing({ type: 'error', code: 'COORD_SESSION_EXPIRED' })
    if (request.generation !== session.generation) return nothing({ type: 'error', code: 'COORD_SESSION_MOVED' })
    const nextCxid = session.lastCxid + 1
    if (request.cxid > nextCxid) return nothing({ type: 'gap', nextCxid })
    if (request.cxid < nextCxid) return nothing(session.results.get(request.cxid) ?? { type: 'void' })
    if (request.operation.type === 'closeSession') return { ...this.#end(request.session, stamp), isEvaluated: true }
    const { result, changes } = this.tree.evaluate(request.operation, request.session, stamp, request.identities)
    for (const cxid of [...session.results.keys()]) if (cxid <= request.answeredThrough) session.results.delete(cxid)
    session.results.set(request.cxid, result)
    session.lastCxid = request.cxid
    return { result, changes, isEvaluated: true }
  }

  #end(id: bigint, stamp: EntryStamp): Effect {
    const { result, changes } = this.tree.evaluate({ type: 'closeSession' }, id, stamp)
    this.#sessions.delete(id)
    return { result, changes, isEvaluated: false }
  }
}

function attached({ generation, timeoutMs, lastCxid }: ModelSession): RequestResult {
  return { type: 'attached', generation, timeoutMs, nextCxid: lastCxid + 1 }
}

/** Of whatever length a hash has. */
function hashText(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}
