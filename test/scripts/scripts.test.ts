/**
 * Scripts: text files of prose, commands and the trace that must come of them. UPDATE_SCRIPTS=1 writes the trace as it is
 * now: read the difference, and commit it only if you understand what caused it.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { perform } from './commands.ts'
import { ScriptWorld } from './world.ts'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** The text of a script, with its traces as they come now. */
function run(text: string): string {
  const world = new ScriptWorld()
  const blocks = text.trimEnd().split(/\n\n+/)
  return `${blocks.map((block) => runBlock(world, block)).join('\n\n')}\n`
}

/** Prose and commands, then `----` and the trace. A block without commands is prose. */
function runBlock(world: ScriptWorld, block: string): string {
  const [head = ''] = block.split(/^----$/m)
  const lines = head.trimEnd().split('\n')
  const commands = lines.filter((line) => !line.startsWith('#') && line !== '')
  if (commands.length === 0) return block
  world.lines.length = 0
  for (const command of commands) perform(world, command)
  return [...lines, '----', ...world.lines].join('\n')
}

describe('scripts', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.txt'))) {
    it(name, () => {
      const text = readFileSync(`${folder}${name}`, 'utf8')
      const now = run(text)
      if (process.env['UPDATE_SCRIPTS'] === '1') writeFileSync(`${folder}${name}`, now)
      else assert.equal(now, text)
    })
  }
})
