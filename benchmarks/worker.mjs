/**
 * One process of a benchmark: the application, its load, and its member. It runs the built library, as users do, and
 * does what its parent says over the IPC channel: { command, ... } in, { done, ... } out.
 */
import { joinEnsemble } from '../dist/lib/index.js'

let coord
let writing

/** @type {Record<string, (message: any) => Promise<object>>} */
const commands = {
  async join({ options }) {
    coord = await joinEnsemble(options)
    return { role: coord.member.role }
  },

  async role() {
    return { role: coord.member.role }
  },

  async prepare({ keys, bytes }) {
    const data = new Uint8Array(bytes)
    await Promise.all(Array.from({ length: keys }, (_, key) => coord.create(`/key-${key}`, data)))
    return {}
  },

  /** Until what another process has prepared is here, too. */
  async sync() {
    await coord.sync()
    return {}
  },

  async write({ keys, bytes, outstanding, seconds }) {
    const data = new Uint8Array(bytes)
    return load(outstanding, seconds, (turn) => coord.setData(`/key-${turn % keys}`, data))
  },

  async read({ keys, outstanding, seconds, consistency }) {
    return load(outstanding, seconds, (turn) => coord.getData(`/key-${turn % keys}`, { consistency }))
  },

  /** Open loop: a write every few milliseconds, whatever became of those before. Tells when each was acknowledged. */
  async beginWriting({ everyMs }) {
    await coord.create('/open-loop', new Uint8Array(8))
    const acknowledged = []
    const timer = setInterval(() => {
      coord.setData('/open-loop', new Uint8Array(8)).then(
        () => acknowledged.push(Date.now()),
        () => {},
      )
    }, everyMs)
    writing = { timer, acknowledged }
    return {}
  },

  async endWriting() {
    clearInterval(writing.timer)
    return { acknowledged: writing.acknowledged }
  },

  /** Synchronous reads of a cache, in slices that let the member breathe. */
  async readCache({ seconds }) {
    const cache = await coord.cache('/cached', { default: 0 })
    await cache.set(1)
    const end = performance.now() + seconds * 1000
    let count = 0
    let sum = 0
    let spent = 0
    while (performance.now() < end) {
      const began = performance.now()
      for (let turn = 0; turn < 100_000; turn++) sum += cache.value
      spent += performance.now() - began
      count += 100_000
      await new Promise((resolve) => setImmediate(resolve))
    }
    await cache.close()
    return { perSecond: (count / spent) * 1000, sum }
  },

  async useQueue({ path, pairs, seconds }) {
    const queue = coord.queue(path)
    return load(pairs, seconds, async (turn) => {
      await queue.put(turn)
      const item = await queue.take()
      await item.done()
    })
  },

  /** So many contenders for one lock, or each for a lock of its own. */
  async useLock({ path, contenders, seconds }) {
    return load(contenders, seconds, async () => {
      const lock = await coord.lock(path)
      await lock.release()
    })
  },

  /** Two candidates in one process hand an office to and fro. */
  async handOver({ path, times }) {
    const elected = []
    const waiting = []
    const onElected = () => waiting.shift()?.()
    const isElected = () => new Promise((resolve) => waiting.push(resolve))
    const first = isElected()
    const candidates = [coord.elect(path, { onElected }), coord.elect(path, { onElected })]
    await first
    for (let time = 0; time < times; time++) {
      const next = isElected()
      const began = performance.now()
      await candidates.find(({ isLeader }) => isLeader)?.resign()
      await next
      elected.push(performance.now() - began)
    }
    await Promise.all(candidates.map((candidate) => candidate.close()))
    return { latencies: elected }
  },

  async close() {
    await coord?.close({ timeoutMs: 500 })
    return {}
  },
}

/** Keeps `outstanding` operations under way for a while, and times every 16th. */
async function load(outstanding, seconds, operation) {
  const cpuBefore = process.cpuUsage()
  const end = performance.now() + seconds * 1000
  const latencies = []
  let count = 0
  const lane = async (turn) => {
    for (let next = turn; performance.now() < end; next += outstanding) {
      const began = performance.now()
      await operation(next)
      count += 1
      if (count % 16 === 0 || count < 16) latencies.push(performance.now() - began)
    }
  }
  await Promise.all(Array.from({ length: outstanding }, (_, turn) => lane(turn)))
  const { user, system } = process.cpuUsage(cpuBefore)
  return { count, latencies, cpuSeconds: (user + system) / 1e6, residentBytes: process.memoryUsage().rss }
}

process.on('message', async ({ command, ...rest }) => {
  try {
    process.send({ done: command, ...(await commands[command](rest)) })
  } catch (error) {
    process.send({ done: command, error: String(error) })
  }
  if (command === 'close') process.disconnect()
})
