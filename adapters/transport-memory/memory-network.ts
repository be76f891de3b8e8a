/**
 * The network is a table of who listens; a transport is one member's view of it.
 *
 * Time passes only by the scheduler, which runs a callback in a later turn: `setImmediate`, or that of a test which wants
 * to say itself when something arrives. Nothing here holds the process: what is under way ends by itself. A transport
 * that closes does not wait for that, as there is nothing to free.
 */
import { assert, CoordError } from '../../lib/errors.ts'
import type { Connection, Listener, Transport, TransportLimits } from '../../lib/ports/index.ts'
import { connectionPair, type MemoryConnection, type Schedule } from './memory-connection.ts'

export interface MemoryNetworkOptions {
  /** Default `setImmediate`. */
  readonly schedule?: Schedule | undefined
}

export class MemoryNetwork {
  readonly #schedule: Schedule
  readonly #listeners = new Map<string, MemoryListener>()

  constructor(options: MemoryNetworkOptions = {}) {
    this.#schedule = options.schedule ?? ((callback) => setImmediate(callback))
  }

  /** A member's transport, which listens at `address`; without one it only dials. */
  transport(address?: string): Transport {
    return new MemoryTransport(this.#listeners, this.#schedule, address)
  }
}

type Accept = (connection: Connection) => void

interface MemoryListener {
  readonly limits: TransportLimits
  take(connection: MemoryConnection): void
}

class MemoryTransport implements Transport {
  readonly exposed = false
  readonly #listeners: Map<string, MemoryListener>
  readonly #schedule: Schedule
  readonly #address: string | undefined
  readonly #dialed = new Set<MemoryConnection>()
  #listener: Listener | undefined
  #closed = false

  constructor(listeners: Map<string, MemoryListener>, schedule: Schedule, address: string | undefined) {
    this.#listeners = listeners
    this.#schedule = schedule
    this.#address = address === undefined ? undefined : this.normalize(address)
  }

  normalize(address: string): string {
    if (!/^\S+$/.test(address)) throw new TypeError(`not an address: ${JSON.stringify(address)}`)
    return address.toLowerCase()
  }

  async listen(accept: Accept, limits: TransportLimits): Promise<Listener | undefined> {
    this.#assertNotClosed()
    assert(this.#listener === undefined, 'a transport listens once')
    if (this.#address === undefined) return undefined
    this.#listener = this.#listenAt(this.#address, accept, limits)
    return this.#listener
  }

  #listenAt(address: string, accept: Accept, limits: TransportLimits): Listener {
    if (this.#listeners.has(address)) {
      throw new CoordError('COORD_ADDRESS_IN_USE', `another member listens at ${address}`)
    }
    const accepted = new Set<MemoryConnection>()
    const listener: MemoryListener = {
      limits,
      take(connection) {
        remember(accepted, connection)
        accept(connection)
      },
    }
    this.#listeners.set(address, listener)
    const close = async (): Promise<void> => {
      if (this.#listeners.get(address) === listener) this.#listeners.delete(address)
      for (const connection of accepted) connection.close('the listener closes')
    }
    return { address, close }
  }

  dial(address: string, limits: TransportLimits, signal: AbortSignal): Promise<Connection> {
    return new Promise((resolve, reject) => {
      this.#assertNotClosed()
      signal.throwIfAborted()
      const target = this.normalize(address)
      const onAbort = (): void => reject(signal.reason)
      signal.addEventListener('abort', onAbort)
      this.#schedule(() => {
        signal.removeEventListener('abort', onAbort)
        if (signal.aborted) return
        try {
          resolve(this.#connect(target, limits))
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  #connect(target: string, limits: TransportLimits): Connection {
    this.#assertNotClosed()
    const listener = this.#listeners.get(target)
    if (listener === undefined) throw new Error(`nothing listens at ${target}`)
    const [near, far] = connectionPair(this.#schedule, [
      { remoteAddress: target, frameBytesMax: limits.frameBytesMax },
      { remoteAddress: this.#address ?? 'memory', frameBytesMax: listener.limits.frameBytesMax },
    ])
    remember(this.#dialed, near)
    listener.take(far)
    return near
  }

  setRef(): void {}

  async close(): Promise<void> {
    this.#closed = true
    for (const connection of this.#dialed) connection.close('the transport closes')
    await this.#listener?.close()
  }

  #assertNotClosed(): void {
    if (this.#closed) throw new CoordError('COORD_CLOSED', 'the transport is closed')
  }
}

function remember(connections: Set<MemoryConnection>, connection: MemoryConnection): void {
  connections.add(connection)
  connection.onEnded = () => connections.delete(connection)
}
