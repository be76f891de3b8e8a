/** Loads of recipes, for worker.mjs. */
import { inLanes } from './lanes.mjs'

const readsPerSlice = 100_000

/** @param {() => import('../../dist/lib/index.js').Coord<unknown>} coordOf */
export const recipeCommands = (coordOf) => ({
  /** Synchronous reads of a cache, in slices that let the member breathe. */
  async readCache({ seconds }) {
    const cache = await coordOf().cache('/cached', { default: 0 })
    await cache.set(1)
    const end = performance.now() + seconds * 1000
    let count = 0
    let sum = 0
    let spent = 0
    while (performance.now() < end) {
      const began = performance.now()
      for (let turn = 0; turn < readsPerSlice; turn++) sum += cache.value
      spent += performance.now() - began
      count += readsPerSlice
      await new Promise((resolve) => setImmediate(resolve))
    }
    await cache.close()
    return { count, failed: 0, seconds: spent / 1000, latenciesMs: [], sum }
  },

  useQueue({ path, pairs, seconds }) {
    const queue = coordOf().queue(path)
    return inLanes(pairs, seconds, async (turn) => {
      await queue.put(turn)
      const item = await queue.take()
      await item.done()
    })
  },

  /** So many contenders for one lock. */
  useLock({ path, contenders, seconds }) {
    return inLanes(contenders, seconds, async () => {
      const lock = await coordOf().lock(path)
      await lock.release()
    })
  },

  /** Two candidates in one process hand an office to and fro. */
  async handOver({ path, times }) {
    const latenciesMs = []
    const waiting = []
    const onElected = () => waiting.shift()?.()
    const isElected = () => new Promise((resolve) => waiting.push(resolve))
    const first = isElected()
    const candidates = [coordOf().elect(path, { onElected }), coordOf().elect(path, { onElected })]
    await first
    const start = performance.now()
    for (let time = 0; time < times; time++) {
      const next = isElected()
      const began = performance.now()
      await candidates.find(({ isLeader }) => isLeader)?.resign()
      await next
      latenciesMs.push(performance.now() - began)
    }
    const seconds = (performance.now() - start) / 1000
    await Promise.all(candidates.map((candidate) => candidate.close()))
    return { count: times, failed: 0, seconds, latenciesMs }
  },
})
