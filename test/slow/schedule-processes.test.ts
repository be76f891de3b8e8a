/** A schedule on real processes, whose leader is killed again and again around the times of firings. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../free-ports.ts'
import type { Began, Scheduling } from '../process/scheduling.ts'

const script = fileURLToPath(new URL('../process/scheduling.ts', import.meta.url))
const firings = Number(process.env['FIRINGS'] ?? 1000)
const everyMs = 25
const names = ['scheduler-0', 'scheduler-1', 'scheduler-2']

describe('three processes that schedule a job', () => {
  it('begin each firing at most once, and leave few out, while the leader is killed around firing times', async () => {
    const ports = await freePorts(names.length)
    const peers = ports.map((port) => `ws://127.0.0.1:${port}`)
    const began: Began[] = []
    const failures: string[] = []
    const joined = new Set<string>()
    const start = (index: number): ChildProcess => {
      const name = names[index] as string
      const child = fork(script, { execArgv: ['--import', 'tsx'] })
      child.on('message', (message: { began?: Began; failed?: string; joined?: string }) => {
        if (message.began !== undefined) began.push(message.began)
        if (message.failed !== undefined) failures.push(message.failed)
        if (message.joined !== undefined) joined.add(message.joined)
      })
      const port = ports[index] as number
      child.send({ name, port, peers, everyMs, sessionTimeoutMs: 1000 } satisfies Scheduling)
      return child
    }
    const children = names.map((_, index) => start(index))
    const until = async (isTrue: () => boolean): Promise<void> => {
      while (!isTrue()) {
        assert.deepEqual(failures, [])
        await sleep(5)
      }
    }
    let kills = 0
    try {
      await until(() => joined.size === names.length)
      while (began.length < firings) {
        const enough = began.length + 100
        await until(() => began.length >= Math.min(enough, firings))
        const leader = names.indexOf((began.at(-1) as Began).name)
        // Somewhere between two firings.
        await sleep((kills * 7) % everyMs)
        const child = children[leader] as ChildProcess
        child.kill('SIGKILL')
        await once(child, 'exit')
        kills += 1
        const after = began.length
        await until(() => began.length > after)
        joined.delete(names[leader] as string)
        children[leader] = start(leader)
        await until(() => joined.size === names.length)
      }
    } finally {
      const exits = children
        .filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
        .map((child) => once(child, 'exit'))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(exits)
    }
    const times = began.map(({ scheduledAt }) => scheduledAt).sort((one, other) => one - other)
    assert.equal(new Set(times).size, times.length, 'a firing began twice')
    const byToken = [...began].sort((one, other) => (BigInt(one.token) < BigInt(other.token) ? -1 : 1))
    for (const [index, { scheduledAt }] of byToken.entries()) {
      const last = byToken[index - 1]
      assert.ok(last === undefined || last.scheduledAt < scheduledAt, 'a later token for an earlier firing')
    }
    // All were made up for but those that died with their leader, between the record and the job.
    const wanted = ((times.at(-1) as number) - (times[0] as number)) / everyMs + 1
    assert.ok(
      wanted - times.length <= kills,
      `${wanted - times.length} of ${wanted} were left out, with ${kills} kills`,
    )
    console.log(`      ${times.length} firings, ${kills} leaders killed, ${wanted - times.length} left out`)
  })
})
