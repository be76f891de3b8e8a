/**
 * Requests about the configuration that this member has made: each is handed to the core again in every new term of
 * service until it is answered, as a leader that goes takes what it was asked along.
 */
import type { MembershipOutcome, MembershipRequest } from '../core/zab/membership-request.ts'
import { CoordError } from '../errors.ts'

interface Call {
  readonly request: MembershipRequest
  readonly settle: (outcome: MembershipOutcome) => void
}

export class MembershipCalls {
  readonly #ask: (id: number, request: MembershipRequest) => void
  readonly #open = new Map<number, Call>()
  #lastId = 0

  /** `ask` hands a request to the core. */
  constructor(ask: (id: number, request: MembershipRequest) => void) {
    this.#ask = ask
  }

  /** Resolves once it is so. Rejects with why it cannot be, or with the signal's reason. */
  call(request: MembershipRequest, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(reasonOf(signal))
        return
      }
      this.#lastId += 1
      const id = this.#lastId
      const onAbort = (): void => {
        this.#open.delete(id)
        reject(reasonOf(signal))
      }
      signal.addEventListener('abort', onAbort, { once: true })
      const settle = ({ code, reason }: MembershipOutcome): void => {
        signal.removeEventListener('abort', onAbort)
        if (code === undefined) resolve()
        else reject(new CoordError(code, reason))
      }
      this.#open.set(id, { request, settle })
      this.#ask(id, request)
    })
  }

  /** The member serves, in a new term. */
  resume(): void {
    for (const [id, { request }] of [...this.#open]) this.#ask(id, request)
  }

  onReply(id: number, outcome: MembershipOutcome): void {
    const call = this.#open.get(id)
    this.#open.delete(id)
    call?.settle(outcome)
  }

  /** Nobody will answer any more. */
  close(): void {
    const calls = [...this.#open.values()]
    this.#open.clear()
    for (const { settle } of calls) settle({ code: 'COORD_CLOSED', reason: 'closed' })
  }
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new CoordError('COORD_CLOSED')
}
