/**
 * The rules of the folders: what each may import, as one table. The linter knows the same walls by the spelling of an
 * import and tells about them in the editor; this test resolves each import and tells types from values.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'

interface Wall {
  /** A file, or a folder with all that is in it. The first row that fits a file holds. */
  readonly where: string
  /** Files, folders (`/` at the end) and packages it may import. Its own folder is always allowed. */
  readonly values: readonly string[]
  /** What it may import besides, by `import type` or `export type` alone. */
  readonly types?: readonly string[]
}

/** What every layer speaks of: zxids, session ids, stats, operations and their results. Plain values. */
const vocabulary = [
  'lib/core/zab/zxid.ts',
  'lib/core/tree/session-id.ts',
  'lib/core/tree/stat.ts',
  'lib/core/tree/operation.ts',
]

const walls: readonly Wall[] = [
  { where: 'lib/blocks.ts', values: [] },
  { where: 'lib/bytes.ts', values: [] },
  { where: 'lib/numbered.ts', values: ['lib/errors.ts'] },
  { where: 'lib/stable-hash.ts', values: [] },
  { where: 'lib/errors.ts', values: [] },
  {
    where: 'lib/core/zab/',
    values: [
      'lib/blocks.ts',
      'lib/errors.ts',
      'lib/numbered.ts',
      'lib/core/tree/operation.ts',
      'lib/core/tree/session-id.ts',
    ],
  },
  { where: 'lib/core/tree/', values: ['lib/bytes.ts', 'lib/errors.ts', 'lib/core/zab/zxid.ts'] },
  { where: 'lib/core/', values: ['lib/errors.ts'] },
  {
    where: 'lib/wire/',
    values: [
      'lib/bytes.ts',
      'lib/errors.ts',
      'cbor-x/decode',
      ...vocabulary,
      'lib/core/zab/configuration.ts',
      'lib/core/zab/message.ts',
    ],
    types: ['lib/core/'],
  },
  { where: 'lib/ports/', values: [], types: ['lib/errors.ts', 'lib/core/'] },
  {
    where: 'lib/runtime/',
    values: [
      'lib/blocks.ts',
      'lib/bytes.ts',
      'lib/errors.ts',
      'lib/numbered.ts',
      'lib/stable-hash.ts',
      'lib/core/',
      'lib/wire/',
      'lib/ports/',
      'node:',
    ],
  },
  {
    where: 'lib/api/',
    values: [
      'lib/bytes.ts',
      'lib/errors.ts',
      'lib/numbered.ts',
      'lib/ports/',
      'lib/core/tree/path.ts',
      'lib/core/tree/acl.ts',
      'lib/core/tree/quota.ts',
      ...vocabulary,
      'node:events',
    ],
  },
  {
    where: 'lib/recipes/',
    values: ['lib/errors.ts', 'lib/stable-hash.ts', 'lib/api/', 'node:events', 'croner'],
    types: ['lib/ports/'],
  },
  {
    where: 'lib/client.ts',
    values: ['lib/errors.ts', 'lib/api/', 'lib/recipes/', 'node:events'],
    types: ['lib/ports/'],
  },
  {
    where: 'lib/coord.ts',
    values: ['lib/errors.ts', 'lib/client.ts', 'lib/api/', 'lib/runtime/', 'node:events'],
    types: ['lib/ports/', 'lib/core/zab/zxid.ts'],
  },
  { where: 'lib/suites/', values: ['lib/errors.ts', 'lib/ports/', 'node:assert/strict'] },
  { where: 'lib/testing/', values: ['lib/', 'adapters/storage-level/', 'node:'] },
  { where: 'lib/index.ts', values: ['lib/', 'adapters/', 'node:', 'abstract-level'] },
  { where: 'adapters/storage-shared/', values: ['lib/errors.ts', 'lib/ports/'] },
  { where: 'adapters/storage-file/', values: ['lib/errors.ts', 'lib/ports/', 'adapters/storage-shared/', 'node:'] },
  {
    where: 'adapters/storage-level/',
    values: [
      'lib/errors.ts',
      'lib/ports/',
      'adapters/storage-shared/',
      'abstract-level',
      'classic-level',
      'memory-level',
      'node:',
    ],
  },
  { where: 'adapters/discovery-dns/', values: ['lib/ports/', 'node:'] },
  { where: 'adapters/discovery-file/', values: ['lib/ports/', 'node:'] },
  { where: 'adapters/node-cron/', values: [] },
  { where: 'adapters/transport-memory/', values: ['lib/errors.ts', 'lib/ports/', 'node:'] },
  {
    where: 'adapters/zookeeper/',
    values: [
      'lib/errors.ts',
      'lib/ports/',
      'lib/client.ts',
      'lib/coord.ts',
      'lib/api/',
      ...vocabulary,
      'lib/core/tree/path.ts',
      'lib/runtime/system-clock.ts',
      'lib/runtime/system-entropy.ts',
      'node:',
    ],
  },
  { where: 'adapters/transport-websocket/', values: ['lib/errors.ts', 'lib/ports/', 'ws', 'node:'] },
]

interface Import {
  /** What is imported: a path from the root of the project, or a package. */
  readonly from: string
  readonly typeOnly: boolean
}

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` (these begin their line) and `import('x')` anywhere. */
const statements = /^[ \t]*(?:import|export)\b(?<type>\s+type\b)?(?:[\w$\s{},*]*?\bfrom)?\s*['"](?<from>[^'"\n]+)['"]/gm
const dynamicImports = /\bimport\(\s*['"](?<from>[^'"\n]+)['"]/g

function importsOf(file: string, text: string): Import[] {
  return [...text.matchAll(statements), ...text.matchAll(dynamicImports)].map(({ groups }) => {
    const from = groups?.['from'] ?? ''
    return {
      from: from.startsWith('.') ? posix.join(posix.dirname(file), from) : from,
      typeOnly: groups?.['type'] !== undefined,
    }
  })
}

const fits = (name: string, place: string): boolean => (/[/:]$/.test(place) ? name.startsWith(place) : name === place)

/** What is wrong with the imports of a file, in words. */
function violations(file: string, text: string): string[] {
  const wall = walls.find(({ where }) => fits(file, where))
  if (!wall) return [`${file} stands in no folder of the table`]
  const { where, values, types = [] } = wall
  return importsOf(file, text)
    .filter(({ from, typeOnly }) => {
      const allowed = [where, ...values, ...(typeOnly ? types : [])]
      return !allowed.some((place) => fits(from, place))
    })
    .map(({ from, typeOnly }) => `${file} may not import ${typeOnly ? 'types of ' : ''}${from}`)
}

const sources = ['lib', 'adapters'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
)

describe('the folders', () => {
  it('import only what their row of the table allows', () => {
    assert.deepEqual(
      sources.flatMap((file) => violations(file, readFileSync(file, 'utf8'))),
      [],
    )
  })

  const planted: readonly (readonly [file: string, text: string, wrong: readonly string[]])[] = [
    ['lib/errors.ts', "import { zxidZero } from './core/zab/zxid.ts'", ['may not import lib/core/zab/zxid.ts']],
    ['lib/core/tree/apply.ts', "import { readFileSync } from 'node:fs'", ['may not import node:fs']],
    ['lib/core/tree/apply.ts', "export * from '../zab/quorum.ts'", ['may not import lib/core/zab/quorum.ts']],
    ['lib/core/tree/apply.ts', "import {\n  a,\n  b,\n} from '../peer.ts'", ['may not import lib/core/peer.ts']],
    ['lib/core/tree/apply.ts', "const os = await import('node:os')", ['may not import node:os']],
    ['lib/core/tree/apply.ts', "import { a } from '../zab/zxid.ts'\nimport './stat.ts'", []],
    ['lib/core/peer.ts', "import { a } from './tree/apply.ts'\nimport { b } from '../errors.ts'", []],
    ['lib/runtime/journal.ts', "import { Encoder } from 'cbor-x'", ['may not import cbor-x']],
    [
      'lib/runtime/journal.ts',
      "import { a } from '../../adapters/storage-level/index.ts'",
      ['may not import adapters/storage-level/index.ts'],
    ],
    ['lib/ports/link.ts', "import type { Stat } from '../core/tree/stat.ts'", []],
    ['lib/ports/link.ts', "import { statOf } from '../core/tree/stat.ts'", ['may not import lib/core/tree/stat.ts']],
    ['lib/ports/link.ts', "export type { A } from '../runtime/a.ts'", ['may not import types of lib/runtime/a.ts']],
    [
      'adapters/transport-memory/index.ts',
      "import '../transport-websocket/index.ts'",
      ['may not import adapters/transport-websocket/index.ts'],
    ],
    ['adapters/unheard-of/index.ts', '', ['stands in no folder of the table']],
  ]
  for (const [file, text, wrong] of planted) {
    it(`${wrong.length === 0 ? 'allow' : 'notice'} in ${file}: ${text.replaceAll('\n', ' ')}`, () => {
      assert.deepEqual(
        violations(file, text),
        wrong.map((what) => `${file} ${what}`),
      )
    })
  }
})
