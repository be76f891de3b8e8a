/**
 * What happens in a member, on channels of `node:diagnostics_channel`, for whoever watches over a process from outside of
 * the code that joined. A message is made only where somebody subscribes; it holds plain values, and is never read back.
 */
import { type Channel, channel } from 'node:diagnostics_channel'
import type { SessionLoss } from '../ports/session-link.ts'

/** The member that a message is about. */
export interface DiagnosticSource {
  readonly id: string
  readonly name: string
}

/** What each channel tells. All messages have `member`, the one in this process that tells. */
export interface Diagnostics {
  /** This member's part has changed. */
  'embedded-coord:role': {
    readonly member: DiagnosticSource
    /** `leader`, `follower`, `observer`, or `looking`: no leader serves it. */
    readonly role: string
    readonly previous: string
    readonly epoch: number
  }
  /** This member has lost its leader, or has one. */
  'embedded-coord:election':
    | { readonly member: DiagnosticSource; readonly type: 'began'; readonly reason: string }
    | {
        readonly member: DiagnosticSource
        readonly type: 'ended'
        readonly leader: DiagnosticSource
        readonly epoch: number
        /** Since it began, milliseconds. */
        readonly tookMs: number
      }
  /** A session that this member hosts. `session` is its id, in decimal. */
  'embedded-coord:session':
    | {
        readonly member: DiagnosticSource
        readonly type: 'connected' | 'suspended' | 'closed'
        readonly session: string
        readonly reason: string
      }
    | {
        readonly member: DiagnosticSource
        readonly type: 'lost'
        readonly session: string
        readonly reason: string
        readonly loss: SessionLoss
      }
  /** Links to other members, and who the members are. */
  'embedded-coord:member':
    | { readonly member: DiagnosticSource; readonly type: 'linked'; readonly peer: DiagnosticSource }
    | { readonly member: DiagnosticSource; readonly type: 'unlinked'; readonly peer: string; readonly reason: string }
    /** Its state is not that of the others; differs from some, and nobody knows who is right; is (again) that of the others. */
    | { readonly member: DiagnosticSource; readonly type: 'diverged' | 'doubtful' | 'sound'; readonly reason: string }
    | {
        readonly member: DiagnosticSource
        readonly type: 'members'
        readonly voters: readonly DiagnosticSource[]
        readonly observers: readonly DiagnosticSource[]
      }
  /** This member's store, where it is durable. */
  'embedded-coord:storage':
    | { readonly member: DiagnosticSource; readonly type: 'opened' | 'checkpoint' | 'checkpointed' }
    | { readonly member: DiagnosticSource; readonly type: 'failed' | 'repairing'; readonly reason: string }
}

export type DiagnosticName = keyof Diagnostics
const channels: Readonly<Record<DiagnosticName, Channel>> = {
  'embedded-coord:role': channel('embedded-coord:role'),
  'embedded-coord:election': channel('embedded-coord:election'),
  'embedded-coord:session': channel('embedded-coord:session'),
  'embedded-coord:member': channel('embedded-coord:member'),
  'embedded-coord:storage': channel('embedded-coord:storage'),
}

/** Tells, if anybody listens. `source` and `message` are called only then. */
export function diagnose<N extends DiagnosticName>(
  name: N,
  source: () => DiagnosticSource,
  message: (member: DiagnosticSource) => Diagnostics[N],
): void {
  const target = channels[name]
  if (!target.hasSubscribers) return
  const { id, name: memberName } = source()
  target.publish(message({ id, name: memberName }))
}
