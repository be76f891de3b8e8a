import assert from 'node:assert/strict'
import { MemoryNetwork } from '../../adapters/transport-memory/index.ts'
import type { Connection, TransportLimits } from '../../lib/ports/index.ts'
import { type TransportFixture, transportSuite } from '../../lib/suites/index.ts'

const limits: TransportLimits = { frameBytesMax: 1_000, dialTimeoutMs: 1_000 }

describe('transport-memory', () => {
  transportSuite({ test: it, factory: () => fixture(new MemoryNetwork()) })

  describe('with a scheduler that mixes up the order', () => {
    transportSuite({ test: it, factory: () => fixture(new MemoryNetwork({ schedule: mixedUp() })) })
  })

  it('does nothing but by its scheduler', async () => {
    const turns: (() => void)[] = []
    const runTurns = (): void => {
      for (const turn of turns.splice(0)) turn()
    }
    const network = new MemoryNetwork({ schedule: (turn) => turns.push(turn) })
    const events: string[] = []
    const handlers = (name: string) => ({
      frame: (frame: Uint8Array) => events.push(`${name} gets ${frame.length}`),
      closed: (reason: string) => events.push(`${name} is closed: ${reason}`),
    })
    await network.transport('a').listen((connection) => connection.open(handlers('a')), limits)
    const dialled = network.transport('b').dial('A', limits, new AbortController().signal)
    runTurns()
    const connection: Connection = await dialled
    connection.open(handlers('b'))
    connection.send(new Uint8Array(3))
    connection.close('done')
    assert.deepEqual([connection.remoteAddress, connection.bufferedBytes, events], ['a', 3, []])
    runTurns()
    assert.deepEqual(events, ['a gets 3', 'b is closed: done', 'a is closed: closed by the other side: done'])
    assert.equal(connection.bufferedBytes, 0)
  })

  it('frees an address when its listener closes', async () => {
    const network = new MemoryNetwork()
    const listener = await network.transport('a').listen(() => {}, limits)
    await listener?.close()
    assert.equal((await network.transport('a').listen(() => {}, limits))?.address, 'a')
    await listener?.close()
    await assert.rejects(
      network.transport('a').listen(() => {}, limits),
      { code: 'COORD_ADDRESS_IN_USE' },
    )
  })
})

function fixture(network: MemoryNetwork): TransportFixture {
  let count = 0
  return {
    transport() {
      count += 1
      return network.transport(`member-${count}`)
    },
    rivalOf: ({ address }) => network.transport(address),
    dialer: () => network.transport(),
    nowhere: 'nowhere',
  }
}

/** Runs what was scheduled in one turn backwards, in the next. */
function mixedUp(): (turn: () => void) => void {
  const turns: (() => void)[] = []
  return (turn) => {
    if (turns.push(turn) > 1) return
    setImmediate(() => {
      for (const each of turns.splice(0).reverse()) each()
    })
  }
}
