/** The virtual disk by itself: what it says of those who write to a store that has failed. */
import assert from 'node:assert/strict'
import type { Level } from '../../adapters/storage-level/index.ts'
import { VirtualProcess } from '../../lib/testing/process.ts'
import { Scheduler } from '../../lib/testing/scheduler.ts'
import { VirtualDisk } from '../../lib/testing/virtual-disk.ts'

const put = (key: string): never[] => [{ type: 'put', key, value: Uint8Array.of(1) }] as never[]
const encodings = { keyEncoding: 'utf8', valueEncoding: 'view' } as const

class Fixture {
  readonly scheduler = new Scheduler()
  readonly disk = new VirtualDisk(true)
  readonly level: Level = this.disk.level(
    new VirtualProcess('a', this.scheduler, { offsetMs: 0, rate: 1, timersFirst: false }),
  )

  /** Whether it succeeded. */
  async write(key: string): Promise<boolean> {
    const written = this.level.batch(put(key), {}).then(
      () => true,
      () => false,
    )
    await this.scheduler.advance(1)
    return written
  }
}

/** A store of two entries whose last commit failed. */
async function failed(): Promise<Fixture> {
  const fixture = new Fixture()
  assert.deepEqual([await fixture.write('x'), await fixture.write('y')], [true, true])
  fixture.disk.failNextCommit('lost')
  assert.equal(await fixture.write('z'), false)
  return fixture
}

describe('the virtual disk', () => {
  it('counts a write to a store that failed', async () => {
    const fixture = await failed()
    assert.equal(await fixture.write('z'), true)
    assert.equal(fixture.disk.writesAfterFailure, 1)
  })

  it('counts one after a look at a part of it', async () => {
    const fixture = await failed()
    await fixture.level.get('x', encodings)
    await fixture.write('z')
    assert.equal(fixture.disk.writesAfterFailure, 1)
  })

  it('counts none after everything was read back, by key or in ranges', async () => {
    const fixture = await failed()
    await fixture.level.get('x', encodings)
    await fixture.level.iterator({ ...encodings, gte: 'y', lt: 'z' }).all()
    await fixture.write('z')
    assert.equal(fixture.disk.writesAfterFailure, 0)
  })
})
