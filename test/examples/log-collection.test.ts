import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'

describe('examples/log-collection', function () {
  // It takes ten seconds; a machine that is busy with something else may take its time.
  this.timeout(240_000)

  it('shows every step and exits with 0', async () => {
    const runner = spawn(process.execPath, ['--import', 'tsx', 'examples/log-collection/run.ts'])
    let output = ''
    for (const stream of [runner.stdout, runner.stderr])
      stream.setEncoding('utf8').on('data', (text) => (output += text))
    const [code] = await once(runner, 'close')
    assert.equal(code, 0, output)
    const steps = [...output.matchAll(/^ *\d+\.\d\d s {2}(?<step>\w+) /gm)].map(({ groups }) => groups?.['step'])
    assert.deepEqual(steps, ['submit', 'assign', 'collect', 'kill', 'join', 'verify', 'stop'], output)
    assert.match(output, /verify +(?<count>\d+) lines were written and \k<count> collected/)
  })
})
