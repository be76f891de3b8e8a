/** The rows WT-… and WA-1 to WA-13 of docs/SEMANTICS.md: which change tells whom, in which order. */
import assert from 'node:assert/strict'
import type { AclEntry, Coord } from '../../lib/index.ts'
import { Ensemble, fails, Heard, openSession } from './fixture.ts'

const only = (permissions: string): AclEntry[] => [{ scheme: 'world', id: 'anyone', permissions }]

/** One listener of each kind, on sessions of their own: data, children, persistent and recursive. */
async function listenAll(coord: Coord<string>, heard: Heard, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const isThere = (await coord.exists(path)) !== undefined
    await (await openSession(coord)).exists(path, { watch: heard.by('D') })
    if (isThere) await (await openSession(coord)).getChildren(path, { watch: heard.by('K') })
    await (await openSession(coord)).addWatch(path, 'persistent', heard.by('P'))
    await (await openSession(coord)).addWatch(path, 'persistent-recursive', heard.by('R'))
  }
}

describe('what triggers watches', () => {
  it('WT-create: first the node’s own watches, then children of the parent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/p')
    await listenAll(coord, heard, ['/p', '/p/c'])
    await coord.create('/p/c')
    assert.deepEqual(heard.take(), [
      'D created /p/c',
      'P created /p/c',
      'R created /p/c',
      'R created /p/c',
      'K children /p',
      'P children /p',
    ])
  })

  it('WT-setData: the node’s own watches, also when the bytes are the same; nobody hears of children', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/p/c', 'x', { parents: true })
    await listenAll(coord, heard, ['/p', '/p/c'])
    await coord.setData('/p/c', 'x')
    assert.deepEqual(heard.take(), ['D changed /p/c', 'P changed /p/c', 'R changed /p/c', 'R changed /p/c'])
  })

  it('WT-delete: the node’s watches, its children watches, then children of the parent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/p/c', 'x', { parents: true })
    await listenAll(coord, heard, ['/p', '/p/c'])
    // One session with both kinds hears of the deletion once.
    const both = await openSession(coord)
    await both.exists('/p/c', { watch: heard.by('both') })
    await both.getChildren('/p/c', { watch: heard.by('both, too') })
    await coord.delete('/p/c')
    assert.deepEqual(heard.take(), [
      'D deleted /p/c',
      'both deleted /p/c',
      'both, too deleted /p/c',
      'P deleted /p/c',
      'R deleted /p/c',
      'R deleted /p/c',
      'K deleted /p/c',
      'K children /p',
      'P children /p',
    ])
  })

  it('WT-none: setAcl, check, the usage of a quota and reads trigger nothing', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/p')
    await coord.setQuota('/p', { count: 10 })
    await listenAll(coord, heard, ['/p', '/zookeeper/quota/p/zookeeper_stats'])
    await coord.setAcl('/p', only('cdrwa'))
    await coord.multi([{ type: 'check', path: '/p' }])
    await coord.getData('/p')
    assert.deepEqual(heard.take(), [])
    await coord.create('/p/c')
    assert.deepEqual(
      heard.take().filter((line) => line.includes('zookeeper')),
      [],
    )
  })

  it('WT-close: a deletion for each ephemeral node, with one zxid; children of the parent once or for each', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/p')
    const session = await openSession(coord)
    for (const name of ['2', '1', '3']) await session.create(`/p/${name}`, undefined, { mode: 'ephemeral' })
    await coord.getChildren('/p', { watch: heard.by('K') })
    await (await openSession(coord)).addWatch('/p', 'persistent', heard.by('P'))
    await (await openSession(coord)).addWatch('/p', 'persistent-recursive', heard.by('R'))
    await session.close()
    assert.equal(new Set(heard.events.map(({ zxid }) => zxid)).size, 1)
    const lines = heard.take()
    const of = (name: string) => lines.filter((line) => line.startsWith(name))
    assert.deepEqual(of('K'), ['K children /p'])
    assert.deepEqual(of('P'), ['P children /p', 'P children /p', 'P children /p'])
    assert.equal(of('R').length, 3)
  })

  it('WT-close, differs: the nodes of a session go in the order in which they were created', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    const session = await openSession(coord)
    for (const path of ['/2', '/1', '/3']) await session.create(path, undefined, { mode: 'ephemeral' })
    await coord.addWatch('/', 'persistent-recursive', heard.by('R'))
    ensemble.expireSession(session.id)
    await ensemble.advance(1)
    assert.deepEqual(heard.take(), ['R deleted /2', 'R deleted /1', 'R deleted /3'])
  })

  it('WT-config: a change of the members is a change of /zookeeper/config', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader, follower } = ensemble
    const heard = new Heard()
    await leader.getData('/zookeeper/config', { watch: heard.by('D') })
    ensemble.crash(follower)
    await ensemble.restart(follower)
    await ensemble.until(leader.sync())
    assert.deepEqual(heard.take(), ['D changed /zookeeper/config'])
  })
})

describe('watches', () => {
  it('WA-1: one event for a change, path and session; one function is called once, three are called each', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    const one = heard.by('one')
    const register = async (listeners: (() => (event: never) => void)[]): Promise<void> => {
      const [first, second, third] = listeners.map((listener) => listener())
      await coord.create('/n')
      await coord.exists('/n', { watch: first as never })
      await coord.getData('/n', { watch: second as never })
      await coord.getChildren('/n', { watch: third as never })
      await coord.delete('/n')
    }
    await register([() => one, () => one, () => one])
    assert.deepEqual(heard.take(), ['one deleted /n'])
    await register(['1', '2', '3'].map((name) => () => heard.by(name)))
    assert.deepEqual(heard.take().sort(), ['1 deleted /n', '2 deleted /n', '3 deleted /n'])
  })

  it('WA-2: a one-shot watch is gone when it fired; exists and getData share theirs', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    await coord.exists('/n', { watch: heard.by('exists') })
    await coord.getData('/n', { watch: heard.by('data') })
    await coord.getChildren('/n', { watch: heard.by('children') })
    await coord.setData('/n', 'x')
    assert.deepEqual(heard.take().sort(), ['data changed /n', 'exists changed /n'])
    await coord.setData('/n', 'y')
    assert.deepEqual(heard.take(), [])
    await coord.create('/n/c')
    assert.deepEqual(heard.take(), ['children children /n'])
    await coord.getChildren('/n', { watch: heard.by('children') })
    await coord.delete('/n', { recursive: true })
    assert.deepEqual(heard.take(), ['children children /n'])
  })

  it('WA-3: exists waits for a missing node; getData and getChildren of one leave nothing', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.exists('/n', { watch: heard.by('exists') })
    await fails('COORD_NO_NODE', coord.getData('/n', { watch: heard.by('data') }))
    await fails('COORD_NO_NODE', coord.getChildren('/n', { watch: heard.by('children') }))
    await coord.create('/n')
    assert.deepEqual(heard.take(), ['exists created /n'])
  })

  it('WA-4: persistent watches stay, also over the deletion of their node; no state is delivered at first', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/there')
    for (const path of ['/there', '/missing']) {
      await coord.addWatch(path, 'persistent', heard.by('P'))
      await (await openSession(coord)).addWatch(path, 'persistent-recursive', heard.by('R'))
    }
    assert.deepEqual(heard.take(), [])
    for (let round = 0; round < 2; round += 1) {
      await coord.create('/missing')
      await coord.create('/missing/c')
      await coord.setData('/missing/c', 'x')
      await coord.create('/missing/c/d')
      await coord.delete('/missing', { recursive: true })
      assert.deepEqual(heard.take(), [
        'P created /missing',
        'R created /missing',
        'R created /missing/c',
        'P children /missing',
        'R changed /missing/c',
        'R created /missing/c/d',
        'R deleted /missing/c/d',
        'R deleted /missing/c',
        'P children /missing',
        'P deleted /missing',
        'R deleted /missing',
      ])
    }
    await assert.rejects(
      coord.addWatch('/n', 'unheard-of' as never, () => {}),
      TypeError,
    )
    await assert.rejects(coord.addWatch('/n', 'persistent', 'no function' as never), TypeError)
  })

  it('WA-5: the kinds of one session on one path are independent', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    await coord.addWatch('/n', 'persistent-recursive', heard.by('R'))
    await coord.addWatch('/n', 'persistent', heard.by('P'))
    await coord.getData('/n', { watch: heard.by('D') })
    await coord.create('/n/c')
    assert.deepEqual(heard.take(), ['R created /n/c', 'P children /n'])
    await coord.setData('/n', 'x')
    assert.deepEqual(heard.take().sort(), ['D changed /n', 'P changed /n', 'R changed /n'])
    await coord.removeWatches('/n', 'persistent')
    await coord.setData('/n', 'y')
    await coord.delete('/n/c')
    assert.deepEqual(heard.take(), ['R changed /n', 'R deleted /n/c'])
  })

  it('WA-6: who may not read a node does not hear of it; a one-shot watch is used up all the same', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n', undefined, { acl: only('cdrwa') })
    await (await openSession(coord)).getData('/n', { watch: heard.by('D') })
    await coord.addWatch('/n', 'persistent', heard.by('P'))
    await (await openSession(coord)).exists('/secret', { watch: heard.by('exists') })
    await coord.setAcl('/n', only('cdwa'))
    await coord.setData('/n', 'x')
    await coord.create('/n/c')
    await coord.create('/secret', undefined, { acl: only('cdwa') })
    assert.deepEqual(heard.take(), [])
    await coord.setAcl('/n', only('cdrwa'))
    await coord.setData('/n', 'y')
    await coord.create('/n/d')
    assert.deepEqual(heard.take(), ['P changed /n', 'P children /n'])
    // A deleted node has the ACL that it had.
    await coord.addWatch('/secret', 'persistent', heard.by('S'))
    await coord.delete('/secret')
    assert.deepEqual(heard.take(), [])
    await coord.create('/secret')
    await coord.delete('/secret')
    assert.deepEqual(heard.take(), ['S created /secret', 'S deleted /secret'])
  })

  it('WA-7: an event comes before the reply that shows the change, its own writer’s too, and carries the zxid', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    const zxids: bigint[] = []
    await coord.addWatch('/n', 'persistent', (event) => {
      zxids.push(event.zxid)
      heard.note(`event ${zxids.length}`)
    })
    const write = (data: string) =>
      coord.setData('/n', data).then(({ mzxid }) => heard.note(`reply ${mzxid === zxids.at(-1)}`))
    const read = () => coord.getData('/n').then(({ data }) => heard.note(`read ${data}`))
    await Promise.all([write('1'), read(), write('2'), read()])
    assert.deepEqual(heard.take(), ['event 1', 'reply true', 'read 1', 'event 2', 'reply true', 'read 2'])
    assert.ok(zxids.every((zxid, index) => index === 0 || zxid > (zxids[index - 1] as bigint)))
  })

  it('WA-8, differs: a change of the session’s state goes to its own listeners, not to those of watches', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const { leader } = ensemble
    const heard = new Heard()
    leader.on('state', (next) => heard.note(next))
    await leader.getData('/', { watch: heard.by('D') })
    ensemble.isolate(leader)
    await ensemble.advance(3_000)
    ensemble.heal()
    await ensemble.advance(6_000)
    assert.deepEqual(heard.take(), ['suspended', 'connected'])
  })

  it('WA-9: a client whose session was lost has its one-shot watches made anew: each fires for what it missed', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 3_000 } })
    const { leader, follower } = ensemble
    const heard = new Heard()
    for (const path of ['/set', '/deleted', '/anew', '/same', '/parent', '/quiet']) await leader.create(path)
    await ensemble.until(follower.sync())
    for (const path of ['/set', '/deleted', '/anew', '/same']) await follower.getData(path, { watch: heard.by('data') })
    for (const path of ['/born', '/passing', '/there']) await follower.exists(path, { watch: heard.by('exists') })
    for (const path of ['/parent', '/quiet']) await follower.getChildren(path, { watch: heard.by('children') })
    ensemble.isolate(follower)
    await leader.setData('/set', '1')
    await leader.setData('/set', '2')
    await leader.delete('/deleted')
    await leader.delete('/anew')
    await leader.create('/anew')
    await leader.create('/born')
    await leader.create('/passing')
    await leader.delete('/passing')
    await leader.create('/parent/c')
    await leader.delete('/parent/c')
    // Longer than a call may wait: what is made anew waits all the same.
    await ensemble.advance(60_000)
    assert.equal(follower.state, 'lost')
    ensemble.heal()
    await ensemble.advance(10_000)
    assert.equal(follower.state, 'connected')
    assert.deepEqual(heard.take(), [
      'data changed /set',
      'data deleted /deleted',
      'data changed /anew',
      'exists created /born',
      'children children /parent',
    ])
    for (const path of ['/there', '/passing']) await leader.create(path)
    await leader.setData('/same', 'x')
    await leader.create('/quiet/c')
    await ensemble.until(follower.sync())
    assert.deepEqual(heard.take(), [
      'exists created /there',
      'exists created /passing',
      'data changed /same',
      'children children /quiet',
    ])
  })

  it('WA-10, differs: while the session lives nothing is lost; of a lost one persistent watches miss what happened', async () => {
    await using ensemble = await Ensemble.start({ size: 3, join: { sessionTimeoutMs: 30_000 } })
    const { leader, follower } = ensemble
    const heard = new Heard()
    await follower.addWatch('/n', 'persistent', heard.by('P'))
    await follower.exists('/m', { watch: heard.by('exists') })
    ensemble.isolate(follower)
    await leader.create('/n')
    await leader.setData('/n', '1')
    await leader.setData('/n', '2')
    await leader.create('/m')
    await leader.delete('/m')
    await ensemble.advance(10_000)
    ensemble.heal()
    await ensemble.advance(10_000)
    // It caught up entry by entry: every event, also of what is over.
    assert.deepEqual(heard.take(), ['P created /n', 'P changed /n', 'P changed /n', 'exists created /m'])
    ensemble.isolate(follower)
    await leader.setData('/n', '3')
    await ensemble.advance(60_000)
    ensemble.heal()
    await ensemble.advance(10_000)
    assert.deepEqual(heard.take(), [])
    await leader.setData('/n', '4')
    await ensemble.until(follower.sync())
    assert.deepEqual(heard.take(), ['P changed /n'])
  })

  it('WA-11: the watches of a session that is over are gone', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    const session = await openSession(coord)
    await session.addWatch('/n', 'persistent', heard.by('P'))
    await session.exists('/n', { watch: heard.by('exists') })
    ensemble.expireSession(session.id)
    await ensemble.advance(1)
    assert.equal(session.state, 'lost')
    await coord.create('/n')
    assert.deepEqual(heard.take(), [])
  })

  it('WA-12: removeWatches removes a listener, a kind or all of a path; NO_WATCHER where there is none', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    const [first, second] = [heard.by('1'), heard.by('2')]
    for (const watch of [first, second]) await coord.getData('/n', { watch })
    await coord.exists('/n', { watch: heard.by('exists') })
    await coord.getChildren('/n', { watch: heard.by('children') })
    await coord.removeWatches('/n', 'data', first)
    await fails('COORD_NO_WATCHER', coord.removeWatches('/n', 'data', first))
    await fails('COORD_NO_WATCHER', coord.removeWatches('/n', 'persistent'))
    await fails('COORD_NO_WATCHER', coord.removeWatches('/other'))
    await coord.setData('/n', 'x')
    assert.deepEqual(heard.take().sort(), ['2 changed /n', 'exists changed /n'])
    await fails('COORD_NO_WATCHER', coord.removeWatches('/n', 'data'))
    await coord.addWatch('/n', 'persistent', heard.by('P'))
    await coord.addWatch('/n', 'persistent-recursive', heard.by('R'))
    await coord.removeWatches('/n', 'persistent-recursive')
    await coord.removeWatches('/n', 'any')
    await coord.create('/n/c')
    await coord.delete('/n', { recursive: true })
    assert.deepEqual(heard.take(), [])
    await assert.rejects(coord.removeWatches('/n', 'unheard-of' as never), TypeError)
  })

  it('WA-12: a listener that is being set while another one is removed is heard', async () => {
    await using ensemble = await Ensemble.start()
    const { coord } = ensemble
    const heard = new Heard()
    await coord.create('/n')
    const first = heard.by('first')
    await coord.getData('/n', { watch: first })
    const setting = coord.exists('/n', { watch: heard.by('second') })
    const removing = coord.removeWatches('/n', 'data', first)
    await Promise.all([setting, removing])
    await coord.setData('/n', 'x')
    assert.deepEqual(heard.take(), ['second changed /n'])
  })

  it('WA-12, differs: removal emits no event, and is local first: it needs no quorum to hold', async () => {
    await using ensemble = await Ensemble.start({
      size: 3,
      join: { requestTimeoutMs: 1_000, sessionTimeoutMs: 60_000 },
    })
    const { leader, follower } = ensemble
    const heard = new Heard()
    await follower.addWatch('/n', 'persistent', heard.by('P'))
    ensemble.isolate(follower)
    await ensemble.advance(5_000)
    assert.equal(follower.state, 'suspended')
    await ensemble.until(follower.removeWatches('/n'))
    ensemble.heal()
    await ensemble.advance(5_000)
    await leader.create('/n')
    await ensemble.until(follower.sync())
    assert.deepEqual(heard.take(), [])
  })

  it('WA-13: watches live in the member that hosts the session; every member serves them', async () => {
    await using ensemble = await Ensemble.start({ size: 3 })
    const heard = new Heard()
    for (const [index, coord] of ensemble.coords.entries()) await coord.exists('/n', { watch: heard.by(`${index}`) })
    await ensemble.leader.create('/n')
    await ensemble.until(Promise.all(ensemble.coords.map((coord) => coord.sync())))
    assert.deepEqual(heard.take().sort(), ['0 created /n', '1 created /n', '2 created /n'])
  })
})
