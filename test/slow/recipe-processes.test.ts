/** A lock between real processes, while one of them is stopped with it and another one blocks its event loop with it. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../free-ports.ts'
import type { Contending, Term } from '../process/contender.ts'

const script = fileURLToPath(new URL('../process/contender.ts', import.meta.url))
const sessionTimeoutMs = 4000
const names = Array.from({ length: 8 }, (_, index) => `contender-${index}`)

describe('eight processes that contend for a lock', () => {
  it('hold it one at a time while one is stopped and one hangs, with tokens that grow', async () => {
    const ports = await freePorts(names.length)
    const peers = ports.slice(0, 3).map((port) => `ws://127.0.0.1:${port}`)
    const terms: Term[] = []
    const failures: string[] = []
    let staying = false
    const children = names.map((name, index): ChildProcess => {
      const child = fork(script, { execArgv: ['--import', 'tsx'] })
      child.on('message', (message: { term?: Term; failed?: string; staying?: string }) => {
        if (message.term !== undefined) terms.push(message.term)
        if (message.failed !== undefined) failures.push(message.failed)
        if (message.staying !== undefined) staying = true
      })
      child.on('exit', (code) => {
        if (code !== null) failures.push(`${name} ended with ${code}`)
      })
      const trouble = index === 6 ? { stay: true } : index === 7 ? { blockMs: 5000 } : {}
      child.send({ name, port: ports[index] as number, peers, sessionTimeoutMs, ...trouble } satisfies Contending)
      return child
    })
    const [stopped, hung] = names.slice(6) as [string, string]
    const until = async (isTrue: () => boolean): Promise<void> => {
      while (!isTrue()) {
        assert.deepEqual(failures, [])
        await sleep(20)
      }
    }
    try {
      await until(() => staying)
      children[6]?.kill('SIGSTOP')
      const before = terms.length
      await until(() => terms.slice(before).filter(({ name }) => name !== stopped).length >= 8)
      children[6]?.kill('SIGCONT')
      const third = (of: string): Term | undefined => terms.find(({ name, third }) => third && name === of)
      await until(() => third(stopped) !== undefined && third(hung) !== undefined)
      await until(() => names.every((name) => terms.filter((term) => term.name === name).length >= 4))
      assert.equal(third(stopped)?.lost, true)
      assert.equal(third(hung)?.lost, true)
    } finally {
      const exits = children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
      for (const child of children) child.kill('SIGKILL')
      await Promise.all(exits)
    }
    terms.sort((one, other) => one.from - other.from)
    for (const [index, term] of terms.entries()) {
      const last = terms[index - 1]
      if (last === undefined) continue
      assert.ok(last.heldAt <= term.from, `${last.name} and ${term.name} held it at once`)
      assert.ok(BigInt(last.token) < BigInt(term.token), `the token of ${term.name} is not larger`)
    }
    console.log(`      ${terms.length} terms`)
  })
})
