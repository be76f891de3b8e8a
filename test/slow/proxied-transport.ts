/**
 * A network of real sockets that a test can cut: each member dials every other one through a TCP proxy of their own, which
 * stops carrying bytes in one direction, or in both. Nothing is closed by it, and nothing is lost: what was on its way
 * arrives once the cut is mended, as over a network that is mended.
 */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { webSocketTransport } from '../../adapters/transport-websocket/index.ts'
import type { Transport } from '../../lib/ports/index.ts'

type Place = string

/** One direction of a connection: from one socket into another, unless the way is cut. */
interface Flow {
  readonly from: Place
  readonly to: Place
  readonly source: Socket
  readonly target: Socket
}

export class ProxiedNetwork {
  readonly #cuts = new Set<string>()
  readonly #flows = new Set<Flow>()
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()
  /** Ends of connections whose other end is gone, and that are not to know before the cut is mended. */
  readonly #orphans = new Set<Socket>()

  /** The transport of a member at `port`, which finds the one at each other port through a proxy. */
  async transport(port: number, others: readonly number[]): Promise<Transport> {
    const proxies = new Map<string, string>()
    for (const other of others) {
      const proxy = await this.#proxy(`${port}`, `${other}`)
      proxies.set(addressAt(other), addressAt(proxy))
    }
    const real = webSocketTransport({ listen: { port } })
    return new Proxy(real, {
      get: (target, name) => {
        if (name === 'dial') {
          const dial: Transport['dial'] = (address, ...rest) =>
            target.dial(proxies.get(target.normalize(address)) ?? address, ...rest)
          return dial
        }
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /** Nothing gets from one to the other any more, until `heal`. */
  cut(from: number, to: number): void {
    this.#cuts.add(`${from} ${to}`)
    for (const flow of this.#flows) this.#regulate(flow)
  }

  /** Both ways, between each of these and each of those. */
  part(these: readonly number[], those: readonly number[]): void {
    for (const one of these) {
      for (const other of those) {
        this.cut(one, other)
        this.cut(other, one)
      }
    }
  }

  heal(): void {
    this.#cuts.clear()
    for (const flow of this.#flows) this.#regulate(flow)
    for (const socket of this.#orphans) socket.destroy()
    this.#orphans.clear()
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await Promise.all(this.#servers.map((server) => new Promise((resolve) => server.close(resolve))))
  }

  async #proxy(from: Place, to: Place): Promise<number> {
    const server = createServer((incoming) => {
      const outgoing = connect({ port: Number(to), host: '127.0.0.1' })
      this.#join(incoming, outgoing, from, to)
      this.#join(outgoing, incoming, to, from)
    })
    this.#servers.push(server)
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    return (server.address() as { port: number }).port
  }

  #join(source: Socket, target: Socket, from: Place, to: Place): void {
    const flow: Flow = { from, to, source, target }
    this.#flows.add(flow)
    this.#sockets.add(source)
    source.on('data', (bytes) => target.write(bytes))
    source.on('end', () => target.end())
    source.on('error', () => {})
    source.on('close', () => {
      this.#flows.delete(flow)
      this.#sockets.delete(source)
      // That one end is gone is news, too, and does not get through a cut.
      if (this.#isCut(flow)) this.#orphans.add(target)
      else target.destroy()
    })
    this.#regulate(flow)
  }

  #isCut({ from, to }: Flow): boolean {
    return this.#cuts.has(`${from} ${to}`)
  }

  #regulate(flow: Flow): void {
    if (this.#isCut(flow)) flow.source.pause()
    else flow.source.resume()
  }
}

const addressAt = (port: number): string => `ws://127.0.0.1:${port}/embedded-coord`
