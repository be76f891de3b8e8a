/**
 * A transport whose network can be cut and healed: what is sent while it is cut arrives once it is healed, as packets
 * do that are sent again, unless the connection was given up meanwhile.
 */
import { webSocketTransport } from '../../adapters/transport-websocket/index.ts'
import type { Connection, ConnectionHandlers, Listener, Transport } from '../../lib/ports/index.ts'

export class Gate implements Transport {
  readonly exposed = false
  readonly #inner: Transport
  #isCut = false
  #healed: (() => void)[] = []

  constructor(port: number) {
    this.#inner = webSocketTransport({ listen: { port } })
  }

  cut(): void {
    this.#isCut = true
  }

  heal(): void {
    this.#isCut = false
    for (const callback of this.#healed.splice(0)) callback()
  }

  /** Runs now, or once healed; in the order of the calls. */
  readonly pass = (callback: () => void): void => {
    if (this.#isCut) this.#healed.push(callback)
    else callback()
  }

  normalize(address: string): string {
    return this.#inner.normalize(address)
  }

  listen(
    accept: (connection: Connection) => void,
    limits: Parameters<Transport['listen']>[1],
  ): Promise<Listener | undefined> {
    return this.#inner.listen((connection) => accept(new GatedConnection(connection, this)), limits)
  }

  async dial(...args: Parameters<Transport['dial']>): Promise<Connection> {
    if (this.#isCut) throw new Error('the network is cut')
    return new GatedConnection(await this.#inner.dial(...args), this)
  }

  setRef(held: boolean): void {
    this.#inner.setRef(held)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}

class GatedConnection implements Connection {
  readonly #inner: Connection
  readonly #gate: Gate

  constructor(inner: Connection, gate: Gate) {
    this.#inner = inner
    this.#gate = gate
  }

  get remoteAddress(): string {
    return this.#inner.remoteAddress
  }

  get bufferedBytes(): number {
    return this.#inner.bufferedBytes
  }

  open(handlers: ConnectionHandlers): void {
    this.#inner.open({
      frame: (bytes) => this.#gate.pass(() => handlers.frame(bytes)),
      closed: (reason) => handlers.closed(reason),
    })
  }

  send(frame: Uint8Array): void {
    this.#gate.pass(() => this.#inner.send(frame))
  }

  close(reason?: string): void {
    this.#inner.close(reason)
  }
}
