/**
 * etcd's load: gRPC over HTTP/2 by hand (etcd-connection.mjs), and answers that are only counted. No package comes near
 * that, so that what is measured is etcd, not a client. It does what its parent says over IPC.
 */
import { Connection, headersOf } from './etcd-connection.mjs'
import { lockCommands } from './etcd-locks.mjs'
import { inLanes, isWrite, openLoop, serveCommands } from './lanes.mjs'
import { field } from './protobuf.mjs'

const methods = { put: headersOf('/etcdserverpb.KV/Put'), range: headersOf('/etcdserverpb.KV/Range') }

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
  ...lockCommands(() => connections),

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
