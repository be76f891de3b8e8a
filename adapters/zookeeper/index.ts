/**
 * ZooKeeper's wire protocol, from both sides: `serveZooKeeper` lets ZooKeeper's own clients into an ensemble,
 * `connectZooKeeper` is our `Client` over an ensemble of ZooKeeper's.
 *
 * `jute.ts` and `framing.ts` are the notation, `protocol.ts`, `records.ts`, `multi.ts` and `operations.ts` the protocol,
 * `translate.ts` tells how its requests are calls of a session, `gateway.ts` listens, `gateway-connection.ts` is one
 * client; `diagnostics.ts` is what `four-letter-words.ts` and `admin-server.ts` tell operators; `wire-connection.ts` is the client's side.
 */

export type { AdminOptions } from './admin-server.ts'
export { type ConnectZooKeeperOptions, connectZooKeeper } from './connect.ts'
export type { FourLetterWord } from './four-letter-words.ts'
export { type ServedCoord, type ServeZooKeeperOptions, serveZooKeeper, type ZooKeeperGateway } from './gateway.ts'
export { defaultGatewayLimits, type GatewayLimits } from './limits.ts'
