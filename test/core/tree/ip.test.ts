import assert from 'node:assert/strict'
import { ipMatches, isIpPattern } from '../../../lib/core/tree/ip.ts'

describe('addresses and networks', () => {
  it('are IPv4 or IPv6, with how many bits count', () => {
    for (const pattern of [
      '10.0.0.1',
      '0.0.0.0/0',
      '10.0.0.0/8',
      '::',
      '::1',
      '1::',
      '2001:db8::/32',
      '::ffff:10.0.0.1',
    ])
      assert.ok(isIpPattern(pattern), pattern)
    for (const pattern of ['', '10.0.0', '10.0.0.256', '10.0.0.1/33', '10.0.0.1/-1', '10.0.0.1/', '10.0.0.1/8/8', 'x'])
      assert.ok(!isIpPattern(pattern), pattern)
    for (const pattern of ['1', ':1', '1:2', '1::2::3', '12345::', '::1/129', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7::8'])
      assert.ok(!isIpPattern(pattern), pattern)
  })

  it('match by the bits that count, to the bit', () => {
    const matches: [address: string, pattern: string, matches: boolean][] = [
      ['10.0.0.1', '10.0.0.1', true],
      ['10.0.0.2', '10.0.0.1', false],
      ['10.255.0.1', '10.0.0.0/8', true],
      ['11.0.0.1', '10.0.0.0/8', false],
      ['10.0.0.130', '10.0.0.128/25', true],
      ['10.0.0.127', '10.0.0.128/25', false],
      ['1.2.3.4', '0.0.0.0/0', true],
      ['::1', '0.0.0.0/0', false],
      ['2001:db8:ffff::1', '2001:db8::/32', true],
      ['2001:db9::1', '2001:db8::/32', false],
      ['2001:0DB8::1', '2001:db8::1', true],
      ['::ffff:10.0.0.1', '10.0.0.1', true],
      ['10.0.0.1', '::ffff:10.0.0.1', true],
      ['nonsense', '0.0.0.0/0', false],
    ]
    for (const [address, pattern, expected] of matches)
      assert.equal(ipMatches(address, pattern), expected, `${address} in ${pattern}`)
  })
})
