/**
 * etcd's load: gRPC over HTTP/2 by hand, with one header block that is encoded once, and answers that are only counted.
 * No package comes near that, so that what is measured is etcd, not a client. It does what its parent says over IPC.
 */
import { connect } from 'node:net'
import { inLanes, isWrite, openLoop, serveCommands } from './lanes.mjs'

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

function headersOf(path) {
  const [methodPost, schemeHttp] = [0x83, 0x86]
  return Buffer.concat([
    Buffer.from([methodPost, schemeHttp]),
    literal(':path', path),
    literal(':authority', '127.0.0.1'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ])
}

const methods = { put: headersOf('/etcdserverpb.KV/Put'), range: headersOf('/etcdserverpb.KV/Range') }

/** One connection. A call is answered by a message; one that fails has none. */
class Connection {
  #socket
  #calls = new Map()
  #lastStream = -1
  #rest = Buffer.alloc(0)
  #window = windowDefault
  #streamWindow = windowDefault
  #received = 0
  #queue = []
  #corked = false

  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(new Connection(socket)))
      socket.once('error', reject)
    })
  }

  constructor(socket) {
    this.#socket = socket
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
      if (!this.#corked) {
        this.#corked = true
        this.#socket.cork()
        setImmediate(() => {
          this.#corked = false
          this.#socket.uncork()
        })
      }
      this.#lastStream += 2
      this.#calls.set(this.#lastStream, next)
      const prefix = Buffer.alloc(5)
      prefix.writeUInt32BE(next.message.length, 1)
      this.#socket.write(frame(types.headers, flags.endHeaders, this.#lastStream, next.method))
      this.#socket.write(frame(types.data, flags.endStream, this.#lastStream, Buffer.concat([prefix, next.message])))
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

/** A field of protobuf that has a length. */
function field(number, bytes) {
  const head = [(number << 3) | 2]
  let length = bytes.length
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128)
  head.push(length)
  return Buffer.concat([Buffer.from(head), bytes])
}

const serializable = Buffer.from([7 << 3, 1])
const keyOf = (turn, keys) => field(1, Buffer.from(`key-${turn % keys}`))

const operations = {
  write: (connection, { keys, bytes }) => {
    const value = field(2, Buffer.alloc(bytes))
    return (turn) => connection(turn).call(methods.put, Buffer.concat([keyOf(turn, keys), value]))
  },
  read: (connection, { keys }) => {
    return (turn) => connection(turn).call(methods.range, Buffer.concat([keyOf(turn, keys), serializable]))
  },
  'linearizable read': (connection, { keys }) => {
    return (turn) => connection(turn).call(methods.range, keyOf(turn, keys))
  },
  mixed: (connection, load) => {
    const read = operations.read(connection, load)
    const write = operations.write(connection, load)
    return (turn) => (isWrite(turn, load.readShare) ? write(turn) : read(turn))
  },
}

let connections = []
let writing

serveCommands({
  async connect({ ports }) {
    for (const connection of connections) connection.close()
    connections = await Promise.all(ports.map((port) => Connection.open(port)))
  },

  async prepare({ keys, bytes }) {
    const put = operations.write(() => connections[0], { keys, bytes })
    for (let first = 0; first < keys; first += 100) {
      await Promise.all(Array.from({ length: Math.min(100, keys - first) }, (_, index) => put(first + index)))
    }
  },

  run({ load, seconds }) {
    return inLanes(
      load.outstanding,
      seconds,
      operations[load.operation]((turn) => connections[turn % connections.length], load),
    )
  },

  /** Each operation goes to the first connection that is open; a closed one is opened anew, as clients do. */
  beginWriting({ everyMs, ports }) {
    const connection = () => connections.find(({ isOpen }) => isOpen) ?? connections[0]
    const put = operations.write(connection, { keys: 1, bytes: 8 })
    const reopening = new Set()
    const reopen = (index) => {
      if (connections[index].isOpen || reopening.has(index)) return
      reopening.add(index)
      Connection.open(ports[index])
        .then((opened) => {
          connections[index] = opened
        })
        .catch(() => {})
        .finally(() => reopening.delete(index))
    }
    writing = openLoop(everyMs, () => {
      for (const index of connections.keys()) reopen(index)
      return put(0)
    })
  },

  endWriting: () => writing.end().acknowledgedAt,
})
