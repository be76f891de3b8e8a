/** What a member meets that is no member of its ensemble: it says what it saw, and lives on. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { WebSocket } from 'ws'
import { CoordError, joinEnsemble } from '../../lib/index.ts'

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as { port: number }).port
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listening(server)
  server.close()
  await once(server, 'close')
  return port
}

const at = (port: number): string => `ws://127.0.0.1:${port}`

/** Joins with one other founder, which is not there or no such thing; the error says why. */
async function failsToJoin(other: number, reason: RegExp): Promise<void> {
  const port = await freePort()
  await assert.rejects(
    joinEnsemble({ listen: { port }, peers: [at(port), at(other)], joinTimeoutMs: 1_500 }),
    (error) => error instanceof CoordError && error.code === 'COORD_TIMEOUT' && reason.test(error.message),
  )
}

describe('a member that joins says what it met', () => {
  it('nobody', async () => {
    await failsToJoin(await freePort(), /nothing listens/)
  })

  it('an HTTP server that knows nothing of us', async () => {
    const server = createHttpServer((_request, response) => response.writeHead(404).end())
    try {
      await failsToJoin(await listening(server), /HTTP/)
    } finally {
      server.close()
    }
  })

  it('something that speaks otherwise', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.end('SSH-2.0-OpenSSH_9.2\r\n')
    })
    try {
      await failsToJoin(await listening(server), new RegExp(at(0).slice(0, 14)))
    } finally {
      server.close()
    }
  })

  it('founders with another list', async () => {
    const [a, b, c] = [await freePort(), await freePort(), await freePort()]
    const joins = [
      joinEnsemble({ listen: { port: a }, peers: [at(a), at(b)], joinTimeoutMs: 10_000 }),
      joinEnsemble({ listen: { port: b }, peers: [at(a), at(b), at(c)], joinTimeoutMs: 10_000 }),
    ]
    for (const result of await Promise.allSettled(joins)) {
      assert.ok(result.status === 'rejected')
      const error = result.reason as CoordError
      assert.ok(['COORD_FOUNDERS_DIFFER', 'COORD_TIMEOUT'].includes(error.code), error.message)
    }
    const [first] = await Promise.allSettled(joins)
    assert.match(String(first?.status === 'rejected' && first.reason), /lists/)
  }).timeout(40_000)

  it('a founder with another secret', async () => {
    const [a, b] = [await freePort(), await freePort()]
    const peers = [at(a), at(b)]
    const joins = [a, b].map((port, index) =>
      joinEnsemble({ listen: { port }, peers, secret: `secret ${index}`, joinTimeoutMs: 1_500 }),
    )
    const results = await Promise.allSettled(joins)
    const messages = results.map((result) => (result.status === 'rejected' ? String(result.reason) : 'joined'))
    assert.ok(
      messages.every((message) => message.includes('the secrets differ')),
      messages.join('\n'),
    )
    assert.ok(messages.every((message) => !message.includes('secret 0') && !message.includes('secret 1')))
  })

  it('a server of its own that does not listen yet, and joins once it does', async () => {
    const server = createHttpServer()
    const options = { listen: { server }, secret: 'x', name: 'later' }
    await assert.rejects(joinEnsemble({ ...options, joinTimeoutMs: 300 }), /not listening yet/)
    const joining = joinEnsemble({ ...options, joinTimeoutMs: 20_000 })
    await listening(server)
    const coord = await joining
    await coord.create('/x')
    await coord.close()
    server.close()
  })

  it('a directory that another process has locked', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'embedded-coord-locked-'))
    const coord = await joinEnsemble({ storage: new ClassicLevel(directory) })
    try {
      await assert.rejects(joinEnsemble({ storage: new ClassicLevel(directory) }), { code: 'COORD_STORE_LOCKED' })
      await coord.create('/goes-on')
    } finally {
      await coord.close()
      rmSync(directory, { recursive: true })
    }
  })
})

describe('a member lives on', () => {
  const hostile: Readonly<Record<string, Uint8Array>> = {
    nothing: new Uint8Array(),
    garbage: new Uint8Array(100).fill(0xff),
    'an endless array': Uint8Array.from([0x9f]),
    'a text as an index': Uint8Array.from([0x82, 0x64, 0x70, 0x75, 0x73, 0x68, 0x80]),
    'a frame of 5 MiB': new Uint8Array(5 << 20),
    'a frame of 20 MiB': new Uint8Array(20 << 20),
  }
  for (const [what, bytes] of Object.entries(hostile)) {
    it(`whoever sends it ${what}`, async () => {
      const coord = await joinEnsemble({ listen: { port: await freePort() } })
      const stranger = new WebSocket(coord.member.address, 'embedded-coord')
      stranger.on('error', () => {})
      await once(stranger, 'open')
      const closed = once(stranger, 'close')
      stranger.send(bytes)
      await closed
      await coord.create('/alive')
      await coord.close()
    })
  }
})
