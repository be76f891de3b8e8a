/** Charts as SVG: bars of one figure per setting, or curves of one figure against a number. They read on any background. */
import { digits } from '../statistics.ts'

const width = 760
const left = 200
const barHeight = 18
const font = 'font-family="sans-serif" font-size="12"'
const ink = '#888'
const colors = ['#2a7de1', '#e1812a', '#3aa655', '#a64ca6', '#888888', '#c23b3b']

export interface Bar {
  readonly label: string
  readonly median: number
  readonly least: number
  readonly most: number
}

export interface Group {
  readonly title: string
  readonly bars: readonly Bar[]
}

export interface Curve {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')

const text = (x: number, y: number, what: string, anchor = 'start', weight = 'normal'): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${font} fill="${ink}" text-anchor="${anchor}" font-weight="${weight}">${escaped(what)}</text>`

function svg(title: string, height: number, body: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`
  const all = [`<title>${escaped(title)}</title>`, text(8, 20, title, 'start', 'bold'), ...body]
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size}>\n${all.join('\n')}\n</svg>\n`
}

/** Each group has a scale of its own. A thin line spans least to most. */
export function bars(title: string, groups: readonly Group[]): string {
  const body: string[] = []
  let y = 36
  for (const { title: name, bars: group } of groups) {
    y += 18
    body.push(text(8, y, name))
    y += 8
    const most = Math.max(...group.map((bar) => bar.most))
    const scale = (value: number): number => (Math.max(0, value) / most) * (width - left - 110)
    group.forEach(({ label, median, least, most: top }, index) => {
      const middle = y + barHeight / 2
      const color = colors[index % colors.length]
      body.push(text(left - 8, middle + 4, label, 'end'))
      body.push(
        `<rect x="${left}" y="${y}" width="${scale(median).toFixed(1)}" height="${barHeight - 4}" fill="${color}"/>`,
      )
      const [from, to] = [left + scale(least), left + scale(top)].map((x) => x.toFixed(1))
      body.push(`<path d="M${from} ${middle - 2}H${to}" stroke="${ink}" stroke-width="2"/>`)
      body.push(text(left + scale(top) + 6, middle + 2, digits(median)))
      y += barHeight
    })
  }
  return svg(title, y + 16, body)
}

export interface Axes {
  readonly x: string
  readonly y: string
  readonly logarithmic: boolean
}

const plot = { top: 44, bottom: 300, left: 84, right: width - 170 } as const

/** All curves on one pair of axes, from 0 or, where it is logarithmic, from the power of ten below. */
export function curves(title: string, axes: Axes, lines: readonly Curve[]): string {
  const points = lines.flatMap((line) => line.points)
  const xs = [...new Set(points.map(([x]) => x))].sort((a, b) => a - b)
  const ys = points.map(([, y]) => y).filter((y) => y > 0)
  const [least, most] = axes.logarithmic
    ? [10 ** Math.floor(Math.log10(Math.min(...ys))), 10 ** Math.ceil(Math.log10(Math.max(...ys)))]
    : [0, Math.max(...ys)]
  // Numbers that grow by factors stand apart by their logarithm.
  const [first = 0, last = 1] = [xs[0], xs.at(-1)]
  const isGeometric = first > 0 && last / first > 50
  const along = (x: number): number => (isGeometric ? Math.log(x) : x)
  const xOf = (x: number): number =>
    plot.left + ((along(x) - along(first)) / (along(last) - along(first) || 1)) * (plot.right - plot.left)
  const up = (y: number): number =>
    axes.logarithmic ? (Math.log(Math.max(y, least)) - Math.log(least)) / (Math.log(most) - Math.log(least)) : y / most
  const yOf = (y: number): number => plot.bottom - up(y) * (plot.bottom - plot.top)

  const body = [text(8, 36, axes.y)]
  body.push(`<path d="M${plot.left} ${plot.top}V${plot.bottom}H${plot.right}" fill="none" stroke="${ink}"/>`)
  for (const y of ticks(least, most, axes.logarithmic)) {
    body.push(text(plot.left - 6, yOf(y) + 4, digits(y), 'end'))
    body.push(`<path d="M${plot.left} ${yOf(y).toFixed(1)}H${plot.right}" stroke="${ink}" stroke-opacity="0.25"/>`)
  }
  for (const x of xs) body.push(text(xOf(x), plot.bottom + 18, x.toLocaleString('en-US'), 'middle'))
  body.push(text((plot.left + plot.right) / 2, plot.bottom + 38, axes.x, 'middle'))
  lines.forEach(({ name, points: own }, index) => {
    const color = colors[index % colors.length]
    const sorted = [...own].sort(([a], [b]) => a - b)
    const path = sorted.map(([x, y], at) => `${at === 0 ? 'M' : 'L'}${xOf(x).toFixed(1)} ${yOf(y).toFixed(1)}`)
    body.push(`<path d="${path.join('')}" fill="none" stroke="${color}" stroke-width="2"/>`)
    for (const [x, y] of sorted) {
      body.push(`<circle cx="${xOf(x).toFixed(1)}" cy="${yOf(y).toFixed(1)}" r="3" fill="${color}"/>`)
    }
    const legend = plot.top + 8 + index * 20
    body.push(`<path d="M${plot.right + 14} ${legend}h18" stroke="${color}" stroke-width="2"/>`)
    body.push(text(plot.right + 38, legend + 4, name))
  })
  return svg(title, plot.bottom + 52, body)
}

function ticks(least: number, most: number, logarithmic: boolean): number[] {
  if (!logarithmic) return [0, 0.25, 0.5, 0.75, 1].map((share) => share * most)
  const powers: number[] = []
  for (let power = least; power <= most * 1.001; power *= 10) powers.push(power)
  return powers
}
