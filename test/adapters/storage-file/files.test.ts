import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { behind, NodeFiles } from '../../../adapters/storage-file/files.ts'

describe('files', () => {
  let parent: string
  let files: NodeFiles

  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
    files = new NodeFiles(join(parent, 'a', 'b'))
    await files.makeDirectory()
    await files.makeDirectory()
  })

  after(() => rm(parent, { recursive: true }))

  it('are made, written in parts, read, renamed over another one, and removed', async () => {
    for (const mode of ['new', 'edit', 'durable'] as const) {
      const file = await files.open('one', mode)
      const many = Array.from({ length: 3000 }, (_, index) => Buffer.of(index & 0xff))
      await file.write([Buffer.from('abc'), new Uint8Array(), Buffer.from('def')], 2)
      await file.write([], 0)
      await file.write([new Uint8Array()], 0)
      await file.write(many, 8)
      await file.sync()
      assert.equal(await file.size(), 3008)
      const into = Buffer.alloc(4000)
      assert.equal(await file.read(into, 0), 3008)
      assert.equal(into.toString('latin1', 0, 8), '\0\0abcdef')
      assert.deepEqual(into.subarray(8, 3008), Buffer.concat(many))
      assert.equal(await file.read(into, 5000), 0)
      await file.close()
    }
    await (await files.open('two', 'new')).close()
    await files.rename('one', 'two')
    await files.syncDirectory()
    assert.deepEqual(await files.list(), ['two'])
    await (await files.open('two', 'new')).close()
    const emptied = await files.open('two', 'read')
    assert.equal(await emptied.size(), 0)
    await assert.rejects(emptied.write([Buffer.of(1)], 0), { code: 'EBADF' })
    await emptied.close()
    for (let attempt = 0; attempt < 2; attempt += 1) await files.remove('two')
    assert.deepEqual(await files.list(), [])
    for (const mode of ['read', 'edit', 'durable'] as const) {
      await assert.rejects(files.open('none', mode), { code: 'ENOENT' })
    }
  })

  it('of which the system took a part are written on from there', () => {
    const parts = [Buffer.from('ab'), new Uint8Array(), Buffer.from('cde')]
    const left = [0, 1, 2, 3, 4, 5].map((written) => Buffer.concat(behind(parts, written)).toString())
    assert.deepEqual(left, ['abcde', 'bcde', 'cde', 'de', 'e', ''])
    assert.deepEqual(behind(parts, 5), [])
    assert.deepEqual(behind([new Uint8Array()], 0), [])
  })

  it('on a disk that is full say so', async () => {
    if (process.platform !== 'linux') return
    const file = await new NodeFiles('/dev').open('full', 'edit')
    await assert.rejects(file.write([Buffer.of(1)], 0), { code: 'ENOSPC' })
    await assert.rejects(file.write([Buffer.of(1), Buffer.of(2)], 0), { code: 'ENOSPC' })
    await file.close()
  })
})
