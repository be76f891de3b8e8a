/** Schedules that once failed (`npm run sim` shrinks a failure to such a file): none of them may fail again. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { tryRun } from './failure.ts'
import { parseSchedule, scheduleOf, stringifySchedule } from './schedule.ts'

const folder = fileURLToPath(new URL('regressions/', import.meta.url))

describe('regressions', () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.json'))) {
    it(name, () => {
      const failure = tryRun(parseSchedule(readFileSync(`${folder}${name}`, 'utf8')))
      assert.equal(failure, undefined, failure?.message)
    })
  }

  it('come out of their files as they went in', () => {
    const schedule = scheduleOf(7)
    const { about, ...read } = parseSchedule(stringifySchedule(schedule, { about: 'a seed' }))
    assert.equal(about, 'a seed')
    assert.deepEqual(read, schedule)
  })
})
