/** What happened around a violation, for people: one line per event, in the order of the world. */

import { textOf } from './model/text.ts'
import type { Recorder } from './recorder.ts'

interface Line {
  readonly order: number
  readonly at: number
  readonly text: string
}

/** How many lines are shown before and after the event that shows the violation. */
const before = 120
const after = 10
const widthMax = 200

export function timelineOf({ history, notes }: Recorder, order: number | undefined): string {
  const lines: Line[] = [...notes]
  for (const { id, stream, order: made, at, request, reply } of history.calls) {
    lines.push({ order: made, at, text: `call ${id} on ${nameOf(stream)}: ${textOf(request)}` })
    if (reply === undefined) continue
    const text = `answer to ${id} at ${reply.zxid.toString(16)}: ${textOf(reply.result)}`
    lines.push({ order: reply.order, at: reply.at, text })
  }
  for (const { order: applied, at, host, zxid, request, result } of history.entries) {
    const text = `${host} is the first to apply ${zxid.toString(16)}: ${textOf(request)} gives ${textOf(result)}`
    lines.push({ order: applied, at, text })
  }
  for (const { id, events, call } of history.watches) {
    for (const { order: fired, event } of events)
      lines.push({ order: fired, at: Number.NaN, text: `watch ${id} of call ${call} hears ${textOf(event)}` })
  }
  lines.sort((a, b) => a.order - b.order)
  const found = lines.findLastIndex((line) => line.order <= (order ?? Number.POSITIVE_INFINITY))
  const shown = lines.slice(Math.max(0, found - before), found + after + 1)
  return shown.map((line) => textOfLine(line, line.order === lines[found]?.order && order !== undefined)).join('\n')

  function nameOf(stream: number): string {
    const { life, session } = history.streams[stream] ?? {}
    return `${life} session ${session?.toString(16)}`
  }
}

function textOfLine({ order, at, text }: Line, isIt: boolean): string {
  const time = Number.isNaN(at) ? '' : at.toFixed(1)
  const line = `${isIt ? '>' : ' '} ${`${order}`.padStart(6)} ${time.padStart(9)} ${text}`
  return line.length > widthMax ? `${line.slice(0, widthMax)}…` : line
}
