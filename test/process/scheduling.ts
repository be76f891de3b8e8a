/** An application process that schedules a job, and tells its parent of each firing that begins here. */
import { joinEnsemble } from '../../lib/index.ts'

export interface Scheduling {
  readonly name: string
  readonly port: number
  readonly peers: string[]
  readonly everyMs: number
  readonly sessionTimeoutMs: number
}

export interface Began {
  readonly name: string
  readonly scheduledAt: number
  readonly token: string
}

const tell = (message: object): void => {
  process.send?.(message)
}

process.on('disconnect', () => process.exit())
process.once('message', (task: Scheduling) => {
  void begin(task).catch((error: unknown) => tell({ failed: `${task.name}: ${String(error)}` }))
})

async function begin({ name, port, peers, everyMs, sessionTimeoutMs }: Scheduling): Promise<void> {
  const coord = await joinEnsemble({ name, listen: { port }, peers, sessionTimeoutMs })
  const job = ({ scheduledAt, token }: { scheduledAt: Date; token: bigint }): void =>
    tell({ began: { name, scheduledAt: scheduledAt.getTime(), token: `${token}` } satisfies Began })
  coord.schedule('job', { everyMs }, job, { missed: 'all' })
  tell({ joined: name })
}
