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
    const coord = await joinEnsemble({ listen: { port }, peers })
    await serveZooKeeper(coord, { port: gatewayPort, superDigest, connectionsPerAddressMax: 1000 })
  }
  start().then(
    () => process.send?.('serves'),
    (error: unknown) => process.send?.(String(error)),
  )
})
