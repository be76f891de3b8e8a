/** The list of marks is that of the sources. That each is reached, a longer run shows: `npm run sim -- --marks`. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { defences, marks } from './marks.ts'

const calls = /\bmark\(([^;\n]*)\)/g
const names = /'([a-z]+\.[a-zA-Z]+)'/g

function marksIn(folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  return files.flatMap((file) => {
    const text = readFileSync(`${folder}/${file}`, 'utf8')
    return [...text.matchAll(calls)].flatMap(([, inner = '']) =>
      [...inner.matchAll(names)].map(([, name = '']) => name),
    )
  })
}

describe('marks', () => {
  it('are all in the list, and all in the sources', () => {
    const found = new Set([...marksIn('lib/core'), ...marksIn('test/sim')])
    assert.deepEqual([...found].sort(), [...Object.keys(marks), ...Object.keys(defences)].sort())
  })
})
