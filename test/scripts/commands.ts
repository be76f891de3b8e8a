/** What a line of a script may say. */
import assert from 'node:assert/strict'
import { sessionIdFrom } from '../../lib/core/tree/session-id.ts'
import type { WatchKind } from '../../lib/core/tree/watch-table.ts'
import { formatZxid } from '../../lib/core/zab/zxid.ts'
import type { ScriptWorld } from './world.ts'

type Command = (world: ScriptWorld, ...words: string[]) => void

const session = (word: string | undefined) => sessionIdFrom(BigInt(word ?? '1'))

/** By its first word. `quietly` before a command runs it without a trace. */
export const commands: Readonly<Record<string, Command>> = {
  /** found a b c: blank founders, all linked. */
  found: (world, ...names) => world.found(names),
  /** tail N: members started from now on keep N entries of the log in memory. */
  tail: (world, entries) => world.setTail(Number(entries)),
  /** slice N: members started from now on deliver N entries a turn, and send the log a batch a turn. */
  slice: (world, entries) => world.setSlice(Number(entries)),
  /** rest N: members started from now on send a snapshot record by record, and rest N ms between two where others write. */
  rest: (world, ms) => world.setRest(Number(ms)),
  settle: (world) => world.settle(),
  flush: (world) => world.flush(),
  advance: (world, ms) => world.advance(Number(ms)),
  /** deliver a b [N]: the next N messages from a to b. */
  deliver: (world, from = '', to = '', count = '1') => {
    for (let turn = 0; turn < Number(count); turn++) assert.ok(world.deliver(from, to), `nothing from ${from} to ${to}`)
  },
  /** persist a [N]: the next N writes of a are durable. */
  persist: (world, name = '', count = '1') => {
    for (let turn = 0; turn < Number(count); turn++) assert.ok(world.persist(name), `${name} writes nothing`)
  },
  link: (world, a = '', b = '') => world.link(a, b),
  unlink: (world, a = '', b = '') => world.unlink(a, b),
  crash: (world, name = '') => world.crash(name),
  restart: (world, name = '') => world.restart(name),
  /** diverge a /x: what a evaluates next is a creation of /x, whatever the log says. */
  diverge: (world, name = '', path = '') => world.diverge(name, path),
  forget: (world, name = '') => world.forget(name),
  /** session a 1 [timeoutMs]: opens session 1 at a. */
  session: (world, name = '', id = '1', timeoutMs = '6000') =>
    world.request(name, {
      type: 'createSession',
      session: session(id),
      passwordHash: new Uint8Array(32),
      timeoutMs: Number(timeoutMs),
    }),
  /** heartbeat a 1: a vouches for session 1. */
  heartbeat: (world, name = '', id = '1') =>
    world.step(name, { type: 'heartbeat', id: Number(id), sessions: [session(id)] }),
  /** create a 1 /x [mode] */
  create: (world, name = '', id = '1', path = '', mode = 'persistent') =>
    world.write(name, Number(id), { type: 'create', path, data: undefined, mode: mode as 'persistent' }),
  set: (world, name = '', id = '1', path = '') =>
    world.write(name, Number(id), { type: 'setData', path, data: undefined, version: -1 }),
  delete: (world, name = '', id = '1', path = '') =>
    world.write(name, Number(id), { type: 'delete', path, version: -1 }),
  /** watch a 1 data /x */
  watch: (world, name = '', id = '1', kind = 'data', path = '') =>
    world.member(name).watches.add(kind as WatchKind, session(id), path),
  /** read a: asks for a zxid at which everything acknowledged is visible. */
  read: (world, name = '') => world.step(name, { type: 'readIndex', id: 1 }),
  /** status: each member, with its log. */
  status: (world) => {
    for (const { name, peer, isUp } of world.members.values()) {
      const { zab, status } = peer
      const { last, durable } = zab.log
      const role = status.role === 'following' ? `follows ${status.leader?.name ?? '?'}` : status.role
      const log = `log to ${formatZxid(last)}, durable ${formatZxid(durable)}, applied ${formatZxid(peer.state.lastZxid)}`
      world.print(isUp ? `${name}      ${role}, epoch ${zab.epochs.current}; ${log}` : `${name}      is down`)
    }
  },
}

export function perform(world: ScriptWorld, line: string): void {
  const [first = '', ...words] = line.split(/\s+/)
  if (first === 'quietly') {
    world.quietly(() => perform(world, words.join(' ')))
    return
  }
  const command = commands[first]
  assert.ok(command !== undefined, `no command ${first}`)
  command(world, ...words)
}
