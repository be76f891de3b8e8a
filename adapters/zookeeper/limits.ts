/** What the gateway lets its clients do. docs/LIMITS.md lists it; each is an option of `serveZooKeeper`. */
export interface GatewayLimits {
  /** Open connections, from one address and from all. More are closed at once. */
  readonly connectionsPerAddressMax: number
  readonly connectionsMax: number
  /** A connection that has not opened a session by then is closed. */
  readonly handshakeTimeoutMs: number
  /** A packet that has begun to arrive must be complete by then. */
  readonly packetTimeoutMs: number
  /** Requests of one connection that are not answered: beyond it, nothing more is read until some are. */
  readonly outstandingMax: number
  /** Bytes that a client has not taken yet: beyond it, the connection is closed. */
  readonly bufferedBytesMax: number
  /** The longest packet that is taken. Beyond it, the connection is closed. */
  readonly frameBytesMax: number
  /** What clients may ask for as session timeouts: what is outside becomes the nearest that is inside. */
  readonly sessionTimeoutMinMs: number
  readonly sessionTimeoutMaxMs: number
}

export const defaultGatewayLimits: GatewayLimits = {
  connectionsPerAddressMax: 60,
  connectionsMax: 10_000,
  handshakeTimeoutMs: 30_000,
  packetTimeoutMs: 30_000,
  outstandingMax: 1_000,
  bufferedBytesMax: 16 * 1024 * 1024,
  frameBytesMax: 0xf_ffff,
  sessionTimeoutMinMs: 4_000,
  sessionTimeoutMaxMs: 40_000,
}
