/**
 * Addresses: `ws://host:port/path`, or `wss:` over TLS. Port and path may be left out; the normal form has both, so that
 * two spellings of one address are equal as strings. Names are not looked up: `localhost` and `127.0.0.1` differ.
 *
 * What others should dial is derived from what a server is bound to. It is a guess where that is every address of the
 * host; who runs in a container or has several networks says it by `advertise`.
 */
import { hostname, networkInterfaces } from 'node:os'

export const defaultPath = '/embedded-coord'

const defaultPorts: Readonly<Record<string, number>> = { 'ws:': 80, 'wss:': 443 }

/** The normal form of an address; throws a `TypeError` for anything else. */
export function normalizeAddress(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined
  const defaultPort = url === undefined ? undefined : defaultPorts[url.protocol]
  if (url === undefined || defaultPort === undefined || url.hostname === '' || url.port === '0') {
    throw new TypeError(`not an address: ${address} (expected ws://host:port or wss://host:port)`)
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new TypeError(`an address has no user, query or fragment: ${url.protocol}//${url.host}`)
  }
  return `${url.protocol}//${url.hostname}:${url.port === '' ? defaultPort : url.port}${normalizePath(url.pathname)}`
}

/** A path without a slash at its end; none at all is the default one. */
export function normalizePath(path: string): string {
  if (!path.startsWith('/')) throw new TypeError(`a path begins with a slash: ${path}`)
  return path.replace(/\/+$/, '') || defaultPath
}

/** Whether only processes of this host reach what listens there. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

/** What others dial to reach a server that is bound to `host`. */
export function addressOf(scheme: 'ws' | 'wss', host: string, port: number, path: string): string {
  const reachable = host === '0.0.0.0' || host === '::' ? hostForOthers() : host
  return normalizeAddress(`${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}${path}`)
}

function hostForOthers(): string {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return interfaces.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? hostname()
}
