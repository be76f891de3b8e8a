/** Every recipe as a function, of a client and of a session. */

import { ClassicLevel } from 'classic-level'
import { type Client, type Coord, joinEnsemble, type Session } from 'embedded-coord'
import { FileStorage } from 'embedded-coord/adapters/storage-file'
import { levelStorage } from 'embedded-coord/adapters/storage-level'
import { webSocketTransport } from 'embedded-coord/adapters/transport-websocket'
import type { Storage, Transport } from 'embedded-coord/ports'
import * as recipes from 'embedded-coord/recipes'
import { storageSuite } from 'embedded-coord/suites'

interface Task {
  readonly what: string
}

export async function main(coord: Coord<unknown>, client: Client<Task>, session: Session<Task>): Promise<void> {
  for (const target of [client, session]) {
    const held: recipes.Lock = await recipes.lock(target, '/l')
    const tried: recipes.Lock | undefined = await recipes.tryLock(target, '/l', { shared: true })
    const result: number = await recipes.withLock(target, '/l', ({ token }) => Number(token))
    const both: recipes.MultiLock = await recipes.lockAll(target, ['/l', '/m'])
    const claimed: boolean = await recipes.claim(target, 'key', { keptMs: 1000 })
    const item: recipes.QueueItem<Task> = await recipes.queue(target, '/q').take()
    const what: string = item.value.what
    await recipes.priorityQueue(target, '/p').put({ what }, { priority: 1 })
    await recipes.synchronousQueue(target, '/s').put({ what })
    recipes.elect(target, '/e', { data: { what }, onElected: ({ path }) => path })
    recipes.singleton(target, 'one', ({ signal }) => signal.aborted)
    recipes.schedule(target, 'two', { everyMs: 1000 }, ({ token }) => token)
    await recipes.semaphore(target, '/s', 1).acquire({ timeoutMs: 5 })
    await recipes.barrier(target, '/b').wait()
    await recipes.doubleBarrier(target, '/d', 2).enter()
    const count: number = await recipes.counter(target, '/c').add()
    const cached: Task | undefined = (await recipes.cache(target, '/v')).value
    const tree: Task | undefined = (await recipes.treeCache(target, '/v')).get('a')
    const id: number = await recipes.names(target, '/n').ids().next()
    await recipes.services(target).register('api', { address: 'here', port: 1 })
    const members: (Task | undefined)[] = (await recipes.group(target, '/g').join({ what })).members.map((m) => m.data)
    await recipes.workers(target, '/w').work((task, run) => run.report(task.what))
    const { set, where } = recipes.sqlGuard(held)
    await fetch('http://127.0.0.1', { headers: recipes.fenceHeaders(held) })
    console.log(tried, result, both.held, claimed, count, cached, tree, id, members, set, where)
  }
  // @ts-expect-error no client
  await recipes.lock('/l', '/l')
  await recipes.queue(coord, '/q').put({ whatever: 1 })
  const transport: Transport = webSocketTransport({ listen: { port: 0 } })
  const storage: Storage = levelStorage(new ClassicLevel('./coord'))
  await joinEnsemble({ transport, storage })
  await joinEnsemble({ storage: new FileStorage('./coord', { segmentBytes: 2 ** 20 }) })
  console.log(typeof storageSuite)
}
