import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { type Coord, joinEnsemble, type Progress } from '../../lib/index.ts'

async function fill(coord: Coord, nodes: number): Promise<void> {
  await Promise.all(Array.from({ length: nodes }, (_, index) => coord.create(`/node-${index}`, new Uint8Array(100))))
}

/** Each phase ends with all of it done, and never goes back. */
function assertWhole(told: readonly Progress[], phase: Progress['phase']): void {
  const steps = told.filter((progress) => progress.phase === phase)
  const last = steps.at(-1)
  assert.ok(last !== undefined && last.total > 0 && last.done === last.total, JSON.stringify(last))
  steps.forEach(({ done, total }, index) => {
    assert.ok(done <= total && done >= (steps[index - 1]?.done ?? 0), JSON.stringify(steps))
  })
}

describe('progress', () => {
  it('is told of a snapshot and of what comes behind it', async () => {
    await using first = await joinEnsemble({ listen: { port: 0 }, name: 'first' })
    await fill(first, 3000)
    const told: Progress[] = []
    await using second = await joinEnsemble({
      listen: { port: 0 },
      name: 'second',
      peers: [first.member.address],
      onProgress: (progress) => told.push(progress),
    })
    assertWhole(told, 'snapshot')
    assert.ok(told.length > 3, 'a bar moves')
    const { children } = await second.getChildren('/')
    assert.equal(children.length, 3001)
  })

  it('is told of the reading back of a store', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'embedded-coord-progress-'))
    try {
      const before = await joinEnsemble({ storage: new ClassicLevel(dir), name: 'durable' })
      await fill(before, 500)
      await before.close()
      const told: Progress[] = []
      await using coord = await joinEnsemble({
        storage: new ClassicLevel(dir),
        name: 'durable',
        onProgress: (progress) => told.push(progress),
      })
      assertWhole(told, 'recovery')
      assert.equal((await coord.getChildren('/')).children.length, 501)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
})
