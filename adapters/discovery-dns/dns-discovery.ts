/**
 * The `Discovery` port over DNS. With a `port`, every address of the name (A and AAAA records, the system's way: hosts file
 * and search domains count) is a member's, on that port. Without one, the name's SRV records say hosts and ports.
 *
 * Nothing is cached here: each `find` asks again. A query cannot be called off, so aborting stops the waiting alone.
 */
import { lookup, resolveSrv } from 'node:dns/promises'
import type { Discovery } from '../../lib/ports/index.ts'

/** What is asked: `node:dns/promises`, or a resolver of a test. */
export interface DnsResolver {
  /** All addresses of a name. */
  lookup(name: string): Promise<readonly { readonly address: string; readonly family: number }[]>
  /** The SRV records of a name. */
  resolveSrv(name: string): Promise<readonly { readonly name: string; readonly port: number }[]>
}

export interface DnsDiscoveryOptions {
  /** For example `orders.default.svc.cluster.local`; without a `port`, a name with SRV records: `_coord._tcp.orders…`. */
  readonly name: string
  /** The port on which every member listens. Default: as the SRV records say. */
  readonly port?: number | undefined
  /** Default `ws`. */
  readonly scheme?: 'ws' | 'wss' | undefined
  /** Of members on an http server that they share with their application. Default: that of the transport. */
  readonly path?: string | undefined
  /** Default: the system's. */
  readonly resolver?: DnsResolver | undefined
}

const systemResolver: DnsResolver = { lookup: (name) => lookup(name, { all: true }), resolveSrv }

/** Finds members by DNS. Throws a `TypeError` for options that cannot be meant. */
export function dnsDiscovery(options: DnsDiscoveryOptions): Discovery {
  const { name, port, scheme = 'ws', path = '', resolver = systemResolver } = options
  if (typeof name !== 'string' || name === '') throw new TypeError('dns must be the name to look up')
  if (port !== undefined && (!Number.isInteger(port) || port < 1 || port > 65_535))
    throw new TypeError(`port must be a whole number from 1 to 65535, not ${String(port)}`)
  if (scheme !== 'ws' && scheme !== 'wss') throw new TypeError(`scheme must be 'ws' or 'wss', not ${String(scheme)}`)
  if (typeof path !== 'string' || (path !== '' && !path.startsWith('/')))
    throw new TypeError(`path must begin with a slash: ${String(path)}`)
  const addressOf = (host: string, hostPort: number): string => `${scheme}://${host}:${hostPort}${path}`
  const find = async (): Promise<readonly string[]> => {
    if (port === undefined) {
      const records = await resolver.resolveSrv(name)
      // A target of `.` says that there is no such service.
      const targets = records.map((record) => ({ ...record, name: record.name.replace(/\.$/, '') }))
      return targets.filter((target) => target.name !== '').map((target) => addressOf(target.name, target.port))
    }
    const found = await resolver.lookup(name)
    return found.map(({ address, family }) => addressOf(family === 6 ? `[${address}]` : address, port))
  }
  return {
    description: port === undefined ? `dns SRV ${name}` : `dns ${name}, port ${port}`,
    find: (signal) => unlessAborted(signal, find),
  }
}

async function unlessAborted<T>(signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  signal.throwIfAborted()
  let onAbort = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([ask(), aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
