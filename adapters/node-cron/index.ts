/**
 * node-cron's distributed tasks on an ensemble: of all processes that schedule a task by the same name, one runs each
 * firing. Give it to node-cron, once for all (`cron.setRunCoordinator(runCoordinator(coord))`) or to one task (its option
 * `runCoordinator`, with `distributed: true` and a `name`).
 *
 * A firing that nobody can claim, because there is no quorum, runs nowhere: node-cron skips what its coordinator rejects.
 * (`coord.schedule` needs no other scheduler, knows which firings were missed, and gives the job a fencing token.)
 */

/** What is needed of a client: its `claim`. */
export interface Claims {
  claim(key: string, options?: { readonly keptMs?: number | undefined }): Promise<boolean>
}

/** node-cron's RunCoordinator (from 4.3 on), by its shape. */
export interface RunCoordinator {
  shouldRun(key: string, ttlMs: number): Promise<boolean>
}

/**
 * A claim is remembered for at least so long, whatever lease the task has: longer than the clocks of two processes should
 * differ, and than a busy one should be late. Else who is late would run a firing that is done.
 */
const keptMsMin = 3_600_000

/** The coordinator of a client or coord. Task and time of a firing make its key. */
export function runCoordinator(client: Claims): RunCoordinator {
  return {
    shouldRun: (key, ttlMs) => client.claim(`node-cron/${key}`, { keptMs: Math.max(Math.ceil(ttlMs) || 0, keptMsMin) }),
  }
}
