/** What cannot be meant is refused before anything is opened, with a text that says what to do. */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type Coord, type JoinOptions, joinEnsemble } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { refusesMisuse } from './fixture.ts'

const join = (options: unknown): Promise<unknown> => joinEnsemble(options as JoinOptions as object)

/** Options that are wrong, and what must be said about them. */
const wrong: readonly (readonly [what: string, options: unknown, text: RegExp, kind?: typeof RangeError])[] = [
  ['no object', 'ws://127.0.0.1:7400', /an object of options/],
  ['null', null, /an object of options/],
  ['an unknown option', { peer: ['ws://127.0.0.1:7400'] }, /unknown option 'peer'/],
  ['peers undefined', { peers: undefined }, /environment variable.*[Ll]eave the option out/],
  ['peers null', { peers: null }, /environment variable/],
  ['peers as one string', { listen: { port: 0 }, peers: 'ws://a:1,ws://b:1' }, /array of addresses/],
  ['no peers', { listen: { port: 0 }, peers: [] }, /peers is empty.*founders/],
  ['a discovery that is none', { listen: { port: 0 }, peers: { consul: 'orders' } }, /\{ dns, port\? \}, \{ file \}/],
  ['a discovery and more', { listen: { port: 0 }, peers: { file: 'a', port: 1 } }, /\{ dns, port\? \}, \{ file \}/],
  ['a discovery without listen', { peers: async () => [] }, /say where this one listens/],
  ['a name that is none', { listen: { port: 0 }, peers: { dns: undefined, port: 1 } }, /dns must be the name/],
  ['a file that is none', { listen: { port: 0 }, peers: { file: undefined } }, /file must be the path/],
  ['a port of dns that is none', { listen: { port: 0 }, peers: { dns: 'a', port: 70_000 } }, /from 1 to 65535/],
  ['a peer that is no string', { listen: { port: 0 }, peers: [7400] }, /not 7400/],
  ['a peer without a scheme', { listen: { port: 0 }, peers: ['10.0.0.5:7400'] }, /expected ws:\/\/host:port/],
  ['a peer over http', { listen: { port: 0 }, peers: ['http://a:7400'] }, /not an address: http:\/\/a:7400/],
  ['a peer with a password', { listen: { port: 0 }, peers: ['ws://a:b@c:7400'] }, /no user/],
  ['peers without listen', { peers: ['ws://127.0.0.1:7400'] }, /say where this one listens/],
  ['a listen that is a number', { listen: 7400 }, /listen must be \{ port \} or \{ server \}/],
  ['a listen without port or server', { listen: {} }, /listen must be \{ port \} or \{ server \}/],
  ['a listen null', { listen: null }, /listen must be \{ port \} or \{ server \}/],
  ['a port that is a string', { listen: { port: '7400' } }, /listen\.port must be a whole number from 0 to 65535/],
  ['a port that is too large', { listen: { port: 65_536 } }, /from 0 to 65535, not 65536/],
  ['a host that is no string', { listen: { port: 0, host: 127 } }, /listen\.host/],
  ['a server that is none', { listen: { server: {} }, secret: 's' }, /listen\.server must be an http\(s\) server/],
  ['a path without a slash', { listen: { server: createServer(), path: 'coord' }, secret: 's' }, /slash/],
  ['an address that is none', { listen: { port: 0 }, advertise: 'localhost:1' }, /not an address/],
  ['all addresses without a secret', { listen: { port: 0, host: '0.0.0.0' } }, /set secret.*on loopback/],
  ['a shared server without a secret', { listen: { server: createServer() } }, /set secret/],
  ['an empty secret', { listen: { port: 0 }, secret: '' }, /secret must be a text that is not empty/],
  ['a secret that is no text', { secret: 42 }, /secret must be a text/],
  ['an empty name', { name: '' }, /name must be a text that is not empty/],
  ['a name that is too long', { name: 'x'.repeat(300) }, /name must be at most 256 bytes/],
  ['a time-out as text', { sessionTimeoutMs: '10s' }, /sessionTimeoutMs must be whole milliseconds, not "10s"/],
  ['a time-out of nothing', { requestTimeoutMs: 0 }, /requestTimeoutMs must be from 1 to/, RangeError],
  ['a negative time-out', { joinTimeoutMs: -1 }, /joinTimeoutMs must be from 1 to/, RangeError],
  ['a time-out of months', { sessionTimeoutMs: 1e10 }, /at most|from 1 to/, RangeError],
  ['an endless time-out', { joinTimeoutMs: Number.POSITIVE_INFINITY }, /joinTimeoutMs must be whole milliseconds/],
  ['a fraction', { sessionTimeoutMs: 0.5 }, /whole milliseconds, not 0.5/],
  ['timing that cannot work', { timing: { syncLimitMs: 100 } }, /at least twice timing\.pingIntervalMs/, RangeError],
  ['timing that is none', { timing: 'fast' }, /timing must be an object/],
  ['unknown timing', { timing: { pingMs: 3 } }, /unknown option 'timing\.pingMs'/],
  ['an unknown waitFor', { waitFor: 'leader' }, /waitFor must be 'quorum' or 'start', not leader/],
  ['an unknown encoding', { valueEncoding: 'xml' }, /valueEncoding must be/],
  ['half a codec', { valueEncoding: { encode: String } }, /valueEncoding must be/],
  ['a namespace that is no path', { namespace: 'orders' }, /must start with a slash/],
  ['a namespace with a slash at its end', { namespace: '/orders/' }, /must not end with a slash/],
  ['a storage that is none', { storage: './data' }, /abstract-level database.*new ClassicLevel/],
  ['a storage null', { storage: null }, /abstract-level database/],
  ['a transport that is none', { transport: {} }, /transport must be/],
  ['tls that is none', { listen: { port: 0 }, tls: true }, /tls must be \{ key, cert, ca \}/],
  ['a signal that is a controller', { signal: new AbortController() }, /signal must be an AbortSignal/],
]

describe('joinEnsemble refuses', () => {
  for (const [what, options, text, kind] of wrong) {
    it(what, () => refusesMisuse(text, join(options), kind))
  }

  it('a port where another process listens', async () => {
    const [port] = (await freePorts(1)) as [number]
    const other = createServer().listen(port, '127.0.0.1')
    try {
      await assert.rejects(join({ listen: { port } }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'COORD_ADDRESS_IN_USE')
        assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`))
        return true
      })
    } finally {
      other.close()
    }
  })

  it('no option that is merely undefined', async () => {
    const options = { name: undefined, secret: undefined, listen: undefined, namespace: undefined, timing: undefined }
    await using coord = await joinEnsemble(options)
    await coord.create('/a')
  })
})

describe('calls refuse', () => {
  let coord: Coord
  before(async () => {
    coord = await joinEnsemble()
  })
  after(() => coord.close())

  const bad = ['', 'a', '/a/', '//', '/a//b', '/.', '/a/../b', '/a\0', '/\u007f', '/\ud800', '/\uffff', '/😀']
  it('what is no path', async () => {
    for (const path of [...bad, undefined, null, 7, {}] as string[]) {
      await refusesMisuse(/path/, coord.create(path))
      await refusesMisuse(/path/, coord.getData(path))
      await refusesMisuse(/path/, coord.setData(path, undefined))
      await refusesMisuse(/path/, coord.delete(path))
      await refusesMisuse(/path/, coord.exists(path))
      await refusesMisuse(/path/, coord.getChildren(path))
      await refusesMisuse(/path/, coord.multi([{ type: 'check', path }]))
      assert.throws(() => coord.namespace(path), TypeError)
      if (path !== undefined) await refusesMisuse(/path/, coord.sync(path))
    }
  })

  it('what is no option of theirs, or no value of it', async () => {
    const odd = (value: unknown): never => value as never
    await refusesMisuse(/mode must be one of persistent/, coord.create('/a', undefined, { mode: odd('forever') }))
    await refusesMisuse(/version must be a whole number/, coord.setData('/a', undefined, { version: odd('1') }))
    await refusesMisuse(/version must be a whole number/, coord.delete('/a', { version: 1.5 }))
    await refusesMisuse(/consistency must be/, coord.exists('/', { consistency: odd('eventual') }))
    await refusesMisuse(/watch must be a function/, coord.exists('/', { watch: odd(true) }))
    await refusesMisuse(/zxid/, coord.awaitZxid(odd(5)))
    await refusesMisuse(/zxid/, coord.awaitZxid(-1n))
    await refusesMisuse(/array/, coord.multi(odd({})))
    await refusesMisuse(/create, setData, delete and check/, coord.multi([odd({ type: 'get', path: '/' })]))
    await refusesMisuse(/create, setData, delete and check/, coord.multi([odd(undefined)]))
    await refusesMisuse(/no missing parents/, coord.multi([odd({ type: 'create', path: '/a/b', parents: true })]))
    await refusesMisuse(/signal must be an AbortSignal/, coord.exists('/', { signal: odd(new AbortController()) }))
    await refusesMisuse(/options/, coord.exists('/', odd('linearizable')))
    await refusesMisuse(/ttlMs/, coord.create('/a', undefined, { mode: 'persistent-ttl', ttlMs: odd('1h') }))
    await refusesMisuse(/timeoutMs/, coord.openSession({ timeoutMs: odd('long') }))
    await refusesMisuse(/timeoutMs/, coord.openSession({ timeoutMs: 0 }), RangeError)
    assert.throws(() => coord.namespace('/a', { valueEncoding: odd('xml') }), /valueEncoding must be/)
  })

  it('and the coord lives on', async () => {
    assert.equal(coord.state, 'connected')
    await coord.create('/alive')
    assert.notEqual(await coord.exists('/alive'), undefined)
  })
})
