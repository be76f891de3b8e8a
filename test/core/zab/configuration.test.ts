import assert from 'node:assert/strict'
import type { Batch, LogRequest } from '../../../lib/core/zab/batch.ts'
import { type Configuration, ConfigurationHistory, memberIdFrom } from '../../../lib/core/zab/configuration.ts'
import { type Zxid, zxidOf, zxidZero } from '../../../lib/core/zab/zxid.ts'

function configurationOf(letters: string): Configuration {
  const voters = letters
    .split('')
    .map((letter) => ({ id: memberIdFrom(letter), name: letter, address: `host-${letter}` }))
  const founders = voters.map(({ address }) => address)
  return { voters, observers: [], founders, seats: 5, features: 1, pinned: [], removed: [] }
}

const first = configurationOf('abc')
const second = configurationOf('abd')

function founded(): ConfigurationHistory {
  return new ConfigurationHistory([{ zxid: zxidZero, configuration: first, settledAt: zxidZero }])
}

function batchOf(counter: number, settled: Zxid, ...requests: LogRequest[]): Batch {
  const zxid = zxidOf(1, counter)
  return { first: zxid, previous: zxidOf(1, counter - 1), timeMs: 0, clockMs: 0, settled, requests }
}

const change: LogRequest = { type: 'reconfigure', configuration: second }
const noop: LogRequest = { type: 'noop' }

/** The change is entry 1.5. */
function changing(): ConfigurationHistory {
  const history = founded()
  history.append(batchOf(4, zxidZero, noop, change))
  return history
}

describe('configuration', () => {
  it('needs both quorums from the entry on, until it is settled', () => {
    const history = changing()
    assert.deepEqual(history.active, [first, second])
    assert.equal(history.pending?.zxid, zxidOf(1, 5))
    assert.ok(history.isVoter(memberIdFrom('c')))
    assert.ok(history.isVoter(memberIdFrom('d')))
    assert.equal(history.members().length, 4)
    history.append(batchOf(6, zxidZero, noop))
    assert.deepEqual(history.active, [first, second])
    history.append(batchOf(7, zxidOf(1, 5), noop))
    assert.deepEqual(history.active, [second])
    assert.equal(history.pending, undefined)
    assert.ok(!history.isVoter(memberIdFrom('c')))
  })

  it('allows one change at a time', () => {
    const history = changing()
    assert.throws(() => history.append(batchOf(6, zxidZero, change)), /while another change is pending/)
    history.append(batchOf(6, zxidOf(1, 5), change))
    assert.equal(history.pending?.zxid, zxidOf(1, 6))
  })

  it('goes back with a truncated log', () => {
    const settled = changing()
    settled.append(batchOf(7, zxidOf(1, 5), noop))
    settled.truncateAfter(zxidOf(1, 6))
    assert.deepEqual(settled.active, [first, second])
    settled.truncateAfter(zxidOf(1, 3))
    assert.deepEqual(settled.active, [first])
  })

  it('forgets what cannot come back, once it is applied', () => {
    const history = changing()
    history.append(batchOf(7, zxidOf(1, 5), noop))
    history.prune(zxidOf(1, 6))
    assert.equal(history.at(zxidOf(1, 7)).length, 2)
    history.prune(zxidOf(1, 7))
    assert.deepEqual(
      history.at(zxidOf(1, 7)).map(({ zxid }) => zxid),
      [zxidOf(1, 5)],
    )
  })

  it('tells a snapshot what the log said at its zxid', () => {
    const history = changing()
    history.append(batchOf(7, zxidOf(1, 5), noop))
    assert.equal(history.at(zxidOf(1, 4)).length, 1)
    assert.equal(history.at(zxidOf(1, 6)).at(-1)?.settledAt, undefined)
    assert.equal(history.at(zxidOf(1, 7)).at(-1)?.settledAt, zxidOf(1, 7))
  })

  it('is none for a member that has not heard of any', () => {
    const history = new ConfigurationHistory([])
    assert.ok(history.isEmpty)
    assert.deepEqual(history.active, [])
    assert.deepEqual(history.members(), [])
  })
})
