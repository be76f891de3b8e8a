/**
 * Docs, deviations and tests agree: every row of the list below stands in docs/SEMANTICS.md or among those without a
 * counterpart in docs/DEVIATIONS.md, and has tests; what differs is told in all three places.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const textOf = (name: string): string => readFileSync(join(root, name), 'utf8')

const numbered = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`)
const named = (prefix: string, names: string): string[] => names.split(' ').map((name) => `${prefix}-${name}`)

/** Every rule of ZooKeeper's that is known here, by its id. */
const rows: readonly string[] = [
  ...numbered('DM-', 10),
  ...named('CM', 'persistent ephemeral container ttl'),
  ...numbered('CT-', 5),
  ...named('ST', 'create delete setData setAcl grandchild quota config'),
  ...numbered('ST-', 6),
  ...named('OP', 'create delete setData setAcl check exists getData getAcl session closeSession reconfig'),
  ...numbered('MU-', 8),
  ...named('WT', 'create setData delete none close config'),
  ...numbered('WA-', 13),
  ...numbered('SE-', 17),
  ...numbered('CO-', 5),
  ...numbered('AC-', 8),
  ...numbered('QU-', 6),
]
const vectors = numbered('G', 33)

const pattern = '(?:[A-Z]{2}-\\w+|G\\d+)'

function idsOf(page: string, pick: (line: string) => boolean = () => true): string[] {
  return [...page.matchAll(new RegExp(`^\\| (${pattern}) +\\|.*$`, 'gm'))]
    .filter(([line]) => pick(line))
    .map(([, id]) => id as string)
}

const [, byRow = '', withoutCounterpart = ''] =
  /## Row by row(.*?)Rows of ZooKeeper's that have no counterpart here:(.*?)\n## /s.exec(
    textOf('docs/DEVIATIONS.md'),
  ) ?? []
const semantics = textOf('docs/SEMANTICS.md')
const notHere = idsOf(withoutCounterpart)

const titles = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .flatMap((name) =>
    [...textOf(join('test', name)).matchAll(/\bit\((['"`])(.*?)\1,/g)].map(([, , title]) => title ?? ''),
  )
const tested = new Map<string, { differs: boolean }[]>()
for (const title of titles) {
  const [, id, differs] = new RegExp(`^(${pattern})(, differs)?: `).exec(title) ?? []
  if (id !== undefined) tested.set(id, [...(tested.get(id) ?? []), { differs: differs !== undefined }])
}

describe('the rows of the semantics', () => {
  it('stand in the docs, each once: as a rule, or as one without a counterpart', () => {
    const documented = [...idsOf(semantics), ...notHere]
    assert.deepEqual(documented.sort(), [...rows].sort())
  })

  it('have a test each, and so have the golden vectors; no test is of a row that is not known', () => {
    const expected = [...rows.filter((id) => !notHere.includes(id)), ...vectors]
    assert.deepEqual([...tested.keys()].sort(), expected.sort())
  })

  it('that differ are the same in SEMANTICS.md, in DEVIATIONS.md and in the titles of the tests', () => {
    const marked = idsOf(semantics, (line) => line.includes('_differs_'))
    const deviations = idsOf(byRow)
    const shown = [...tested].filter(([, tests]) => tests.some(({ differs }) => differs)).map(([id]) => id)
    assert.deepEqual(deviations.filter((id) => !id.startsWith('G')).sort(), marked.sort())
    assert.deepEqual(shown.sort(), [...deviations].sort())
  })
})
