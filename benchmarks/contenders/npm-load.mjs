/**
 * The load of npm's clients: what an application in Node would use. They are installed in a folder of their own, which is
 * the first argument. It does what its parent says over IPC.
 */
import { createRequire } from 'node:module'
import { inLanes, isWrite, serveCommands } from './lanes.mjs'

const installed = createRequire(`${process.argv[2]}/package.json`)
const clientsPerServer = 3

let clients = []

/** Its methods have a callback last. */
const settled = (call) =>
  new Promise((resolve, reject) => call((error, result) => (error ? reject(error) : resolve(result))))

/** How each package connects to a server, and the operations of its client. */
const kinds = {
  'node-zookeeper-client': {
    async connect(zookeeper, port) {
      const client = zookeeper.createClient(`127.0.0.1:${port}`, { sessionTimeout: 30_000 })
      const connected = new Promise((resolve) => client.once('connected', resolve))
      client.connect()
      await connected
      const { EPHEMERAL_SEQUENTIAL } = zookeeper.CreateMode
      return {
        write: (path, data) => settled((done) => client.setData(path, data, done)),
        read: (path) => settled((done) => client.getData(path, done)),
        ephemeral: async (data) => {
          const path = await settled((done) => client.create('/queue/item-', data, EPHEMERAL_SEQUENTIAL, done))
          await settled((done) => client.remove(path, done))
        },
      }
    },
  },
  etcd3: {
    async connect({ Etcd3 }, port) {
      const client = new Etcd3({ hosts: `http://127.0.0.1:${port}` })
      // As the other load names them.
      const keyOf = (path) => path.slice(1)
      return {
        write: (path, data) => client.put(keyOf(path)).value(data),
        read: (path) => client.get(keyOf(path)).serializable().buffer(),
        'linearizable read': (path) => client.get(keyOf(path)).buffer(),
      }
    },
  },
}

serveCommands({
  async connect({ kind, ports }) {
    const all = ports.flatMap((port) => Array.from({ length: clientsPerServer }, () => port))
    clients = await Promise.all(all.map((port) => kinds[kind].connect(installed(kind), port)))
  },

  async run({ load, seconds }) {
    const { operation, keys, bytes, readShare, outstanding } = load
    const data = Buffer.alloc(bytes)
    const clientOf = (turn) => clients[turn % clients.length]
    const pathOf = (turn) => `/key-${turn % keys}`
    if (operation === 'ephemeral') {
      const sample = await inLanes(outstanding, seconds, (turn) => clientOf(turn).ephemeral(data))
      return { ...sample, count: sample.count * 2 }
    }
    const nameOf = (turn) => (operation === 'mixed' ? (isWrite(turn, readShare) ? 'write' : 'read') : operation)
    return inLanes(outstanding, seconds, (turn) => clientOf(turn)[nameOf(turn)](pathOf(turn), data))
  },
})
