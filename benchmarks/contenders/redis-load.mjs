/** Redis' load: its protocol by hand, all commands of a turn in one write. It does what its parent says over IPC. */
import { inLanes, isWrite, serveCommands } from './lanes.mjs'
import { dial, inOneWrite } from './local-socket.mjs'

const connectionCount = 3
const end = '\r\n'

/** One connection: answers come in the order of the commands. */
class Connection {
  #write
  #waiting = []
  #rest = Buffer.alloc(0)

  static async open(port) {
    return new Connection(await dial(port))
  }

  constructor(socket) {
    this.#write = inOneWrite(socket)
    socket.on('data', (chunk) => this.#take(chunk))
  }

  call(command) {
    this.#write(command)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #take(chunk) {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    for (;;) {
      const lineEnd = bytes.indexOf(end)
      if (lineEnd < 0) break
      const head = bytes.latin1Slice(0, lineEnd)
      let size = lineEnd + end.length
      // Data has a length, which is negative where there is none.
      const length = head[0] === '$' ? Number(head.slice(1)) : -1
      if (length >= 0) size += length + end.length
      if (bytes.length < size) break
      const { resolve, reject } = this.#waiting.shift()
      if (head[0] === '-') reject(new Error(head))
      else resolve(bytes.subarray(lineEnd + end.length, lineEnd + end.length + Math.max(0, length)))
      bytes = bytes.subarray(size)
    }
    this.#rest = bytes
  }
}

const part = (value) => `$${value.length}${end}${value}${end}`
const keyOf = (turn, keys) => part(`key-${turn % keys}`)

const operations = {
  write: ({ keys, bytes }) => {
    const value = Buffer.concat([Buffer.from(`$${bytes}${end}`), Buffer.alloc(bytes), Buffer.from(end)])
    return (turn) => Buffer.concat([Buffer.from(`*3${end}${part('SET')}${keyOf(turn, keys)}`), value])
  },
  read: ({ keys }) => {
    return (turn) => `*2${end}${part('GET')}${keyOf(turn, keys)}`
  },
  mixed: (load) => {
    const [read, write] = [operations.read(load), operations.write(load)]
    return (turn) => (isWrite(turn, load.readShare) ? write(turn) : read(turn))
  },
}

let connections = []

serveCommands({
  async connect({ port }) {
    connections = await Promise.all(Array.from({ length: connectionCount }, () => Connection.open(port)))
  },

  async prepare({ keys, bytes }) {
    const write = operations.write({ keys, bytes })
    await Promise.all(Array.from({ length: keys }, (_, turn) => connections[0].call(write(turn))))
  },

  run({ load, seconds }) {
    const command = operations[load.operation](load)
    return inLanes(load.outstanding, seconds, (turn) => connections[turn % connections.length].call(command(turn)))
  },
})
