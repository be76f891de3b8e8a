/** What a run leaves: tables in Markdown, a JSON file with every window, and charts. Workloads not run keep theirs. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { goals } from '../goals.ts'
import { digits, median, quantile, spread } from '../statistics.ts'
import type { Row, Workload } from '../workload.ts'
import { bars, type Curve, curves, type Group } from './chart.ts'
import { type Comparison, compare } from './compare.ts'

/** One workload, as it was measured. */
export interface Measured {
  readonly what: string
  readonly at: string
  readonly machine: string
  readonly command: string
  readonly rows: readonly Row[]
}

export type Report = Readonly<Record<string, Measured>>

/** Settings one below the other, each with a line per contender. */
export function table(rows: readonly Row[]): string {
  const names = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))]
  const lines = [
    `| setting | contender | ${names.join(' | ')} |`,
    `| --- | --- |${' ---: |'.repeat(names.length)}`,
    ...rows.map(({ setting, contender, figures }) => {
      const cells = names.map((name) => (figures[name] === undefined ? '' : spread(figures[name])))
      return `| ${setting} | ${contender} | ${cells.join(' | ')} |`
    }),
  ]
  return lines.join('\n')
}

export function comparisonTable(comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(({ goal, setting, ratios, reached }) => {
    const sign = goal.wanted === 'more' ? '≥' : '≤'
    const bounds = `${sign} ${digits(goal.atLeast)} | ${goal.aim === undefined ? '–' : `${sign} ${digits(goal.aim)}`}`
    return `| ${setting} | ${goal.figure} | ${goal.against ?? '–'} | ${spread(ratios)} | ${bounds} | ${reached} |`
  })
  return [
    '| setting | figure | against | ratio or figure: median (least–most) | at least | aim | reached |',
    '| --- | --- | --- | ---: | ---: | ---: | --- |',
    ...lines,
  ].join('\n')
}

/** What a chart shows of rows where no goal says so: the first of these that they have. */
const shown = ['ops per CPU-s', 'ms']

function groupsOf(rows: readonly Row[], figure: string): Group[] {
  const settings = [...new Set(rows.filter(({ figures }) => figure in figures).map(({ setting }) => setting))]
  return settings.map((setting) => ({
    title: setting,
    bars: rows
      .filter((row) => row.setting === setting && figure in row.figures)
      .map(({ contender, figures }) => {
        const values = figures[figure] ?? []
        return { label: contender, median: median(values), least: quantile(values, 0), most: quantile(values, 1) }
      }),
  }))
}

export function chartOf(name: string, { chart }: Workload, rows: readonly Row[]): string | undefined {
  if (chart === undefined) {
    const aimedAt = goals.filter((goal) => goal.workload === name).map((goal) => goal.figure)
    const all = [...aimedAt, ...shown, ...rows.flatMap(({ figures }) => Object.keys(figures))]
    const figure = all.find((one) => rows.some(({ figures }) => one in figures))
    return figure === undefined ? undefined : bars(`${name}: ${figure}`, groupsOf(rows, figure))
  }
  const lines = new Map<string, [number, number][]>()
  for (const { setting, contender, figures } of rows) {
    const x = Number(/[\d,.]+/.exec(setting)?.[0].replaceAll(',', ''))
    const points = lines.get(contender) ?? []
    points.push([x, median(figures[chart.figure] ?? [])])
    lines.set(contender, points)
  }
  const all: Curve[] = [...lines].map(([contender, points]) => ({ name: contender, points }))
  return curves(chart.title, { x: chart.x, y: chart.figure, logarithmic: chart.logarithmic === true }, all)
}

/** Adds to what earlier runs left in this folder. */
export function writeResults(folder: string, workloads: Readonly<Record<string, Workload>>, fresh: Report): void {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'report.json')
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Report) : {}
  const merged: Record<string, Measured> = { ...before, ...fresh }
  const report = Object.fromEntries(
    Object.keys(workloads).flatMap((name) => (merged[name] === undefined ? [] : [[name, merged[name]]])),
  )
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`)
  for (const [name, { rows }] of Object.entries(report)) {
    const chart = chartOf(name, workloads[name] as Workload, rows)
    if (chart !== undefined) writeFileSync(join(folder, `${name}.svg`), chart)
  }
  writeFileSync(join(folder, 'report.md'), markdown(report))
}

export function markdown(report: Report): string {
  const comparisons = Object.entries(report).flatMap(([name, { rows }]) => compare(name, rows))
  const sections = Object.entries(report).map(
    ([name, { what, at, machine, command, rows }]) =>
      `## ${name}\n\n${what} ${at}, ${machine}, \`${command}\`.\n\n${table(rows)}\n`,
  )
  return `# Measured\n\n## Against what is aimed at\n\n${comparisonTable(comparisons)}\n\n${sections.join('\n')}`
}
