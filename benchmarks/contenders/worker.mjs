/**
 * One process of embedded-coord: the application, its load, and its member. It runs the built library, as users do, and
 * does what its parent says over IPC.
 */
import { subscribe } from 'node:diagnostics_channel'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { joinEnsemble } from '../../dist/lib/index.js'
import { inLanes, isWrite, openLoop, serveCommands, sharedClockMs } from './lanes.mjs'
import { recipeCommands } from './recipe-commands.mjs'

let coord
let writing
let delay
let watching
const checkpoints = { begun: 0, underWay: undefined }
/** Whose writes a load makes, in turn. */
let clients

const childrenPerParent = 1000
const fillOutstanding = 2000
const sessionsAtOnce = 200

const operations = {
  write: (data, { keys }) => {
    return (turn) => clients[turn % clients.length].setData(`/key-${turn % keys}`, data)
  },
  read: (_, { keys }) => {
    return (turn) => coord.getData(`/key-${turn % keys}`)
  },
  'linearizable read': (_, { keys }) => {
    const options = { consistency: 'linearizable' }
    return (turn) => coord.getData(`/key-${turn % keys}`, options)
  },
  mixed: (data, load) => {
    const read = operations.read(data, load)
    const write = operations.write(data, load)
    return (turn) => (isWrite(turn, load.readShare) ? write(turn) : read(turn))
  },
  ephemeral: (data) => {
    const options = { mode: 'ephemeral-sequential' }
    return async () => coord.delete(await coord.create('/queue/item-', data, options))
  },
}

serveCommands({
  ...recipeCommands(() => coord),

  async join({ options, folder, store, level }) {
    let storage
    if (folder !== undefined && store === 'file') {
      const { FileStorage } = await import('../../dist/adapters/storage-file/index.js')
      storage = new FileStorage(folder)
    } else if (folder !== undefined) {
      const { ClassicLevel } = await import('classic-level')
      storage = new ClassicLevel(folder, level)
    }
    coord = await joinEnsemble({ ...options, storage })
    clients = [coord]
  },

  role: () => coord.member.role,

  async prepare({ keys, bytes }) {
    const data = new Uint8Array(bytes)
    await coord.create('/queue').catch(ignoreExisting)
    for (let first = 0; first < keys; first += 1000) {
      const some = Array.from({ length: Math.min(1000, keys - first) }, (_, index) => `/key-${first + index}`)
      await Promise.all(some.map((path) => coord.create(path, data).catch(ignoreExisting)))
    }
  },

  /** Until what another process has prepared is here, too. */
  sync: () => coord.sync(),

  async run({ load, outstanding, seconds }) {
    const operation = operations[load.operation](new Uint8Array(load.bytes), load)
    const sample = await inLanes(outstanding, seconds, operation)
    return load.operation === 'ephemeral' ? { ...sample, count: sample.count * 2 } : sample
  },

  /** From now on writes come from so many sessions. */
  async openSessions({ count }) {
    clients = []
    while (clients.length < count) {
      const some = Array.from({ length: Math.min(sessionsAtOnce, count - clients.length) }, () => coord.openSession())
      clients.push(...(await Promise.all(some)))
    }
  },

  /** Nodes by their number, a thousand below each parent. */
  async fill({ first, count, bytes }) {
    const data = new Uint8Array(bytes)
    await coord.create('/tree').catch(ignoreExisting)
    const end = first + count
    for (let parent = Math.floor(first / childrenPerParent); parent * childrenPerParent < end; parent++) {
      await coord.create(`/tree/${parent}`).catch(ignoreExisting)
    }
    let next = first
    const lane = async () => {
      while (next < end) {
        const number = next++
        await coord.create(`/tree/${Math.floor(number / childrenPerParent)}/child-${number}`, data)
      }
    }
    await Promise.all(Array.from({ length: fillOutstanding }, lane))
  },

  /** What `fill` created is written again, from the first one on, until this member begins a checkpoint. */
  async writeUntilCheckpoint({ count, bytes }) {
    const data = new Uint8Array(bytes)
    const { begun } = checkpoints
    let next = 0
    const lane = async () => {
      while (checkpoints.begun === begun) {
        const number = next++ % count
        await coord.setData(`/tree/${Math.floor(number / childrenPerParent)}/child-${number}`, data)
      }
    }
    await Promise.all(Array.from({ length: fillOutstanding }, lane))
  },

  /** No checkpoint is being made. */
  checkpointed: () => checkpoints.underWay?.ended,

  async beginWriting({ everyMs, bytes = 8, atOnce = 1 }) {
    await coord.create('/open-loop').catch(ignoreExisting)
    const data = new Uint8Array(bytes)
    writing = openLoop(everyMs, () => coord.setData('/open-loop', data), atOnce)
  },

  endWriting: () => writing.end().acknowledgedAt,

  /** How long those took that were acknowledged, ms. */
  endWritingLatencies: () => writing.end().latenciesMs,

  /** So many sessions, and so many one-shot watchers of one node over all of them. How long arming took, ms. */
  async armWatches({ sessions, watchers }) {
    watching ??= []
    while (watching.length < sessions) watching.push(await coord.openSession())
    await coord.create('/watched', new Uint8Array(8)).catch(ignoreExisting)
    await coord.sync()
    const began = performance.now()
    let left = watchers
    let resolve
    const told = new Promise((done) => {
      resolve = done
    })
    const tell = () => {
      left -= 1
      if (left === 0) resolve(sharedClockMs())
    }
    // Listeners are told apart by identity: each has its own.
    const all = Array.from({ length: watchers }, (_, index) => watching[index % sessions])
    await Promise.all(all.map((session) => session.getData('/watched', { watch: () => tell() })))
    watching.told = told
    return performance.now() - began
  },

  /** When the change was begun, ms of the shared clock. */
  async changeWatched() {
    const began = sharedClockMs()
    await coord.setData('/watched', new Uint8Array(8))
    return began
  },

  lastTold: () => watching.told,

  written: () => coord.member.written,

  async serveZooKeeper({ port }) {
    const { serveZooKeeper } = await import('../../dist/adapters/zookeeper/index.js')
    await serveZooKeeper(coord, { port, connectionsPerAddressMax: 10_000 })
  },

  beginDelay() {
    delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
  },

  /** Of the event loop, beyond the millisecond that it is looked at, ms. */
  endDelay() {
    delay.disable()
    const beyond = (ns) => Math.max(0, ns / 1e6 - 1)
    return { p50: beyond(delay.percentile(50)), p99: beyond(delay.percentile(99)), max: beyond(delay.max) }
  },

  collect: () => globalThis.gc?.(),

  /** After a collection, where Node was started with one. Bytes. */
  memory() {
    // What the first one found to be free is given back beside it: the second one waits for that.
    globalThis.gc?.()
    globalThis.gc?.()
    return process.memoryUsage()
  },

  async close() {
    await coord?.close({ timeoutMs: 500 })
  },
})

subscribe('embedded-coord:storage', ({ type }) => {
  if (type !== 'checkpoint' && type !== 'checkpointed') return
  checkpoints.underWay?.end()
  checkpoints.underWay = undefined
  if (type === 'checkpointed') return
  checkpoints.begun += 1
  let end
  const ended = new Promise((resolve) => {
    end = resolve
  })
  checkpoints.underWay = { end, ended }
})

function ignoreExisting(error) {
  if (error.code !== 'COORD_NODE_EXISTS') throw error
}
