/**
 * One of three processes of the bare replication loop: append, acknowledge, commit, apply to a Map, resolve the caller. No
 * sessions, checks, stats, watches, elections or snapshots, and a log that is written round and round. What is left is
 * what replication over WebSocket cannot do without in Node: the wall that an engine approaches from below.
 *
 * An entry is a length, its origin, a number there, a key and a value; whoever asks encodes it, and nobody does again. All
 * entries of a turn travel in one frame; while one batch is synced, the next one gathers.
 */
import { open } from 'node:fs/promises'
import { WebSocket, WebSocketServer } from 'ws'
import { inLanes, serveCommands } from '../contenders/lanes.mjs'

const kinds = { request: 1, batch: 2, ack: 3, commit: 4 }
const entryHeadBytes = 10
const logBytes = 64 * 2 ** 20

let me
let size
let log
const links = []
const tree = new Map()
const callers = new Map()
let lastCall = 0

/** Batches that are not committed, in order: [number, bytes]. */
const uncommitted = []
let outgoing = []
let isFlushPlanned = false
let lastBatch = 0
let lastAppended = 0
let committed = 0
let announced = 0
let synced = 0
const acked = new Map()
let toSync = []
let isSyncing = false
let logAt = 0

const isLeader = () => me === 0

function encode(key, value) {
  const bytes = Buffer.allocUnsafe(entryHeadBytes + key.length + value.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes[4] = me
  bytes.writeUInt32LE(lastCall, 5)
  bytes[9] = key.length
  bytes.latin1Write(key, entryHeadBytes)
  bytes.set(value, entryHeadBytes + key.length)
  return bytes
}

function write(key, value) {
  lastCall = (lastCall + 1) >>> 0
  const id = lastCall
  outgoing.push(encode(key, value))
  planFlush()
  return new Promise((resolve) => callers.set(id, resolve))
}

function planFlush() {
  if (isFlushPlanned) return
  isFlushPlanned = true
  setImmediate(() => {
    isFlushPlanned = false
    flush()
  })
}

function head(kind, one, other) {
  const bytes = Buffer.allocUnsafe(9)
  bytes[0] = kind
  bytes.writeUInt32LE(one, 1)
  bytes.writeUInt32LE(other, 5)
  return bytes
}

function flush() {
  if (!isLeader()) {
    if (outgoing.length > 0) links[0].send(Buffer.concat([head(kinds.request, 0, 0), ...outgoing]))
    outgoing = []
    return
  }
  if (outgoing.length > 0 && !isSyncing) {
    lastBatch += 1
    const frame = Buffer.concat([head(kinds.batch, lastBatch, committed), ...outgoing])
    outgoing = []
    toAll(frame)
    append(lastBatch, frame.subarray(9))
  } else if (announced < committed) toAll(head(kinds.commit, 0, committed))
}

function toAll(frame) {
  announced = committed
  for (const link of links) link?.send(frame)
}

function append(number, bytes) {
  lastAppended = number
  uncommitted.push([number, bytes])
  toSync.push(bytes)
  void sync(number)
}

async function sync(number) {
  if (log === undefined) {
    toSync = []
    onSynced(number)
    return
  }
  if (isSyncing) return
  isSyncing = true
  while (toSync.length > 0) {
    const through = lastAppended
    const bytes = toSync
    toSync = []
    const length = bytes.reduce((sum, one) => sum + one.length, 0)
    if (logAt + length > logBytes) logAt = 0
    await log.writev(bytes, logAt)
    await log.datasync()
    logAt += length
    onSynced(through)
  }
  isSyncing = false
  if (isLeader()) flush()
}

function onSynced(number) {
  synced = number
  if (isLeader()) advance()
  else links[0].send(head(kinds.ack, number, 0))
}

/** As far as a majority has it, this process included. */
function advance() {
  const all = [synced, ...acked.values()].sort((a, b) => b - a)
  const through = all[Math.floor(size / 2)] ?? 0
  if (through <= committed) return
  apply(through)
  planFlush()
}

function apply(through) {
  committed = Math.max(committed, through)
  while (uncommitted.length > 0 && uncommitted[0][0] <= committed) {
    const bytes = uncommitted.shift()[1]
    for (let at = 0; at < bytes.length; ) {
      const end = at + bytes.readUInt32LE(at)
      const keyEnd = at + entryHeadBytes + bytes[at + 9]
      tree.set(bytes.latin1Slice(at + entryHeadBytes, keyEnd), bytes.subarray(keyEnd, end))
      if (bytes[at + 4] === me) {
        const id = bytes.readUInt32LE(at + 5)
        const resolve = callers.get(id)
        callers.delete(id)
        resolve?.()
      }
      at = end
    }
  }
}

function onFrame(from, bytes) {
  const kind = bytes[0]
  if (kind === kinds.request) {
    outgoing.push(bytes.subarray(9))
    planFlush()
  } else if (kind === kinds.ack) {
    acked.set(from, bytes.readUInt32LE(1))
    advance()
  } else {
    if (kind === kinds.batch) append(bytes.readUInt32LE(1), bytes.subarray(9))
    apply(bytes.readUInt32LE(5))
  }
}

serveCommands({
  /** The first process listens, the others dial it. */
  async open(options) {
    me = options.me
    size = options.size
    if (options.file !== undefined) {
      log = await open(options.file, 'w+')
      await log.write(Buffer.alloc(logBytes))
      await log.sync()
    }
    if (isLeader()) {
      const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
      server.on('connection', (link) => {
        const from = links.length
        links.push(link)
        acked.set(from, 0)
        link.on('message', (bytes) => onFrame(from, bytes))
      })
      await new Promise((resolve) => server.once('listening', resolve))
      return server.address().port
    }
    const link = new WebSocket(`ws://127.0.0.1:${options.port}`, { perMessageDeflate: false })
    link.on('message', (bytes) => onFrame(0, bytes))
    links[0] = link
    await new Promise((resolve, reject) => link.once('open', resolve).once('error', reject))
    return options.port
  },

  run({ load, outstanding, seconds }) {
    const value = new Uint8Array(load.bytes)
    return inLanes(outstanding, seconds, (turn) => write(`key-${turn % load.keys}`, value))
  },
})
