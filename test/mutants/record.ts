/** Which seeds caught which mutant, and by which check: record.json, and the table of it in docs/TESTING.md. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutant.ts'

export interface RecordedKill {
  readonly seed: number
  readonly check: string
}

/** By mutant: the first seed that caught it, when it was searched for from seed 1 on, and a few more. */
export type KillRecord = Readonly<Record<string, readonly RecordedKill[]>>

const recordFile = fileURLToPath(new URL('record.json', import.meta.url))
const docsFile = fileURLToPath(new URL('../../docs/TESTING.md', import.meta.url))
const begin = '<!-- kills: made by npm run mutants -->'
const end = '<!-- /kills -->'

export function readRecord(): KillRecord {
  return JSON.parse(readFileSync(recordFile, 'utf8')) as KillRecord
}

export function writeRecord(record: KillRecord, mutants: readonly Mutant[]): void {
  const lines = mutants.flatMap(({ id }) => {
    const kills = record[id]
    return kills === undefined || kills.length === 0 ? [] : [`  "${id}": [${kills.map(textOf).join(', ')}]`]
  })
  writeFileSync(recordFile, `{\n${lines.join(',\n')}\n}\n`)
}

/** As the formatter has it. */
function textOf({ seed, check }: RecordedKill): string {
  return `{ "seed": ${seed}, "check": ${JSON.stringify(check)} }`
}

/** The rows of the table. */
export function tableOf(mutants: readonly Mutant[], record: KillRecord): string {
  const rows = mutants.map(({ id, title, in: where, scenario, isForMuseum }) => {
    if (isForMuseum === true) return [id, title, '', 'museum']
    const [first, ...more] = record[id] ?? []
    if (first === undefined) return [id, title, '', 'no seed is known yet']
    const checks = [...new Set([first, ...more].map(({ check }) => check))]
    const place = scenario ?? (where === 'lifetimes' ? 'lifetimes' : undefined)
    return [id, title, place === undefined ? `${first.seed}` : `${place} ${first.seed}`, checks.join(', ')]
  })
  const all = [['id', 'deliberate bug', 'seed', 'caught by'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(3, ...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(all[0] as string[]), rule, ...rows.map(line)].join('\n')
}

/** The table as the documentation has it. */
export function tableInDocs(): string {
  const text = readFileSync(docsFile, 'utf8')
  return text.slice(text.indexOf(begin) + begin.length, text.indexOf(end)).trim()
}

export function writeTable(table: string): void {
  const text = readFileSync(docsFile, 'utf8')
  const start = text.indexOf(begin)
  const stop = text.indexOf(end)
  if (start === -1 || stop === -1) throw new Error('docs/TESTING.md has no place for the table of kills')
  writeFileSync(docsFile, `${text.slice(0, start + begin.length)}\n\n${table}\n\n${text.slice(stop)}`)
}
