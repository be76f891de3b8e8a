/** gRPC over HTTP/2 by hand, for the loads of etcd: one header block for each method, which is encoded once. */
import { dial, inOneWrite } from './local-socket.mjs'

const frameHeaderBytes = 9
const types = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goAway: 7, windowUpdate: 8 }
const flags = { ack: 1, endStream: 1, endHeaders: 4 }
const settingInitialWindow = 4
const settingHeaderTableSize = 1
const windowMax = 0x7fff_ffff
const windowDefault = 65_535
/** Received bytes after which the connection's window is filled up again. */
const windowStep = 2 ** 28

function frame(type, flag, stream, payload) {
  const bytes = Buffer.allocUnsafe(frameHeaderBytes + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = type
  bytes[4] = flag
  bytes.writeUInt32BE(stream, 5)
  payload.copy(bytes, frameHeaderBytes)
  return bytes
}

function uint32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A header that is in no table and goes into none: names and values are plain, and shorter than 127 bytes. */
function literal(name, value) {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ])
}

/** Of a method: a call's header block, encoded once. */
export function headersOf(path) {
  const [methodPost, schemeHttp] = [0x83, 0x86]
  return Buffer.concat([
    Buffer.from([methodPost, schemeHttp]),
    literal(':path', path),
    literal(':authority', '127.0.0.1'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ])
}

/** One connection. A call is answered by a message; one that fails has none. */
export class Connection {
  #socket
  #write
  #calls = new Map()
  #lastStream = -1
  #rest = Buffer.alloc(0)
  #window = windowDefault
  #streamWindow = windowDefault
  #received = 0
  #queue = []

  static async open(port) {
    return new Connection(await dial(port))
  }

  constructor(socket) {
    this.#socket = socket
    this.#write = inOneWrite(socket)
    const settings = Buffer.alloc(12)
    settings.writeUInt16BE(settingInitialWindow, 0)
    settings.writeUInt32BE(windowMax, 2)
    settings.writeUInt16BE(settingHeaderTableSize, 6)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(frame(types.settings, 0, 0, settings))
    socket.write(frame(types.windowUpdate, 0, 0, uint32(windowMax - windowDefault)))
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      for (const call of this.#calls.values()) call.reject(new Error('the connection is closed'))
      this.#calls.clear()
    })
  }

  get isOpen() {
    return !this.#socket.destroyed
  }

  call(method, message) {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) reject(new Error('the connection is closed'))
      else {
        this.#queue.push({ method, message, resolve, reject, answer: undefined })
        this.#send()
      }
    })
  }

  /**
   * A call that stays open: what this returns sends a message. Few and short ones, so that the peer's window, which it
   * opens again as it reads, is not looked at.
   */
  stream(method, onMessage) {
    this.#lastStream += 2
    const stream = this.#lastStream
    this.#calls.set(stream, { reject() {}, onMessage, answer: undefined })
    this.#write(frame(types.headers, flags.endHeaders, stream, method))
    return (message) => this.#write(frame(types.data, 0, stream, prefixed(message)))
  }

  close() {
    this.#socket.destroy()
  }

  /** What the peer's windows allow; all of a turn of the event loop in one write. */
  #send() {
    while (this.#queue.length > 0) {
      const next = this.#queue[0]
      const bytes = next.message.length + 5
      if (bytes > this.#window || bytes > this.#streamWindow) return
      this.#queue.shift()
      this.#window -= bytes
      this.#lastStream += 2
      this.#calls.set(this.#lastStream, next)
      this.#write(frame(types.headers, flags.endHeaders, this.#lastStream, next.method))
      this.#write(frame(types.data, flags.endStream, this.#lastStream, prefixed(next.message)))
    }
  }

  #take(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    while (bytes.length >= frameHeaderBytes) {
      const length = bytes.readUIntBE(0, 3)
      if (bytes.length < frameHeaderBytes + length) break
      const stream = bytes.readUInt32BE(5) & windowMax
      this.#onFrame(bytes[3], bytes[4], stream, bytes.subarray(frameHeaderBytes, frameHeaderBytes + length))
      bytes = bytes.subarray(frameHeaderBytes + length)
    }
    this.#rest = bytes
  }

  #onFrame(type, flag, stream, payload) {
    if (type === types.data) this.#onData(stream, payload)
    else if (type === types.headers && (flag & flags.endStream) !== 0) this.#onEnd(stream)
    else if (type === types.reset) this.#onEnd(stream)
    else if (type === types.ping && (flag & flags.ack) === 0)
      this.#socket.write(frame(types.ping, flags.ack, 0, payload))
    else if (type === types.settings && (flag & flags.ack) === 0) this.#onSettings(payload)
    else if (type === types.windowUpdate && stream === 0) {
      this.#window += payload.readUInt32BE(0)
      this.#send()
    } else if (type === types.goAway) this.#socket.destroy()
  }

  #onData(stream, payload) {
    const call = this.#calls.get(stream)
    if (call !== undefined) call.answer = call.answer === undefined ? payload : Buffer.concat([call.answer, payload])
    if (call?.onMessage !== undefined) call.answer = deliver(call.answer, call.onMessage)
    this.#received += payload.length
    if (this.#received < windowStep) return
    this.#socket.write(frame(types.windowUpdate, 0, 0, uint32(this.#received)))
    this.#received = 0
  }

  #onEnd(stream) {
    const call = this.#calls.get(stream)
    this.#calls.delete(stream)
    if (call?.answer === undefined) call?.reject(new Error('etcd refused'))
    else call.resolve(call.answer)
  }

  #onSettings(payload) {
    for (let at = 0; at + 6 <= payload.length; at += 6) {
      if (payload.readUInt16BE(at) === settingInitialWindow) this.#streamWindow = payload.readUInt32BE(at + 2)
    }
    this.#socket.write(frame(types.settings, flags.ack, 0, Buffer.alloc(0)))
    this.#send()
  }
}

/** A message with its length, as gRPC sends it. */
function prefixed(message) {
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** Hands on all messages that are complete; returns the rest. */
function deliver(bytes, onMessage) {
  let rest = bytes
  while (rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1)) {
    const end = 5 + rest.readUInt32BE(1)
    onMessage(rest.subarray(5, end))
    rest = rest.subarray(end)
  }
  return rest.length === 0 ? undefined : rest
}
