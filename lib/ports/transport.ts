/**
 * How members reach each other: connections that carry frames (opaque bytes, kept whole). The default adapter is
 * WebSocket; `embedded-coord/suites` proves an adapter.
 *
 * Contract:
 * - Frames arrive whole, in the order sent, or the connection closes. (Members do not rely on it blindly: each link
 *   numbers its frames and closes when one is missing.) The frame handed to `frame` belongs to the receiver.
 * - `send` never throws and never blocks. Bytes given to it may be kept until written: the sender does not change them, unless
 *   it gave a callback, and that was called. Only a transport that copies them calls it; it need not.
 * - `handlers.closed` is called exactly once, whoever closed and however, also when the dial had succeeded only just now;
 *   after it no frame arrives. `close` is idempotent; frames sent before it are still written where possible.
 * - No callback runs inside a call of the same connection's `send` or `close`: it comes in a later turn.
 */
export interface ConnectionHandlers {
  frame(bytes: Uint8Array): void
  /** `reason` is a text for people: it ends up in error messages. */
  closed(reason: string): void
}

export interface Connection {
  /** Where the other side is, as far as known: for limits and messages, never for identity. */
  readonly remoteAddress: string
  /** Bytes sent but not yet written out. */
  readonly bufferedBytes: number
  /** Must be called once, in the turn in which the connection was obtained; frames are kept until then. */
  open(handlers: ConnectionHandlers): void
  /** The other side has proved who it is: `unprovenBytesMax` is for strangers alone. */
  admit?(): void
  /** `written` is called once nobody will read these bytes any more: the sender may put its next frame there. */
  send(frame: Uint8Array, written?: () => void): void
  close(reason?: string): void
}

export interface Listener {
  /** What others dial, by default: known once listening. */
  readonly address: string
  /** Stops accepting and closes what was accepted. Idempotent. */
  close(): Promise<void>
}

export interface TransportLimits {
  /** A larger frame closes its connection. Bytes. */
  readonly frameBytesMax: number
  /** What a connection may receive altogether, until it is admitted. Bytes; without it, as much as frames allow. */
  readonly unprovenBytesMax?: number | undefined
  /** How long a dial may take. Milliseconds. */
  readonly dialTimeoutMs: number
}

export interface Transport {
  /** Whether a process that listens is reachable from other hosts: then a `secret` is needed. */
  readonly exposed: boolean
  /**
   * Begins to accept. Rejects with `CoordError` COORD_ADDRESS_IN_USE, naming the address, when it is taken.
   * A transport without an address of its own to listen on resolves `undefined`: it can only dial.
   */
  listen(accept: (connection: Connection) => void, limits: TransportLimits): Promise<Listener | undefined>
  /** Connects to an address; rejects with an error that says why. Aborting closes what was under way. */
  dial(address: string, limits: TransportLimits, signal: AbortSignal): Promise<Connection>
  /** The form in which two spellings of one address are equal. Throws a `TypeError` for what is no address. */
  normalize(address: string): string
  /** Whether its sockets hold the process. */
  setRef(held: boolean): void
  /** Closes the listener and every connection. Idempotent. */
  close(): Promise<void>
}
