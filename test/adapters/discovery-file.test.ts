/** A file of addresses, changed as people and orchestrators change files. */
import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileDiscovery } from '../../adapters/discovery-file/index.ts'
import { discoverySuite } from '../../lib/suites/index.ts'

const { signal } = new AbortController()

describe('discovery by a file', () => {
  let folder = ''
  let file = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'embedded-coord-'))
    file = join(folder, 'peers')
  })
  afterEach(() => rm(folder, { recursive: true }))

  discoverySuite({
    test: it,
    factory: () => ({
      discovery: fileDiscovery(file),
      set: (addresses) => writeFile(file, addresses.join('\n')),
      fail: () => rm(file, { force: true }),
    }),
  })

  it('leaves out empty lines, blanks and comments', async () => {
    await writeFile(file, '# founders\r\n\r\n  ws://a:7400  \nws://b:7400 # the new one\n\n')
    assert.deepEqual(await fileDiscovery(file).find(signal), ['ws://a:7400', 'ws://b:7400'])
    await writeFile(file, '# nobody yet\n')
    assert.deepEqual(await fileDiscovery(file).find(signal), [])
  })

  it('follows a link that is led elsewhere, as a ConfigMap is, and a file that is renamed into place', async () => {
    for (const [version, address] of [
      ['one', 'ws://a:1'],
      ['two', 'ws://b:2'],
    ] as const) {
      await mkdir(join(folder, version))
      await writeFile(join(folder, version, 'peers'), address)
    }
    await symlink(join(folder, 'one'), join(folder, 'data'))
    const discovery = fileDiscovery(join(folder, 'data', 'peers'))
    assert.deepEqual(await discovery.find(signal), ['ws://a:1'])
    await symlink(join(folder, 'two'), join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'data'))
    assert.deepEqual(await discovery.find(signal), ['ws://b:2'])
    await writeFile(join(folder, 'draft'), 'ws://c:3')
    await rename(join(folder, 'draft'), join(folder, 'two', 'peers'))
    assert.deepEqual(await discovery.find(signal), ['ws://c:3'])
  })

  it('refuses what is no path', () => {
    for (const path of ['', undefined, 7]) assert.throws(() => fileDiscovery(path as string), TypeError)
  })
})
