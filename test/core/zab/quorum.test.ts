import assert from 'node:assert/strict'
import { type Configuration, type MemberId, memberIdFrom } from '../../../lib/core/zab/configuration.ts'
import { isQuorum, reachedByQuorum } from '../../../lib/core/zab/quorum.ts'

/** Voters by their letters; the first ones are founders. */
function configurationOf(letters: string, founders: string = letters): Configuration {
  const voters = letters
    .split('')
    .map((letter) => ({ id: memberIdFrom(letter), name: letter, address: `host-${letter}` }))
  const addresses = founders.split('').map((letter) => `host-${letter}`)
  return { voters, observers: [], founders: addresses, seats: 5, features: 1, pinned: [], removed: [] }
}

const among =
  (letters: string) =>
  (id: MemberId): boolean =>
    letters.includes(id)

const values =
  (reached: Readonly<Record<string, number>>) =>
  (id: MemberId): number | undefined =>
    reached[id]

describe('quorum', () => {
  it('is a majority of the voters', () => {
    const three = [configurationOf('abc')]
    assert.ok(isQuorum(three, among('ab')))
    assert.ok(!isQuorum(three, among('a')))
    assert.ok(isQuorum([configurationOf('ab')], among('ab')))
    assert.ok(!isQuorum([configurationOf('ab')], among('a')))
    assert.ok(!isQuorum([configurationOf('abcd')], among('ab')))
    assert.ok(isQuorum([configurationOf('a')], among('a')))
  })

  it('does not count who has no vote', () => {
    assert.ok(!isQuorum([configurationOf('abc')], among('axyz')))
  })

  it('includes a founder', () => {
    const one = [configurationOf('abc', 'a')]
    assert.ok(!isQuorum(one, among('bc')))
    assert.ok(isQuorum(one, among('ab')))
  })

  it('is one of each configuration while they change', () => {
    const joint = [configurationOf('abc'), configurationOf('adc', 'abc')]
    assert.ok(!isQuorum(joint, among('bc')))
    assert.ok(!isQuorum(joint, among('ad')))
    assert.ok(isQuorum(joint, among('ac')))
    assert.ok(isQuorum(joint, among('abd')))
  })

  it('does not exist without a configuration', () => {
    assert.ok(!isQuorum([], () => true))
    assert.equal(
      reachedByQuorum<number>([], () => 1),
      undefined,
    )
  })

  it('has reached what its slowest member has', () => {
    const three = [configurationOf('abc')]
    assert.equal(reachedByQuorum(three, values({ a: 5, b: 3, c: 1 })), 3)
    assert.equal(reachedByQuorum(three, values({ a: 5, c: 1 })), 1)
    assert.equal(reachedByQuorum(three, values({ a: 5 })), undefined)
    assert.equal(reachedByQuorum([configurationOf('abc', 'c')], values({ a: 5, b: 3, c: 1 })), 1)
    assert.equal(reachedByQuorum([configurationOf('abc'), configurationOf('adc')], values({ a: 5, b: 4, c: 2 })), 2)
  })
})
