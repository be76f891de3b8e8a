/**
 * What can happen in a state, and what it costs. What happens by itself takes turns: a disk completes a write, a message
 * or the news of a link arrives, two members connect, a client asks a leader for an entry. Where nothing of that is left,
 * who is down comes back, a partition heals, somebody's patience ends. Everything that is not its turn costs a deviation.
 */

import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import { memberIdFrom } from '../../lib/core/zab/configuration.ts'
import { isEstablished } from '../../lib/core/zab/roles.ts'
import type { Bounds } from './bounds.ts'
import { Draft, type Ground } from './draft.ts'
import { type Budget, down, pairsOf, up, type WorldState } from './state.ts'

export interface Event {
  readonly name: string
  readonly cost: number
  happen(this: void): WorldState
}

/** Of what happens by itself: its place in the order of turns. */
interface Due {
  readonly place: number
  readonly name: string
  readonly perform: (draft: Draft) => void
  readonly budget?: Budget
  readonly cutOff?: number | undefined
  readonly heals?: boolean
}

const letters = 'abcdefg'
/** Longer than anybody waits for anybody. */
export const patienceMs = 2001
/** So often time passes at most because nothing else was left to happen. */
export const idleTicksMax = 24

export class Events {
  readonly #bounds: Bounds
  readonly #ground: Ground
  readonly #pairs: readonly (readonly [number, number])[]

  constructor(bounds: Bounds, ground: Ground) {
    this.#bounds = bounds
    this.#ground = ground
    this.#pairs = pairsOf(bounds.members)
  }

  /** Everything that can happen, cheapest first among what happens by itself. */
  of(state: WorldState): readonly Event[] {
    const ordinary = this.#ordinary(state)
    const idle = this.#idle(state)
    const dues = ordinary.length > 0 ? ordinary : idle
    const early = ordinary.length > 0 ? idle : []
    const isFree = this.#bounds.deviations === Number.POSITIVE_INFINITY
    return [
      ...inTurn(dues, state.turn).map((due, skipped) => this.#event(state, due, isFree ? 0 : skipped)),
      ...early.filter(({ name }) => name !== 'time').map((due) => this.#event(state, due, isFree ? 0 : 1)),
      ...this.#faults(state, isFree ? 0 : 1),
    ]
  }

  #event(state: WorldState, due: Due, cost: number): Event {
    return {
      name: due.name,
      cost,
      happen: () => {
        const draft = new Draft(this.#ground, state)
        due.perform(draft)
        return draft.freeze({
          ...(cost === 0 && this.#bounds.deviations === Number.POSITIVE_INFINITY ? {} : { turn: due.place + 1 }),
          ...(due.budget === undefined ? {} : { budget: due.budget }),
          ...(due.heals === true ? { cutOff: undefined } : {}),
          ...(due.cutOff === undefined ? {} : { cutOff: due.cutOff }),
        })
      },
    }
  }

  /** In the order of turns: disks, links, connections, clients. */
  #ordinary(state: WorldState): readonly Due[] {
    const { members, links, budget, cutOff } = state
    const dues: Due[] = []
    let place = 0
    for (const [index, { jobs, process }] of members.entries()) {
      place += 1
      if (process === undefined || jobs.length === 0) continue
      dues.push({ place, name: `disk ${letters[index]}`, perform: (draft) => draft.completeWrite(index) })
    }
    for (const [pair, [a, b]] of this.#pairs.entries()) {
      for (const [side, from, to] of [
        [0, a, b],
        [1, b, a],
      ] as const) {
        place += 1
        const first = links[pair]?.queues[side][0]
        if (first === undefined) continue
        const what = first === up ? 'up' : first === down ? 'down' : this.#ground.processes.messages.at(first).type
        const name = `${letters[from]}>${letters[to]} ${what}`
        dues.push({ place, name, perform: (draft) => draft.deliver(from, to) })
      }
    }
    for (const [pair, [a, b]] of this.#pairs.entries()) {
      place += 1
      const areUp = members[a]?.process !== undefined && members[b]?.process !== undefined
      if (!areUp || links[pair] !== undefined || (cutOff !== undefined && (a === cutOff) !== (b === cutOff))) continue
      const open = (draft: Draft): void => {
        draft.links[pair] = { isOpen: true, queues: [[up], [up]] }
      }
      dues.push({ place, name: `link ${letters[a]}${letters[b]}`, perform: open })
    }
    for (const [index, { process }] of members.entries()) {
      place += 1
      if (budget.entries === 0 || process === undefined || !isEstablished(process.peer.zab.role)) continue
      dues.push({
        place,
        name: `client ${letters[index]}`,
        perform: (draft) => draft.turn(index, { type: 'plain', input: requestOf(budget.entries) }),
        budget: { ...budget, entries: budget.entries - 1 },
      })
    }
    return dues
  }

  /** What has time until nothing else is left: restarts, healing, and patience that ends. */
  #idle(state: WorldState): readonly Due[] {
    const { members, budget, cutOff } = state
    const dues: Due[] = []
    let place = 100
    for (const [index, { process }] of members.entries()) {
      place += 1
      if (process !== undefined) continue
      dues.push({ place, name: `start ${letters[index]}`, perform: (draft) => draft.start(index) })
    }
    place += 1
    if (cutOff !== undefined) dues.push({ place, name: 'heal', perform: () => {}, heals: true })
    if (budget.idleTicks === 0 || isServing(state)) return dues
    dues.push({
      place: place + 1,
      name: 'time',
      perform: (draft) => {
        for (const index of members.keys()) endPatience(draft, state, index)
      },
      budget: { ...budget, idleTicks: budget.idleTicks - 1 },
    })
    return dues
  }

  #faults(state: WorldState, cost: number): readonly Event[] {
    const { members, links, budget, cutOff } = state
    const events: Event[] = []
    const isInFlight = (index: number): boolean =>
      this.#pairs.some(([a, b], pair) => {
        if (a !== index && b !== index) return false
        return links[pair]?.queues.some((queue) => queue.some((one) => one >= 0)) === true
      })
    for (const [index, { process, jobs }] of members.entries()) {
      if (budget.crashes === 0 || process === undefined) continue
      const next = { ...budget, crashes: budget.crashes - 1 }
      for (let kept = 0; kept <= jobs.length; kept += 1) {
        for (const isDrained of isInFlight(index) ? [false, true] : [false]) {
          const name = `crash ${letters[index]}, of ${jobs.length} writes ${kept} kept${isDrained ? ', all arrives' : ''}`
          events.push({
            name,
            cost,
            happen: () => {
              const draft = new Draft(this.#ground, state)
              draft.crash(index, kept, isDrained)
              return draft.freeze({ budget: next })
            },
          })
        }
      }
    }
    for (const [index, { process }] of members.entries()) {
      if (budget.timeouts === 0 || process === undefined) continue
      events.push({
        name: `the patience of ${letters[index]} ends`,
        cost,
        happen: () => {
          const draft = new Draft(this.#ground, state)
          endPatience(draft, state, index)
          return draft.freeze({ budget: { ...budget, timeouts: budget.timeouts - 1 } })
        },
      })
    }
    if (budget.partitions === 0 || cutOff !== undefined) return events
    for (const index of members.keys()) {
      if (members.length === 2 && index > 0) break
      for (const isDrained of isInFlight(index) ? [false, true] : [false]) {
        events.push({
          name: `cut off ${letters[index]}${isDrained ? ', all arrives' : ''}`,
          cost,
          happen: () => {
            const draft = new Draft(this.#ground, state)
            for (const other of members.keys()) if (other !== index) draft.closeLink(index, other, isDrained)
            return draft.freeze({ cutOff: index, budget: { ...budget, partitions: budget.partitions - 1 } })
          },
        })
      }
    }
    return events
  }
}

/** So much time passes for one process that nobody is in contact any more, or that an election settles. */
function endPatience(draft: Draft, { members }: WorldState, index: number): void {
  const process = members[index]?.process
  if (process === undefined) return
  const { role, now } = process.peer.zab
  draft.turn(index, { type: 'tick', byMs: role.name === 'looking' ? Math.max(role.settleAt - now, 1) : patienceMs })
}

/** From whose turn it is on, around. */
function inTurn(dues: readonly Due[], turn: number): readonly Due[] {
  const first = dues.findIndex(({ place }) => place >= turn)
  return first <= 0 ? dues : [...dues.slice(first), ...dues.slice(0, first)]
}

function requestOf(number: number): { readonly type: 'request'; readonly requests: readonly never[] } {
  const session = sessionIdFrom(BigInt(number) << 8n)
  const request = { type: 'createSession', session, passwordHash: new Uint8Array([number]), timeoutMs: 1e9 } as const
  return { type: 'request', requests: [request] as unknown as readonly never[] }
}

/** Everybody is up and served by one leader. */
export function isServing({ members, cutOff }: WorldState): boolean {
  const [first] = members
  const leader = first?.process?.peer.status.leader?.id
  if (leader === undefined || cutOff !== undefined) return false
  return members.every(
    ({ process }) => process?.peer.status.serving === true && process.peer.status.leader?.id === leader,
  )
}

export function idOf(index: number): ReturnType<typeof memberIdFrom> {
  return memberIdFrom(letters[index] as string)
}
