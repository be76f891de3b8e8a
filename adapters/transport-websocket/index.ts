/**
 * The default transport: frames as binary WebSocket messages, over a port of our own or the application's http server.
 *
 * `address.ts` knows what an address is, `listener.ts` accepts, `dial.ts` connects, `connection.ts` is one connection
 * whichever side began it, `limits.ts` holds what ws is allowed to do, `transport.ts` is the port.
 */
export type { TlsOptions } from './limits.ts'
export type { ListenOnPort, ListenOnServer } from './listener.ts'
export { type WebSocketTransport, type WebSocketTransportOptions, webSocketTransport } from './transport.ts'
