/**
 * `connectZooKeeper`: the same `Client`, over a real Apache ZooKeeper ensemble. An application moves between the two
 * without a rewrite; what ZooKeeper promises less of is told in docs/ZOOKEEPER.md.
 */
import type { ConnectionOptions } from 'node:tls'
import { requireMs, requireSignal } from '../../lib/api/checks.ts'
import { abortError } from '../../lib/api/results.ts'
import { codecOf, type ValueCodec, type ValueEncoding, type ValueOf } from '../../lib/api/values.ts'
import { rootUnder } from '../../lib/api/znodes.ts'
import { Client, RenewingSession } from '../../lib/client.ts'
import { CoordError } from '../../lib/errors.ts'
import { SystemClock } from '../../lib/runtime/system-clock.ts'
import { SystemEntropy } from '../../lib/runtime/system-entropy.ts'
import { EnsembleLink } from './ensemble-link.ts'
import type { WireAddress } from './wire-connection.ts'

export interface ConnectZooKeeperOptions<E extends ValueEncoding = ValueEncoding> {
  /** What is asked for; the ensemble has bounds of its own. Default 10,000. */
  readonly sessionTimeoutMs?: number | undefined
  /** How long a call may wait while no server answers. Default 10,000. */
  readonly requestTimeoutMs?: number | undefined
  /** How long the first connection may take. Default 60,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How values become data. Default `'view'`: `Uint8Array`. */
  readonly valueEncoding?: E | undefined
  /** The options of Node's `tls.connect`: `ca`, `cert`, `key`. Default: no TLS. */
  readonly tls?: ConnectionOptions | undefined
  /** Aborts the connecting. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Connects to `host:port,host:port/chroot`, ZooKeeper's connect string. Resolves once a session is open; rejects with
 * COORD_TIMEOUT when none is within `connectTimeoutMs`.
 */
export function connectZooKeeper(
  servers: string,
  options?: ConnectZooKeeperOptions & { readonly valueEncoding?: undefined },
): Promise<Client>
export function connectZooKeeper<const E extends ValueEncoding>(
  servers: string,
  options: ConnectZooKeeperOptions<E> & { readonly valueEncoding: E },
): Promise<Client<ValueOf<E>>>
export function connectZooKeeper(servers: string, options: ConnectZooKeeperOptions): Promise<Client<unknown>>
export async function connectZooKeeper(servers: string, options: ConnectZooKeeperOptions = {}): Promise<unknown> {
  const { addresses, root } = parseConnectString(servers)
  const { sessionTimeoutMs: timeoutMs = 10_000, requestTimeoutMs = 10_000, connectTimeoutMs = 60_000 } = options
  for (const name of ['sessionTimeoutMs', 'requestTimeoutMs', 'connectTimeoutMs'] as const)
    requireMs(name, options[name])
  requireSignal(options.signal)
  if (options.signal?.aborted === true) throw abortError(options.signal)
  const codec = codecOf(options.valueEncoding) as ValueCodec<unknown>
  const clock = new SystemClock()
  const entropy = new SystemEntropy()
  const link = { servers: addresses, clock, random: () => entropy.random(), tls: options.tls }
  const renewing = new RenewingSession({
    door: { open: (opening, deliver) => new EnsembleLink(link, opening, deliver) },
    clock,
    entropy,
    timeoutMs,
    requestTimeoutMs,
  })
  const client = new EnsembleClient(renewing, root, codec)
  try {
    await opened(renewing, clock, connectTimeoutMs, options.signal)
  } catch (error) {
    await client.close({ timeoutMs: 1 })
    throw error
  }
  return client
}

/** A client that its session ends with. */
class EnsembleClient<V> extends Client<V> {
  readonly #renewing: RenewingSession

  constructor(renewing: RenewingSession, root: string, codec: ValueCodec<V>) {
    super(renewing, root, codec)
    this.#renewing = renewing
  }

  protected override async closeOpened(options?: { readonly timeoutMs?: number | undefined }): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? 2000
    await this.#renewing.close({ timeoutMs })
    await super.closeOpened({ timeoutMs })
  }
}

function opened(
  renewing: RenewingSession,
  clock: SystemClock,
  connectTimeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      timer.cancel()
      stop()
      signal?.removeEventListener('abort', onAbort)
    }
    const fail = (error: Error): void => {
      done()
      reject(error)
    }
    const onAbort = (): void => fail(abortError(signal as AbortSignal))
    const timer = clock.setTimer(connectTimeoutMs, () =>
      fail(new CoordError('COORD_TIMEOUT', `no server opened a session within ${connectTimeoutMs} ms`)),
    )
    const stop = renewing.onState((next) => {
      if (next !== 'connected') return
      done()
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

const defaultPort = 2181

function parseConnectString(servers: string): { addresses: WireAddress[]; root: string } {
  if (typeof servers !== 'string' || servers === '')
    throw new TypeError('servers must be a text like host:2181,host:2181')
  const slash = servers.indexOf('/')
  const hosts = slash === -1 ? servers : servers.slice(0, slash)
  const root = slash === -1 ? '' : rootUnder('', servers.slice(slash))
  return { addresses: hosts.split(',').map((one) => addressOf(one.trim())), root }
}

/** IPv6 in brackets where a port follows. */
function addressOf(text: string): WireAddress {
  const { host, port } = /^(?:\[(?<six>[^\]]+)\]|(?<host>[^:\s]+))(?::(?<port>\d{1,5}))?$/.exec(text)?.groups ?? {}
  const six = /^\[(?<six>[^\]]+)\]/.exec(text)?.groups?.['six']
  const number = port === undefined ? defaultPort : Number(port)
  const name = six ?? host
  if (name === undefined || number < 1 || number > 65_535) throw new TypeError(`not a server: ${JSON.stringify(text)}`)
  return { host: name, port: number }
}
