import { randomInt } from 'node:crypto'
import { createServer, type Server } from 'node:net'

/**
 * Ports that nobody listens on now. They are below those that systems give to outgoing connections, so that none is taken
 * while the process that listens on it is down for a moment.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Map<number, Server>()
  while (ports.size < count) {
    const port = randomInt(20_000, 32_000)
    const server = ports.has(port) ? undefined : await tryListen(port)
    if (server !== undefined) ports.set(port, server)
  }
  await Promise.all([...ports.values()].map((server) => new Promise((resolve) => server.close(resolve))))
  return [...ports.keys()]
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
