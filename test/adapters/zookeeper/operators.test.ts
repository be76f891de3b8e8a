import assert from 'node:assert/strict'
import { type FourLetterWord, serveZooKeeper, type ZooKeeperGateway } from '../../../adapters/zookeeper/index.ts'
import { joinEnsemble } from '../../../lib/index.ts'
import { ask } from '../../zookeeper/server.ts'
import { ZkClient } from './zk-client.ts'

const all: readonly FourLetterWord[] = [
  'ruok',
  'srvr',
  'stat',
  'mntr',
  'conf',
  'cons',
  'dump',
  'envi',
  'isro',
  'wchs',
  'wchc',
  'wchp',
  'dirs',
  'crst',
  'srst',
]

async function asked(
  words: readonly FourLetterWord[] | undefined,
  run: (gateway: ZooKeeperGateway, client: ZkClient) => Promise<void>,
): Promise<void> {
  const coord = await joinEnsemble()
  const gateway = await serveZooKeeper(coord, { port: 0, fourLetterWords: words, admin: { port: 0 } })
  const client = await ZkClient.connect(gateway.port)
  try {
    await client.create('/e', 'data', 1)
    await client.expect('getData', { path: '/e', watch: true })
    await run(gateway, client)
  } finally {
    await client.close()
    await gateway.close()
    await coord.close()
  }
}

async function command(gateway: ZooKeeperGateway, name: string, init?: RequestInit): Promise<[number, Facts]> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/commands/${name}`, init)
  return [response.status, (await response.json()) as Facts]
}

type Facts = Readonly<Record<string, unknown>>

describe('four-letter words', () => {
  it('tell how a member stands', async () => {
    await asked(all, async ({ port }, client) => {
      const session = `0x${client.opened.sessionId.toString(16)}`
      assert.equal(await ask(port, 'ruok'), 'imok')
      assert.equal(await ask(port, 'isro'), 'rw')
      assert.match(
        await ask(port, 'srvr'),
        /^Zookeeper version: 3\.8\.0[\s\S]*^Mode: standalone$[\s\S]*^Node count: 5$/m,
      )
      assert.match(await ask(port, 'stat'), /^ \/127\.0\.0\.1:\d+\[1\]\(queued=0,recved=\d+,sent=\d+\)$/m)
      assert.match(
        await ask(port, 'mntr'),
        /^zk_server_state\tstandalone$[\s\S]*^zk_znode_count\t5$[\s\S]*^zk_watch_count\t1$/m,
      )
      assert.match(await ask(port, 'mntr'), /^zk_ephemerals_count\t1$/m)
      assert.match(await ask(port, 'conf'), new RegExp(`^clientPort=${port}$`, 'm'))
      assert.match(await ask(port, 'cons'), new RegExp(`sid=${session},`))
      assert.match(await ask(port, 'dump'), new RegExp(`^${session}:\n\t/e$`, 'm'))
      assert.match(await ask(port, 'envi'), /^zookeeper\.version=3\.8\.0/m)
      assert.equal(await ask(port, 'wchs'), '1 connections watching 1 paths\nTotal watches:1\n')
      assert.equal(await ask(port, 'wchc'), `${session}\n\t/e\n`)
      assert.equal(await ask(port, 'wchp'), `/e\n\t${session}\n`)
      assert.match(await ask(port, 'dirs'), /^datadir_size: \d+$/m)
      assert.equal(await ask(port, 'srst'), 'Server stats reset.\n')
      assert.equal(await ask(port, 'crst'), 'Connection stats reset.\n')
      assert.match(await ask(port, 'stat'), /recved=0,sent=0/)
    })
  })

  it('that tell of sessions or change something must be allowed; what is none ends the connection', async () => {
    await asked(undefined, async ({ port }) => {
      for (const word of ['stat', 'cons', 'dump', 'wchc', 'wchp', 'crst', 'srst']) {
        assert.equal(await ask(port, word), `${word} is not executed because it is not in the whitelist.\n`)
      }
      assert.equal(await ask(port, 'ruok'), 'imok')
      assert.equal(await ask(port, 'gtmk'), '')
    })
  })

  it('are checked when they are allowed', async () => {
    const coord = await joinEnsemble()
    const words = ['boom'] as unknown as FourLetterWord[]
    await assert.rejects(serveZooKeeper(coord, { port: 0, fourLetterWords: words }), TypeError)
    await coord.close()
  })
})

describe('the admin endpoint', () => {
  it("answers ZooKeeper's commands as JSON", async () => {
    await asked(all, async (gateway, client) => {
      const session = `0x${client.opened.sessionId.toString(16)}`
      const [, listed] = await command(gateway, '')
      const names = listed['commands'] as string[]
      for (const name of ['monitor', 'connections', 'server_stats', 'leader', 'voting_view', 'zabstate']) {
        assert.ok(names.includes(name), name)
      }
      for (const name of names) {
        const [status, body] = await command(gateway, name)
        assert.equal(status, 200, name)
        assert.equal(body['error'], null)
      }
      assert.equal((await command(gateway, 'monitor'))[1]['znode_count'], 5)
      assert.equal((await command(gateway, 'leader'))[1]['is_leader'], true)
      assert.deepEqual((await command(gateway, 'watches'))[1]['session_id_to_watched_paths'], { [session]: ['/e'] })
    })
  })

  it('has no command that is not allowed as a word, and nothing for browsers', async () => {
    await asked(undefined, async (gateway) => {
      for (const name of ['stat_reset', 'srst', 'connections', 'dump', 'watches', 'nonsense']) {
        assert.equal((await command(gateway, name))[0], 404, name)
      }
      assert.equal((await command(gateway, 'ruok', { headers: { origin: 'http://elsewhere' } }))[0], 403)
      assert.equal((await command(gateway, 'ruok', { method: 'POST' }))[0], 405)
      assert.equal((await fetch(`http://127.0.0.1:${gateway.adminPort}/../etc/passwd`)).status, 404)
    })
  })
})
