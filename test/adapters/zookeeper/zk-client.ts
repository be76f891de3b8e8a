/** A ZooKeeper client for tests, over the adapter's own wire connection: promises, and a list of everything that came. */
import { aclToWire } from '../../../adapters/zookeeper/acl.ts'
import type { OperationName, RequestOf, ResponseOf } from '../../../adapters/zookeeper/operations.ts'
import { eventTypes } from '../../../adapters/zookeeper/protocol.ts'
import type { ConnectResponse, WatcherEvent, WireAcl } from '../../../adapters/zookeeper/records.ts'
import { WireConnection, type WireReply } from '../../../adapters/zookeeper/wire-connection.ts'

export const open: readonly WireAcl[] = aclToWire([{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }])

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))

export interface Ticket {
  readonly id: bigint
  readonly password: Uint8Array
}

export interface ClientOptions {
  readonly timeoutMs?: number
  readonly lastZxidSeen?: bigint
  readonly ticket?: Ticket
  /** `undefined`: as old clients, which do not send it. */
  readonly readOnly?: boolean | undefined
}

const eventNames = new Map<number, string>(Object.entries(eventTypes).map(([name, number]) => [number, name]))

export class ZkClient {
  readonly events: WatcherEvent[] = []
  readonly opened: ConnectResponse
  readonly connection: WireConnection
  readonly ended: Promise<string>

  private constructor(
    connection: WireConnection,
    opened: ConnectResponse,
    ended: Promise<string>,
    events: WatcherEvent[],
  ) {
    this.connection = connection
    this.opened = opened
    this.ended = ended
    this.events = events
  }

  /** Rejects when the connection ends before it is answered. A refused session has a timeout of 0. */
  static async connect(port: number, options: ClientOptions = {}): Promise<ZkClient> {
    const { timeoutMs = 10_000, lastZxidSeen = 0n, ticket } = options
    const readOnly = 'readOnly' in options ? options.readOnly : false
    const events: WatcherEvent[] = []
    let end: (reason: string) => void = () => {}
    const ended = new Promise<string>((resolve) => {
      end = resolve
    })
    return new Promise((resolve, reject) => {
      const connection: WireConnection = new WireConnection(
        {
          address: { host: '127.0.0.1', port },
          frameBytesMax: 64 * 1024 * 1024,
          strict: true,
          opening: {
            protocolVersion: 0,
            lastZxidSeen,
            timeoutMs,
            sessionId: ticket?.id ?? 0n,
            password: ticket?.password ?? new Uint8Array(16),
            readOnly,
          },
        },
        {
          opened: (response) => resolve(new ZkClient(connection, response, ended, events)),
          event: (event) => events.push(event),
          ended: (reason) => {
            end(reason)
            reject(new Error(reason))
          },
        },
      )
    })
  }

  get ticket(): Ticket {
    return { id: this.opened.sessionId, password: this.opened.password ?? new Uint8Array(16) }
  }

  /** Rejects when the connection ends first. */
  request<K extends OperationName>(name: K, request: RequestOf<K>): Promise<WireReply<ResponseOf<K>>> {
    return new Promise((resolve, reject) => {
      this.connection.send(name, request, resolve)
      void this.ended.then((reason) => reject(new Error(reason)))
    })
  }

  /** The response, or a rejection with the number of the error. */
  async expect<K extends OperationName>(name: K, request: RequestOf<K>): Promise<ResponseOf<K>> {
    const { error, response } = await this.request(name, request)
    if (error !== 0) throw new Error(`${name}: ${error}`)
    return response as ResponseOf<K>
  }

  create(path: string, data: string | null = '', flags = 0): Promise<string> {
    const request = { path, data: data === null ? undefined : bytes(data), acl: open, flags }
    return this.expect('create', request).then((response) => response.path)
  }

  /** The events so far, as texts; they are taken. */
  takeEvents(): string[] {
    return this.events.splice(0).map(({ type, path }) => `${eventNames.get(type) ?? type} ${path}`)
  }

  /** Ends the session, and the connection with it. */
  async close(): Promise<void> {
    if (!this.connection.isEnded) await this.request('closeSession', undefined).catch(() => {})
    this.connection.close('closed by the test')
  }
}
