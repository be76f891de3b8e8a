/** A TCP link to a server on loopback that can be cut without either side being told, as networks are. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export class CuttableLink implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isCut = false

  private constructor(target: number) {
    this.#server = createServer((near) => this.#join(near, target))
  }

  /** A link to the port `target`. */
  static async open(target: number): Promise<CuttableLink> {
    const link = new CuttableLink(target)
    link.#server.listen(0, '127.0.0.1')
    await once(link.#server, 'listening')
    return link
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Nothing gets through any more: connections stay, new ones are made, and all are silent. */
  cut(): void {
    this.#isCut = true
  }

  /** Ends the silent connections; new ones work. */
  heal(): void {
    if (!this.#isCut) return
    this.#isCut = false
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(near: Socket, target: number): void {
    this.#keep(near)
    if (this.#isCut) return
    const far = connect({ host: '127.0.0.1', port: target, noDelay: true })
    near.setNoDelay(true)
    this.#keep(far)
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('data', (chunk) => {
        if (!this.#isCut) to.write(chunk)
      })
      from.on('close', () => {
        if (!this.#isCut) to.destroy()
      })
    }
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.#sockets.delete(socket))
  }
}
