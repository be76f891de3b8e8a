import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

describe('examples/fleet', function () {
  // It takes six seconds; a machine that is busy with something else may take its time.
  this.timeout(180_000)

  it('shows every step and exits with 0', async () => {
    const runner = run()
    const output = outputOf(runner)
    const [code] = await once(runner, 'close')
    assert.equal(code, 0, output())
    const steps = [...output().matchAll(/^ *\d+\.\d\d s {2}(?<step>\w+( \w+)?) {2}/gm)].map(
      ({ groups }) => groups?.['step'],
    )
    assert.deepEqual(
      steps,
      ['start', 'found', 'elect', 'discover', 'order', 'configure', 'kill', 'fail over', 'verify', 'restart', 'stop'],
      output(),
    )
    assert.match(output(), /verify +(?<counted>\d+) orders were acknowledged and \k<counted> are counted/)
    assert.match(output(), /All of this was observed from outside/)
  })

  for (const [signal, expected] of [
    ['SIGTERM', 143],
    ['SIGKILL', null],
  ] as const) {
    it(`leaves no process behind when it is ended by ${signal}`, async () => {
      const runner = run()
      const output = outputOf(runner)
      const urls = await discovered(runner, output)
      assert.equal(urls.length, 3, output())
      runner.kill(signal)
      const [code] = await once(runner, 'exit')
      assert.equal(code, expected, output())
      for (const url of urls) await unreachable(url)
    })
  }
})

function run(): ChildProcessWithoutNullStreams {
  return spawn(process.execPath, ['--import', 'tsx', 'examples/fleet/run.ts'])
}

/** What it has written so far. */
function outputOf({ stdout, stderr }: ChildProcessWithoutNullStreams): () => string {
  let text = ''
  for (const stream of [stdout, stderr]) stream.setEncoding('utf8').on('data', (part: string) => (text += part))
  return () => text
}

/** Where the processes of the fleet are, once they are there. */
async function discovered(runner: ChildProcessWithoutNullStreams, output: () => string): Promise<string[]> {
  while (!/discover.*\n/.test(output())) {
    assert.equal(runner.exitCode, null, output())
    await delay(20)
  }
  return output().match(/http:\/\/[\d.:]+/g) ?? []
}

/** Resolves once nobody answers there. */
async function unreachable(url: string): Promise<void> {
  for (;;) {
    try {
      await (await fetch(`${url}/status`)).arrayBuffer()
      await delay(20)
    } catch {
      return
    }
  }
}
