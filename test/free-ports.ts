/** Ports for the tests and benchmarks that must know one before anybody listens on it. */
import { createServer } from 'node:net'

/**
 * Another start in each process, so that two test runs beside each other rarely try the same one; those of one run are far
 * apart.
 */
let next = 12_000 + ((process.pid * 97 + Number(process.env['MOCHA_WORKER_ID'] ?? 0) * 9_000) % 18_000)

/**
 * Ports on loopback that nobody listens on, none given twice in a process. They are below those that the system gives to
 * outgoing connections and to whoever asks for port 0: nobody takes one before its member listens, or while the member
 * is down for a moment.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    next = next >= 32_000 ? 12_000 : next + 1
    const port = next
    if (await isFree(port)) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
