/** A process of the client tests: a member with a gateway. The parent says over IPC where; it hears when both serve. */
import { serveZooKeeper } from '../../adapters/zookeeper/index.ts'
import { joinEnsemble } from '../../lib/index.ts'

interface Start {
  readonly port: number
  readonly peers: string[]
  readonly gatewayPort: number
  readonly superDigest: string
}

process.on('disconnect', () => process.exit())
process.on('message', ({ port, peers, gatewayPort, superDigest }: Start) => {
  const start = async (): Promise<void> => {
    // Only a member that is killed is gone: on a busy machine, one that is merely slow is waited for.
    const coord = await joinEnsemble({ listen: { port }, peers, timing: { syncLimitMs: 20_000 } })
    coord.on('state', (next, _previous, reason) => console.error(`the member at ${gatewayPort} is ${next}: ${reason}`))
    await serveZooKeeper(coord, { port: gatewayPort, superDigest, connectionsPerAddressMax: 1000 })
  }
  start().then(
    () => process.send?.('serves'),
    (error: unknown) => process.send?.(String(error)),
  )
})
