/** The load of a Node process: so many operations under way at a time, timed. */

/** Every so many operations of all lanes, the event loop turns: a lane of local reads would never let it. */
const operationsPerTurn = 64
/** Where nothing succeeds, it is not the moment's fault. */
const failuresMax = 10_000
/** Latencies that are kept of one window. */
const samplesMax = 20_000

/**
 * Operations that fail, as when a server changes its leader, are counted apart.
 *
 * @param {number} outstanding
 * @param {number} seconds
 * @param {(turn: number) => unknown} operation `turn` counts from 0, across the lanes
 */
export async function inLanes(outstanding, seconds, operation) {
  const began = performance.now()
  const end = began + seconds * 1000
  const latenciesMs = []
  let turns = 0
  let count = 0
  let failed = 0
  const lane = async () => {
    let before = performance.now()
    while (before < end) {
      try {
        await operation(turns++)
      } catch (error) {
        failed += 1
        if (count === 0 && failed > failuresMax) throw error
        await new Promise((resolve) => setImmediate(resolve))
        before = performance.now()
        continue
      }
      const after = performance.now()
      // Of more than fit, later ones take the place of earlier ones.
      latenciesMs[count++ % samplesMax] = after - before
      before = after
      if (count % operationsPerTurn === 0) {
        await new Promise((resolve) => setImmediate(resolve))
        before = performance.now()
      }
    }
  }
  await Promise.all(Array.from({ length: outstanding }, lane))
  return { count, failed, seconds: (performance.now() - began) / 1000, latenciesMs }
}

/** Whether the operation of this turn is a write, if this share of all are reads: evenly spread. */
export function isWrite(turn, readShare) {
  const writeShare = 1 - readShare
  return Math.floor((turn + 1) * writeShare) > Math.floor(turn * writeShare)
}

/**
 * An open loop: an operation every few milliseconds, or some at once, whatever became of those before. When each was
 * acknowledged, milliseconds of a clock that all processes share, and how long it took.
 */
export function openLoop(everyMs, operation, atOnce = 1) {
  const acknowledgedAt = []
  const latenciesMs = []
  const perform = async () => {
    const began = sharedClockMs()
    try {
      await operation()
    } catch {
      return
    }
    const now = sharedClockMs()
    acknowledgedAt.push(now)
    latenciesMs.push(now - began)
  }
  const timer = setInterval(() => {
    for (let turn = 0; turn < atOnce; turn++) void perform()
  }, everyMs)
  return {
    end() {
      clearInterval(timer)
      return { acknowledgedAt, latenciesMs }
    },
  }
}

/** Monotonic, and the same for all processes of the machine. */
export const sharedClockMs = () => Number(process.hrtime.bigint() / 1000n) / 1000

/** Serves commands over IPC: { id, command, ... } in, { id, result | error } out. */
export function serveCommands(commands) {
  process.on('disconnect', () => process.exit())
  const perform = async ({ id, command, ...rest }) => {
    try {
      process.send({ id, result: await commands[command](rest) })
    } catch (error) {
      process.send({ id, error: error?.stack ?? String(error) })
    }
  }
  process.on('message', (message) => void perform(message))
}
