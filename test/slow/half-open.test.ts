/** Ten thousand connections that say nothing, as far as the process may have so many files open: CONNECTIONS=1000 for fewer. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { freePorts } from '../free-ports.ts'
import { founders, until, World } from '../join/fixture.ts'

interface Report {
  readonly userLimits?: { readonly open_files?: { readonly soft?: number | 'unlimited' } }
}

/** Both ends of each are in this process, and so are the files of the tests themselves. */
function connectionsPossible(): number {
  const report = process.report?.getReport() as Report | undefined
  const soft = report?.userLimits?.open_files?.soft
  return typeof soft === 'number' ? Math.max(100, Math.floor((soft - 1000) / 2)) : 10_000
}

const wanted = Math.min(Number(process.env['CONNECTIONS'] ?? 10_000), connectionsPossible())

describe('a member under connections that prove nothing', () => {
  it(`serves on with ${wanted} of them, closes them all, and takes a new member meanwhile`, async () => {
    await using world = new World()
    const ports = await freePorts(3)
    const [a, b, c] = founders(ports, {
      voters: 3,
      joinTimeoutMs: 60_000,
      requestTimeoutMs: 60_000,
      sessionTimeoutMs: 60_000,
    })
    const coords = await Promise.all([world.join(a), world.join(b), world.join(c)])
    const [first, second] = coords
    assert.ok(first !== undefined && second !== undefined)
    const open = new Set<Socket>()
    const connectOne = (): Promise<void> =>
      new Promise((resolve) => {
        const socket = connect({ port: ports[0] as number, host: '127.0.0.1' })
        open.add(socket)
        socket.on('error', () => {})
        socket.on('data', () => {})
        socket.on('connect', resolve)
        socket.on('close', () => {
          open.delete(socket)
          resolve()
        })
        // Every other one begins a request, and never ends it.
        if (open.size % 2 === 0) socket.write('GET /embedded-coord HTTP/1.1\r\nHost: a\r\n')
      })
    await first.create('/count')
    let writes = 0
    let most = 0
    for (let count = 0; count < wanted; count += 500) {
      await Promise.all(Array.from({ length: Math.min(500, wanted - count) }, connectOne))
      most = Math.max(most, open.size)
      await second.setData('/count', undefined)
      writes += 1
    }
    const [port] = (await freePorts(1)) as [number]
    const peers = a?.peers ?? []
    const late = await world.join({ name: 'late', listen: { port }, peers, timing: a?.timing, joinTimeoutMs: 60_000 })
    assert.equal((await late.getData('/count', { consistency: 'linearizable' })).stat.version, writes)
    await until('all of them are closed', () => open.size === 0, 60_000)
    await first.setData('/count', undefined)
    console.log(`      ${most} were open at once; ${writes} writes meanwhile`)
  })
})
