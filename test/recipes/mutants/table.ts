/**
 * Deliberate bugs of the recipes, at least two for each, and the tests that catch them. test/recipes/mutants.test.ts holds
 * that each edit still fits; test/slow/recipe-mutants.test.ts, that each is caught.
 */
export interface RecipeMutant {
  readonly recipe: string
  readonly title: string
  /** In lib/recipes, without `.ts`. */
  readonly file: string
  /** Occurs once. */
  readonly find: string
  readonly replace: string
  /** In test/recipes, without `.test.ts`. */
  readonly caughtBy: string
}

type Row = readonly [title: string, file: string, find: string, replace: string]

function of(recipe: string, caughtBy: string, ...rows: readonly Row[]): RecipeMutant[] {
  return rows.map(([title, file, find, replace]) => ({ recipe, caughtBy, title, file, find, replace }))
}

export const recipeMutants: readonly RecipeMutant[] = [
  ...of(
    'lock',
    'lock',
    ['nobody waits for who is before', 'line', '|| !manner.waitsFor(name)) continue', '|| name !== path) continue'],
    [
      'everybody watches the first',
      'line',
      'compareSequences(sequence, nearestSequence) < 0 ||',
      "(nearestSequence !== '' && compareSequences(sequence, nearestSequence) > 0) ||",
    ],
    [
      'readers wait for readers',
      'lock',
      'waitsFor: (name) => !isShared(name)',
      'waitsFor: (name) => isShared(name) || true',
    ],
    [
      'what is given back is held until its node is gone',
      'held',
      '      this.end()\n      this.#released = this.#giveBack()',
      '      this.#released = this.#giveBack().then(() => this.end())',
    ],
    [
      'an abandoned wait leaves its node',
      'line',
      '      void deleteOwn(host, session, path)\n      throw error',
      '      throw error',
    ],
  ),
  ...of(
    'semaphore',
    'lock',
    ['one lease too many', 'semaphore', '>= permits) return undefined', '> permits) return undefined'],
    [
      'a size that was set does not count',
      'semaphore',
      "typeof stored === 'number' ? stored : this.#permits",
      'this.#permits',
    ],
  ),
  ...of(
    'election',
    'election',
    [
      'a term begins while the last callback runs',
      'election',
      'await this.#onElected(term)',
      'void this.#onElected(term)',
    ],
    ['nobody who resigns goes', 'election', 'return this.isLeader ? this.#term : undefined', 'return undefined'],
  ),
  ...of(
    'schedule',
    'schedule',
    [
      'what was missed runs although it is skipped',
      'schedule',
      "this.#missed === 'once' || !isLate",
      "this.#missed !== 'all'",
    ],
    ['a job that failed is said to be done', 'schedule', "outcome = 'failed'\n", "outcome = 'done'\n"],
  ),
  ...of(
    'claim',
    'schedule',
    [
      'everybody gets the claim',
      'claim',
      "if (hasCode(error, 'COORD_NODE_EXISTS')) return false",
      "if (hasCode(error, 'COORD_NODE_EXISTS')) return true",
    ],
    ['a claim is kept for ever', 'claim', 'const ttlMs = keptMs ?? keptMsDefault', 'const ttlMs = keptMsDefault'],
  ),
  ...of(
    'queue',
    'queue',
    [
      'the first in line does not hear that an item is free again',
      'queue',
      'getChildren(this.#paths.taken, { watch: head?.watch, signal })',
      'getChildren(this.#paths.taken, { signal })',
    ],
    [
      'a claim whose outcome is unknown is forgotten',
      'queue',
      'void this.#giveBackUnknown(session, name, path, nonce)',
      'void nonce',
    ],
    [
      'the claim outlives its consumer',
      'queue',
      "{ type: 'create', path, data: toJson(nonce), mode: 'ephemeral' }",
      "{ type: 'create', path, data: toJson(nonce) }",
    ],
    ['an attempt is not counted', 'queue', '(stat.cversion + 1) / 2', '1'],
    [
      'priorities are ignored',
      'queue',
      'inSequence(others, this.#hasPriorities ? byPriority : undefined)',
      'inSequence(others)',
    ],
  ),
  ...of(
    'synchronous queue',
    'queue',
    [
      'an offer outlives its producer',
      'synchronous-queue',
      "{ mode: 'ephemeral-sequential', parents: true, signal }",
      "{ mode: 'persistent-sequential', parents: true, signal }",
    ],
    [
      'a put is over when it is offered',
      'synchronous-queue',
      "=== undefined ? 'taken' : undefined",
      "=== undefined ? 'taken' : 'taken'",
    ],
  ),
  ...of(
    'barrier',
    'coordination',
    [
      'a waiter does not watch the gate',
      'barrier',
      'session.exists(this.#path, { watch, signal })',
      'session.exists(this.#path, { signal })',
    ],
    [
      'a closed gate lets through',
      'barrier',
      'if (stat === undefined) return true',
      'if (stat !== undefined) return true',
    ],
  ),
  ...of(
    'double barrier',
    'coordination',
    [
      'a round whose participants died stays open',
      'double-barrier',
      'round.version > 0 && round.numChildren === 0',
      'round.version < 0 && round.numChildren === 0',
    ],
    [
      'who waits for the end does not watch the others',
      'double-barrier',
      'session.exists(below(this.#round, other), { watch, signal })',
      'session.exists(below(this.#round, other), { signal })',
    ],
  ),
  ...of(
    'counter',
    'coordination',
    [
      'a sum is written over one that was not seen',
      'counter',
      'data, version: at.version }], { ifHeld, signal }',
      'data }], { ifHeld, signal }',
    ],
    [
      'who was too late does not try again',
      'counter',
      'if (changed) return wanted',
      'if (changed !== undefined) return wanted',
    ],
  ),
  ...of(
    'names and ids',
    'coordination',
    [
      'a block reaches into the next one',
      'names',
      'new IdBlock(end - this.#block + 1, this.#block)',
      'new IdBlock(end - this.#block + 1, this.#block + 1)',
    ],
    [
      'a name is bound to a second target',
      'names',
      '(await this.resolve(name, { signal })) !== target) throw error',
      "(await this.resolve(name, { signal })) === '') throw error",
    ],
  ),
  ...of(
    'cache',
    'configuration',
    ['a transaction is published by halves', 'mirror', '    await Promise.resolve()\n    while', '    while'],
    [
      'a value that does not parse takes the last good one away',
      'cache',
      '      this.#errors.set(key, error)\n',
      '      this.#errors.set(key, error)\n      this.#values.delete(key)\n',
    ],
    [
      'a rollback stops at the newest revision',
      'revisions',
      'if (!values.has(key)) values.set(key, value)',
      'values.set(key, value)',
    ],
    ['a roll-out knows nobody by name', 'rollout', 'members.includes(member) || ', ''],
  ),
  ...of(
    'group',
    'presence',
    [
      'a member outlives its session',
      'presence',
      "session.create(path, data, { mode: 'ephemeral', parents: true })",
      'session.create(path, data, { parents: true })',
    ],
    [
      'who leaves stays on the list',
      'presence',
      'if (this.#session !== undefined) await deleteOwn',
      'if (this.#session === undefined) await deleteOwn',
    ],
  ),
  ...of(
    'services',
    'presence',
    ['draining instances are picked', 'services', 'filter(({ draining }) => !draining)', 'filter(() => true)'],
    [
      'a report has no effect',
      'services',
      'this.#reported.set(id, this.#host.clock.now() + this.#reportedMs)',
      'this.#reported.set(id, this.#host.clock.now())',
    ],
  ),
  ...of(
    'workers',
    'workers',
    [
      'a task is moved before its function has settled',
      'master',
      'const isHeld = isLive && !free',
      'const isHeld = isLive && !free && !revoked',
    ],
    ['the tasks of a dead worker stay with it', 'master', 'tasks.set(id, { id, lastName: name })', 'tasks.delete(id)'],
    [
      'what was assigned to a dead worker stays in its inbox',
      'master',
      'const isLive = state.workers.has(worker)',
      'const isLive = worker.length > 0',
    ],
    [
      'a task that fails is tried for ever',
      'master',
      'error !== undefined && attempt >= this.#attempts',
      'error !== undefined && attempt > 1_000_000',
    ],
    [
      'a worker goes on with what was taken from it',
      'workers',
      'if (assignment.revoked) current.run.stop()',
      'if (assignment.revoked) continue',
    ],
  ),
]
