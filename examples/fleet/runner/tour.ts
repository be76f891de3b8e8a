/** The steps that `npm start` shows, in order. Each ends when it was observed from outside, or throws with what was not. */
import assert from 'node:assert/strict'
import type { Customers } from './customers.ts'
import type { Fleet, FleetProcess } from './fleet.ts'
import type { Observer, Status } from './observer.ts'
import type { Timeline } from './timeline.ts'

export class Tour {
  readonly #fleet: Fleet
  readonly #customers: Customers
  readonly #observer: Observer
  readonly #timeline: Timeline

  constructor(fleet: Fleet, customers: Customers, observer: Observer, timeline: Timeline) {
    this.#fleet = fleet
    this.#customers = customers
    this.#observer = observer
    this.#timeline = timeline
  }

  async run(): Promise<void> {
    await this.#start()
    await this.#elect()
    await this.#discover()
    await this.#order()
    await this.#configure()
    const killed = await this.#killLeader()
    await this.#restart(killed)
  }

  async #start(): Promise<void> {
    this.#fleet.start()
    this.#timeline.add('start', `${this.#fleet.names.join(', ')}: three processes, and nothing else`)
    await this.#seen('an ensemble of three', this.#fleet.processes, (seen) =>
      seen.every(({ members }) => sameNames(members, this.#fleet.names)),
    )
    this.#timeline.add('found', 'they found each other: one ensemble of three members')
  }

  async #elect(): Promise<void> {
    const [seen] = await this.#seen('one leader', this.#fleet.processes, agreeOnLeader)
    this.#timeline.add('elect', `${seen?.leader?.name} leads, as all three agree: it alone runs the singleton job`)
  }

  async #discover(): Promise<void> {
    const { processes, names } = this.#fleet
    const [seen] = await this.#seen('three services', processes, (all) =>
      all.every(({ services }) =>
        sameNames(
          services.map(({ name }) => name),
          names,
        ),
      ),
    )
    this.#timeline.add(
      'discover',
      `each of them knows where all are: ${seen?.services.map(({ url }) => url).join(' ')}`,
    )
  }

  async #order(): Promise<void> {
    const { processes } = this.#fleet
    const ids = await Promise.all(Array.from({ length: 30 }, () => this.#customers.order()))
    const [id = ''] = ids
    const repeated = await this.#observer.until(
      'an answer to a repeated order',
      () => this.#customers.post(processes[1]?.url ?? '', id, 1),
      (status) => status !== 503,
    )
    assert.equal(repeated, 200, 'a repeated order was counted again')
    const counter = await this.#verifyCount(processes)
    this.#timeline.add('order', `30 orders to all three at once, one of them sent twice: ${counter} are counted`)
  }

  async #configure(): Promise<void> {
    const { processes } = this.#fleet
    const orderEverywhere = (): Promise<(string | undefined)[]> =>
      Promise.all(processes.map(({ url }) => this.#customers.order({ url, items: 8 })))
    assert.deepEqual(await orderEverywhere(), [undefined, undefined, undefined], 'an order of 8 items was accepted')
    const before = this.#timeline.now
    await this.#observer.send(processes[1] as FleetProcess, 'PUT', '/config', { itemsMax: 10 })
    await this.#seen('the new configuration', processes, (all) => all.every(({ config }) => config.itemsMax === 10))
    const ms = Math.round((this.#timeline.now - before) * 1000)
    assert.ok(!(await orderEverywhere()).includes(undefined), 'an order of 8 items was refused')
    this.#timeline.add(
      'configure',
      `itemsMax 5 → 10, told to ${processes[1]?.name}: all three follow within ${ms} ms, none restarted`,
    )
  }

  /** While customers go on ordering. */
  async #killLeader(): Promise<FleetProcess> {
    const stopOrdering = this.#customers.keepOrdering()
    const [before] = (await this.#seen('one leader', this.#fleet.processes, agreeOnLeader)) as [Status]
    const killed = this.#fleet.processes.find(({ name }) => name === before.leader?.name) as FleetProcess
    const survivors = this.#fleet.processes.filter((process) => process !== killed)
    await killed.kill()
    const killedAt = this.#timeline.now
    this.#timeline.add('kill', `SIGKILL to ${killed.name}, the leader, while customers go on ordering`)

    const [after] = await this.#seen(
      'another leader',
      survivors,
      (all) => agreeOnLeader(all) && all.every((status) => succeeds(status, before) && !knows(status, killed)),
    )
    const seconds = (this.#timeline.now - killedAt).toFixed(1)
    this.#timeline.add(
      'fail over',
      `${after?.leader?.name} leads ${seconds} s later (the session of the dead one ends after 2 s of silence);`,
      `its fencing token is greater, the job goes on from beat ${before.lastBeat?.beat}, and ${killed.name} is deregistered`,
    )

    await stopOrdering()
    const counter = await this.#verifyCount(survivors)
    const { unanswered, countedUnanswered } = this.#customers
    this.#timeline.add(
      'verify',
      `${counter} orders were acknowledged and ${counter} are counted: none lost, none twice`,
      `(${unanswered} requests got no answer and were repeated elsewhere; ${countedUnanswered} of them had been counted)`,
    )
    return killed
  }

  async #restart(killed: FleetProcess): Promise<void> {
    const { processes, names } = this.#fleet
    killed.start()
    await this.#seen(`${killed.name} again`, processes, (all) =>
      all.every(
        ({ role, members, services, config }) =>
          ['leader', 'follower'].includes(role) &&
          sameNames(members, names) &&
          sameNames(
            services.map(({ name }) => name),
            names,
          ) &&
          config.itemsMax === 10,
      ),
    )
    await this.#customers.order({ url: killed.url })
    const counter = await this.#verifyCount(processes)
    this.#timeline.add(
      'restart',
      `${killed.name} is back with an empty memory, has all orders again, and counts number ${counter}`,
    )
  }

  #seen(what: string, processes: readonly FleetProcess[], isWanted: (all: readonly Status[]) => boolean) {
    return this.#observer.statuses(what, processes, isWanted)
  }

  /** That at each of these exactly the acknowledged orders are counted. Resolves with their number. */
  async #verifyCount(processes: readonly FleetProcess[]): Promise<number> {
    const acknowledged = [...this.#customers.acknowledged].sort()
    for (const process of processes) {
      const { counter, ids } = await this.#observer.until(
        `the orders at ${process.name}`,
        () => this.#observer.get<{ counter: number; ids: string[] }>(process, '/orders'),
        () => true,
      )
      assert.deepEqual(ids, acknowledged, `${process.name} has other orders than those acknowledged`)
      assert.equal(counter, ids.length, `the counter of ${process.name} is not the number of its orders`)
    }
    return acknowledged.length
  }
}

function sameNames(names: readonly string[], others: readonly string[]): boolean {
  return [...names].sort().join() === [...others].sort().join()
}

/** All name the same leader, and see it at work. */
function agreeOnLeader(all: readonly Status[]): boolean {
  const leader = all[0]?.leader
  return all.every(
    (status) =>
      status.leader !== undefined &&
      status.leader.token === leader?.token &&
      status.lastBeat?.token === leader.token &&
      status.lastBeat.by === leader.name,
  )
}

/** Another one leads than before, in a later term, and has taken up the job. */
function succeeds(status: Status, before: Status): boolean {
  if (!status.leader || !status.lastBeat || !before.leader || !before.lastBeat) return false
  return (
    status.leader.name !== before.leader.name &&
    BigInt(status.leader.token) > BigInt(before.leader.token) &&
    status.lastBeat.beat > before.lastBeat.beat
  )
}

function knows({ services }: Status, process: FleetProcess): boolean {
  return services.some(({ name }) => name === process.name)
}
