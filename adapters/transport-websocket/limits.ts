/**
 * What ws may do on either side of a connection. Its defaults are made for browsers and public servers (100 MiB a
 * message, compression offered, half a minute to close); members send frames of a known size and never fragment them.
 *
 * Whoever can open a socket gets as far as these limits without having proved anything, so each bounds what a stranger
 * can make this process hold or do.
 */
import type { TransportLimits } from '../../lib/ports/index.ts'

/** Both sides must name it: what merely speaks WebSocket is refused before a frame is read. */
export const subprotocol = 'embedded-coord'

/** Certificates by which members know each other: each side shows its own and demands one that `ca` has signed. */
export interface TlsOptions {
  readonly key: string | Buffer
  readonly cert: string | Buffer
  readonly ca: string | Buffer
}

interface SocketOptions {
  readonly perMessageDeflate: false
  readonly maxPayload: number
  readonly maxFragments: number
  readonly maxBufferedChunks: number
  readonly maxPendingAutoPongs: number
  readonly closeTimeout: number
}

export function socketOptions(limits: TransportLimits): SocketOptions {
  return {
    // Compression makes a round trip ten times slower, and its memory is the other side's to spend.
    perMessageDeflate: false,
    maxPayload: limits.frameBytesMax,
    // Proxies may fragment; nobody needs more.
    maxFragments: 64,
    // Packets of a frame that is still arriving: 256 bytes each is well below what any network cuts them to.
    maxBufferedChunks: 64 + Math.ceil(limits.frameBytesMax / 256),
    maxPendingAutoPongs: 4,
    // How long a closing side may take to take leave; then the socket is destroyed.
    closeTimeout: 1_000,
  }
}
