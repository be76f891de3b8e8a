/**
 * An application process of the kill tests: a member over a real socket, which does what its parent says over IPC:
 * `write` numbers its writes and reports each acknowledged one, until told to stop.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { ClassicLevel } from 'classic-level'
import { FileStorage } from '../../adapters/storage-file/index.ts'
import { type Coord, type JoinOptions, joinEnsemble } from '../../lib/index.ts'

type Command =
  | {
      readonly type: 'join'
      readonly name: string
      readonly port: number
      readonly peers: string[]
      readonly dir?: string
      readonly store?: 'level' | 'file'
      readonly joinTimeoutMs?: number
    }
  | { readonly type: 'write'; readonly paceMs?: number }
  | { readonly type: 'stop' | 'role' | 'list' | 'close' }

let coord: Coord<string> | undefined
let writing = false
/** Ends with the write that was under way when the writing was stopped. */
let writer: Promise<void> = Promise.resolve()

const tell = (message: object): void => {
  process.send?.(message)
}

async function write(member: Coord<string>, paceMs: number): Promise<void> {
  for (let number = 0; writing && member.state !== 'closed'; number++) {
    const value = `${member.member.name}-${process.pid}-${number}`
    try {
      const path = await member.create('/log/n-', value, { mode: 'persistent-sequential', parents: true })
      tell({ acknowledged: value, path })
    } catch {
      // Not acknowledged: it may be there or not.
    }
    if (paceMs > 0) await sleep(paceMs)
  }
}

process.on('message', (command: Command) => {
  void perform(command).then(tell, (error: unknown) => tell({ done: command.type, error: String(error) }))
})
process.on('disconnect', () => process.exit())

async function perform(command: Command): Promise<object> {
  if (command.type === 'join') {
    const { name, port, peers, dir, store, joinTimeoutMs = 50_000 } = command
    // Short files, so that there are several of them.
    const opened = (path: string): JoinOptions['storage'] =>
      store === 'file' ? new FileStorage(path, { segmentBytes: 0x1_0000 }) : new ClassicLevel(path)
    const storage = dir === undefined ? undefined : opened(dir)
    coord = await joinEnsemble({
      name,
      listen: { port },
      peers,
      valueEncoding: 'utf8',
      requestTimeoutMs: 3000,
      // Before the parent gives up: it says why.
      joinTimeoutMs,
      storage,
    })
    const { member } = coord
    const tellLeading = (): void => {
      if (member.role === 'leader') tell({ leads: { id: member.id, epoch: member.epoch } })
    }
    member.on('role', tellLeading)
    tellLeading()
    return { done: 'join' }
  }
  const member = coord as Coord<string>
  switch (command.type) {
    case 'write':
      writing = true
      writer = write(member, command.paceMs ?? 0)
      return { done: 'write' }
    case 'stop':
      writing = false
      // What is acknowledged only now must be known to the parent before it asks what there is.
      await writer
      return { done: 'stop' }
    case 'role':
      return { done: 'role', role: member.member.role, state: member.state }
    case 'list': {
      await member.sync()
      const { children } = await member.getChildren('/log')
      const data = await Promise.all(children.map(async (child) => (await member.getData(`/log/${child}`)).data))
      return { done: 'list', entries: children.map((child, index) => [`/log/${child}`, data[index]]) }
    }
    case 'close':
      await member.close()
      return { done: 'close' }
  }
}
