/**
 * Clients that others wrote, which know nothing of us, against three members with a gateway each: kazoo, zkCli.sh,
 * Curator, and two of npm's. Each program checks what it sees, kills the member that it is connected to, and goes on.
 */
import assert from 'node:assert/strict'
import { execFile, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { serveZooKeeper } from '../../adapters/zookeeper/index.ts'
import { joinEnsemble } from '../../lib/index.ts'
import { GatewayFleet } from './fleet.ts'

const run = promisify(execFile)

/** Says what to install where a program is missing. */
function need(command: string, args: readonly string[], packages: string): void {
  const { status } = spawnSync(command, args)
  if (status !== 0) throw new Error(`this test needs: apt-get install -y ${packages}`)
}

/** Runs a program against a fleet of its own; its output, which must end with `done`. */
async function perform(command: string, args: readonly string[]): Promise<string> {
  await using fleet = await GatewayFleet.start()
  const options = { timeout: 240_000, killSignal: 'SIGKILL' as const }
  const { stdout } = await run(command, [...args, fleet.connectString, fleet.pids], options)
  assert.match(stdout, /^done$/m)
  return stdout
}

describe("ZooKeeper's clients of others", function () {
  this.timeout(300_000)

  it('kazoo', async () => {
    need('/usr/bin/python3', ['-c', 'import kazoo'], 'python3-kazoo')
    await perform('/usr/bin/python3', ['test/clients/kazoo-client.py'])
  })

  it('kazoo, whose locks and ours exclude each other', async () => {
    need('/usr/bin/python3', ['-c', 'import kazoo'], 'python3-kazoo')
    await using coord = await joinEnsemble({ valueEncoding: 'utf8' })
    const gateway = await serveZooKeeper(coord, { port: 0 })
    await coord.create('/sum', '0')
    const rounds = 30
    const theirs = run('/usr/bin/python3', ['test/clients/kazoo-lock.py', `127.0.0.1:${gateway.port}`, `${rounds}`])
    for (let round = 0; round < rounds; round += 1) {
      const lock = await coord.lock('/lock')
      const { data } = await coord.getData('/sum')
      await sleep(5)
      await coord.setData('/sum', `${Number(data) + 1}`)
      await lock.release()
    }
    await theirs
    assert.equal((await coord.getData('/sum')).data, `${2 * rounds}`)
  })

  it('Curator', async () => {
    const jars = ['curator-recipes', 'curator-framework', 'curator-client', 'zookeeper', 'guava', 'slf4j-api']
    const classPath = jars.map((jar) => `/usr/share/java/${jar}.jar`).join(':')
    const packages = 'default-jdk-headless libcurator-recipes-java libzookeeper-java'
    need('javac', ['-version'], packages)
    if (!existsSync('/usr/share/java/curator-recipes.jar'))
      throw new Error(`this test needs: apt-get install -y ${packages}`)
    await perform('java', ['-cp', classPath, 'test/clients/CuratorClient.java'])
  })

  it('zkCli.sh', async () => {
    const cli = '/usr/share/zookeeper/bin/zkCli.sh'
    if (!existsSync(cli)) throw new Error('this test needs: apt-get install -y zookeeper')
    await using fleet = await GatewayFleet.start()
    const { stdout, stderr } = spawnSync(cli, ['-server', fleet.connectString], {
      input: readFileSync('test/clients/zkcli.txt'),
      encoding: 'utf8',
      timeout: 240_000,
      killSignal: 'SIGKILL',
    })
    // Results go to one stream, what it did and could not do to the other.
    const found = (text: string): void => assert.ok(`${stdout}\n${stderr}`.includes(text), text)
    for (const path of ['/cli', '/cli/ephemeral', '/cli/seq-0000000002', '/cli/seq-0000000003', '/cli/eseq-0000000004'])
      found(`Created ${path}\n`)
    found('[child, container, ephemeral, eseq-0000000004, seq-0000000002, seq-0000000003, ttl]')
    found('[/cli/ephemeral, /cli/eseq-0000000004]')
    found('version No is not valid : /cli')
    found("'digest,'bob:fyVmFCwVbTJYrznoSu1koqYEYF0=\n: cdrwa")
    found('Insufficient permission : /cli/child')
    found('Sync is OK')
    found('ip: 127.0.0.1')
    found('digest: bob')
    assert.match(stdout, /^server\.\d+=127\.0\.0\.1:\d+:\d+:participant/m)
    found('type:PersistentWatchRemoved path:/cli')
    found('Output quota for /cli/container count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3')
    found('Quota has exceeded : /cli/container/c')
    found('Node not empty: /cli')
    assert.match(stdout, /^\[zookeeper\]$/m)
  })

  describe("npm's", () => {
    let folder: string

    before(function () {
      this.timeout(600_000)
      folder = mkdtempSync(join(tmpdir(), 'zookeeper-clients-'))
      writeFileSync(join(folder, 'package.json'), '{"private":true}')
      // `zookeeper` compiles ZooKeeper's C client.
      const packages = ['node-zookeeper-client@1.1.3', 'zookeeper@7.3.0']
      const { status, stderr } = spawnSync('npm', ['install', '--no-fund', '--no-audit', ...packages], {
        cwd: folder,
        encoding: 'utf8',
      })
      if (status !== 0)
        throw new Error(`npm install in ${folder} (a C++ compiler, make and cmake are needed): ${stderr}`)
    })

    after(() => rmSync(folder, { recursive: true, force: true }))

    for (const program of ['pure-client.mjs', 'native-client.cjs']) {
      it(program === 'pure-client.mjs' ? 'node-zookeeper-client' : 'zookeeper', async () => {
        copyFileSync(`test/clients/${program}`, join(folder, program))
        await perform(process.execPath, [join(folder, program)])
      })
    }
  })
})
