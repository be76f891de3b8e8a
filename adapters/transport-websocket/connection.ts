/**
 * One WebSocket as a `Connection`. It is made in the turn in which the WebSocket opens and holds it paused until `open`,
 * so that no frame can arrive before there is somebody to take it.
 *
 * Frames are handed on as ws gives them: views of what the socket read, which Node never overwrites. A receiver that
 * keeps a small part for long should copy it, as it keeps the whole chunk alive.
 */
import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { assert } from '../../lib/errors.ts'
import type { Connection, ConnectionHandlers } from '../../lib/ports/index.ts'

/** A text in a close frame: at most 123 bytes. */
const reasonBytesMax = 123

const closeCodes = { normal: 1000, textFrame: 1003, broken: 1006, tooLarge: 1009 } as const

export class WebSocketConnection implements Connection {
  readonly remoteAddress: string
  /** Resolves when nothing is left of the connection. */
  readonly ended: Promise<void>
  readonly #webSocket: WebSocket
  readonly #socket: Socket
  readonly #bufferedBytesMax: number
  #handlers: ConnectionHandlers | undefined
  /** While the other side is a stranger. */
  #onBytes: ((chunk: Uint8Array) => void) | undefined
  /** Why it ends, as soon as that is known. */
  #reason: string | undefined
  #hasEnded = false

  /** @internal Keeps the types of ws out of what applications compile against. */
  constructor(
    webSocket: WebSocket,
    socket: Socket,
    remoteAddress: string,
    bufferedBytesMax: number,
    unprovenBytesMax: number | undefined,
  ) {
    this.#webSocket = webSocket
    this.#socket = socket
    this.remoteAddress = remoteAddress
    this.#bufferedBytesMax = bufferedBytesMax
    webSocket.pause()
    if (unprovenBytesMax !== undefined) this.#limitStranger(unprovenBytesMax)
    webSocket.on('message', (data, isBinary) => this.#onMessage(data as Buffer, isBinary))
    webSocket.on('error', (error) => {
      this.#reason ??= error.message
    })
    this.ended = new Promise((resolve) => {
      webSocket.on('close', (code, text) => {
        this.#onClose(code, text)
        resolve()
      })
    })
  }

  get bufferedBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  open(handlers: ConnectionHandlers): void {
    assert(this.#handlers === undefined, 'a connection is opened once')
    this.#handlers = handlers
    if (this.#hasEnded) setImmediate(() => handlers.closed(this.#reason ?? 'closed'))
    else this.#webSocket.resume()
  }

  admit(): void {
    if (this.#onBytes !== undefined) this.#socket.off('data', this.#onBytes)
    this.#onBytes = undefined
  }

  /** Counts what arrives before ws has made frames of it: a frame that is never finished takes memory, too. */
  #limitStranger(bytesMax: number): void {
    let bytes = 0
    this.#onBytes = (chunk) => {
      bytes += chunk.length
      if (bytes > bytesMax && this.#onBytes !== undefined) this.#drop(`a stranger sent more than ${bytesMax} bytes`)
    }
    this.#socket.on('data', this.#onBytes)
  }

  send(frame: Uint8Array, written?: () => void): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#webSocket.send(frame, written)
    // ws takes whatever it is given: who does not read is dropped before its backlog becomes our memory.
    const unread = this.bufferedBytes
    if (unread > this.#bufferedBytesMax) this.#drop(`the other side left ${unread} bytes unread`)
  }

  close(reason = 'closed'): void {
    if (this.#webSocket.readyState !== this.#webSocket.OPEN) return
    this.#reason ??= reason
    // Who was never opened is paused, and would not see the other side take leave.
    if (this.#handlers === undefined) this.#webSocket.terminate()
    else this.#webSocket.close(closeCodes.normal, clip(reason))
  }

  setRef(held: boolean): void {
    if (held) this.#socket.ref()
    else this.#socket.unref()
  }

  #drop(reason: string): void {
    this.#reason ??= reason
    this.#webSocket.terminate()
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    // It ends: what still arrives is nobody's any more.
    if (this.#reason !== undefined) return
    if (isBinary) this.#handlers?.frame(data)
    else this.#refuseText()
  }

  #refuseText(): void {
    this.#reason ??= 'the other side sent a text frame'
    this.#webSocket.close(closeCodes.textFrame, 'binary frames only')
  }

  #onClose(code: number, text: Buffer): void {
    this.#hasEnded = true
    this.#reason ??= explainClose(code, text)
    this.#handlers?.closed(this.#reason)
  }
}

function explainClose(code: number, text: Buffer): string {
  if (code === closeCodes.broken) return 'the connection broke'
  if (code === closeCodes.tooLarge) return 'the other side takes no frame as large as the one sent'
  // The text comes from outside and ends up in logs.
  const reason = text.toString().replaceAll(/\p{Cc}/gu, ' ')
  return reason === '' ? `closed by the other side (code ${code})` : `closed by the other side: ${reason}`
}

/** As much of a text as fits, in whole characters. */
function clip(text: string): Buffer {
  const bytes = Buffer.alloc(reasonBytesMax)
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written)
}
