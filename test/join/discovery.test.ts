/** Members that find the others over real sockets: by a function, a file, DNS, or a port of the application's own. */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Coord, JoinOptions } from '../../lib/index.ts'
import { freePorts } from '../free-ports.ts'
import { addressAt, founders, quick, rejectsWith, until, World } from './fixture.ts'

async function foundTwo(world: World): Promise<{ readonly addresses: readonly string[]; readonly port: number }> {
  const ports = await freePorts(3)
  const listed = ports.slice(0, 2)
  await Promise.all(founders(listed).map((options) => world.join(options)))
  return { addresses: listed.map(addressAt), port: ports[2] as number }
}

const joiner = (port: number, peers: JoinOptions['peers'] & {}): JoinOptions => ({
  name: 'joiner',
  listen: { port },
  peers,
  timing: quick,
  joinTimeoutMs: 60_000,
})

async function takesPart(coord: Coord): Promise<void> {
  await coord.create('/joined')
  assert.equal((await coord.getChildren('/')).children.includes('joined'), true)
}

describe('a member that discovers the others', () => {
  it('joins by a function, one half of the answers at a time', async () => {
    await using world = new World()
    const { addresses, port } = await foundTwo(world)
    let asked = 0
    const peers = async (): Promise<readonly string[]> => {
      asked += 1
      if (asked === 1) throw new Error('the registry is down')
      // Itself and nobody; then half of them.
      return asked === 2 ? [addressAt(port)] : [addressAt(port), addresses[0] as string]
    }
    const coord = await world.join(joiner(port, peers))
    await takesPart(coord)
    assert.ok(asked >= 3)
    await until('it knows all of them', () => coord.member.members.length === 3)
  })

  it('joins by a file that somebody writes meanwhile', async () => {
    await using world = new World()
    const { addresses, port } = await foundTwo(world)
    const file = join(world.folder(), 'peers')
    const coord = await world.join({ ...joiner(port, { file }), waitFor: 'start' })
    const warnings: string[] = []
    coord.member.on('warning', (message) => warnings.push(message))
    await writeFile(file, '# nobody yet\n')
    await until('an empty file is a warning', () => warnings.some((text) => text.includes('no addresses')))
    assert.equal(coord.state, 'suspended')
    await writeFile(file, addresses.join('\n'))
    await coord.ready()
    await takesPart(coord)
  })

  it('joins by DNS, and by a port of its own', async () => {
    await using world = new World()
    const { addresses, port } = await foundTwo(world)
    // The members listen on different ports of one host here, so this name leads to one of them.
    const first = Number(new URL(addresses[0] as string).port)
    const coord = await world.join(joiner(port, { dns: '127.0.0.1', port: first }))
    await takesPart(coord)
    await coord.close()
    const discovery = { description: 'a registry', find: async () => addresses }
    await (await world.join(joiner(port, discovery))).create('/again')
  })

  it('never founds, however many of them find each other, and says what it saw', async () => {
    await using world = new World()
    const ports = await freePorts(3)
    const peers = async (): Promise<readonly string[]> => ports.map(addressAt)
    const joins = ports.map((port, index) =>
      world.join({ ...joiner(port, peers), name: `joiner-${index}`, joinTimeoutMs: 1000 }),
    )
    const text = /discovery never founds an ensemble/
    await Promise.all(joins.map((join) => rejectsWith('COORD_TIMEOUT', join, text)))
  })

  it('that finds nobody says why', async () => {
    await using world = new World()
    const [port] = (await freePorts(1)) as [number]
    const peers = (): Promise<never> => Promise.reject(new Error('the registry is down'))
    const joining = world.join({ ...joiner(port, peers), joinTimeoutMs: 300 })
    await rejectsWith('COORD_TIMEOUT', joining, /a function of the application: the registry is down/)
  })

  it('joins founders that are started behind it', async () => {
    await using world = new World()
    const ports = await freePorts(3)
    const listed = ports.slice(0, 2)
    const coord = world.join(joiner(ports[2] as number, async () => listed.map(addressAt)))
    await Promise.all(founders(listed).map((options) => world.join(options)))
    await takesPart(await coord)
  })
})
