import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { defaultGatewayLimits } from '../../../adapters/zookeeper/index.ts'
import { deviations } from '../../zookeeper/deviations.ts'

describe('docs/ZOOKEEPER.md', () => {
  it('has every limit of the gateway, with its default', () => {
    const page = readFileSync('docs/ZOOKEEPER.md', 'utf8')
    const rows = new Map([...page.matchAll(/^\| `(\w+)` +\| ([\d,]+) +\|/gm)].map(([, name, value]) => [name, value]))
    assert.deepEqual(Object.fromEntries([...rows].map(([name, value]) => [name, Number(value?.replaceAll(',', ''))])), {
      ...defaultGatewayLimits,
    })
  })
})

describe('docs/DEVIATIONS.md', () => {
  it('names what the comparison with ZooKeeper lets pass', () => {
    const page = readFileSync('docs/DEVIATIONS.md', 'utf8')
    for (const { documented } of deviations) assert.ok(page.includes(documented), documented)
  })
})
