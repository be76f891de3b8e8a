/**
 * Deliberate bugs of what surrounds the core: stores, links, sessions, watches, recipes. Each must be caught by the seeded
 * world of the whole library. M numbers are classes of bugs that coordination services have had, W numbers are rules of this
 * implementation.
 */
import type { Edit, Mutant } from './mutant.ts'

const store = (file: string, find: string, replace: string): Edit => ({
  file: `adapters/storage-level/${file}.ts`,
  find,
  replace,
})
const runtime = (file: string, find: string, replace: string): Edit => ({
  file: `lib/runtime/${file}.ts`,
  find,
  replace,
})

const recipe = (file: string, find: string, replace: string): Edit => ({
  file: `lib/recipes/${file}.ts`,
  find,
  replace,
})

const storesAndIdentity: readonly Mutant[] = [
  {
    id: 'M31',
    title: 'the checksum of a stored entry is not compared',
    in: 'world',
    needs: 'bit-flip',
    edits: [store('frame', 'if (checksum(key, bytes) !== crc) throw', 'if (crc === -1) throw')],
  },
  {
    id: 'M32',
    title: 'a damaged entry of the store is skipped',
    in: 'world',
    needs: 'bit-flip',
    edits: [
      store(
        'recover',
        'for (const [key, stored] of entries) frames.push({ key, frame: decodeFrame(key, kind, stored) })',
        `for (const [key, stored] of entries) {
        try {
          frames.push({ key, frame: decodeFrame(key, kind, stored) })
        } catch {
          // Skipped.
        }
      }`,
      ),
      store(
        'recover',
        'if (frame.link !== link) throw new Finding(`the log is broken between',
        'if (frame.link === -1) throw new Finding(`the log is broken between',
      ),
      store('recover', '  compareWithSeal(summaryOf(ledger), sealed)\n', '  void compareWithSeal\n'),
    ],
  },
  {
    id: 'M34',
    title: 'the log is purged before the checkpoint that stands for it is durable',
    in: 'world',
    scenario: 'powerCuts',
    edits: [
      runtime(
        'journal',
        '    const encoding = this.#beginEncoding(true)\n',
        '    const encoding = this.#beginEncoding(true)\n    this.#openGroup(false).purgeThrough = snapshot.zxid\n    this.#run()\n',
      ),
    ],
  },
  {
    id: 'M37',
    title: 'a member whose store is empty takes the identity that it had',
    in: 'world',
    scenario: 'wipedVoter',
    edits: [
      runtime(
        'member',
        'id: id === undefined ? this.#freshId() : memberIdFrom(id),',
        "id: id === undefined && storage.durable ? memberIdFrom(hex(new TextEncoder().encode(name.padEnd(idBytes, '-')))) : id === undefined ? this.#freshId() : memberIdFrom(id),",
      ),
    ],
  },
  {
    id: 'M45',
    title: 'a member without a disk is the voter that it was before it forgot',
    in: 'world',
    scenario: 'forgetfulVoter',
    edits: [
      runtime(
        'member',
        'id: id === undefined ? this.#freshId() : memberIdFrom(id),',
        "id: id === undefined && !storage.durable ? memberIdFrom(hex(new TextEncoder().encode(name.padEnd(idBytes, '-')))) : id === undefined ? this.#freshId() : memberIdFrom(id),",
      ),
    ],
  },
]

const journal: readonly Mutant[] = [
  {
    id: 'W2',
    title: 'a commit that failed is tried again, without a look at what is there',
    in: 'world',
    needs: 'sync-error',
    edits: [
      runtime(
        'journal',
        '      this.#failed = true\n      this.#handlers.failed(error)\n      return false\n',
        // Once: a full disk would be tried for ever.
        '      const again = group as { isAgain?: boolean }\n      if (again.isAgain !== true) {\n        again.isAgain = true\n        this.#groups.unshift(group)\n        return true\n      }\n      this.#failed = true\n      this.#handlers.failed(error)\n      return false\n',
      ),
      {
        file: 'adapters/storage-shared/guarded-storage.ts',
        find: '      this.#failure = error\n      throw this.#failed()\n',
        replace: '      throw this.#failed()\n',
      },
    ],
  },
]

const links: Mutant[] = [
  {
    id: 'M65',
    title: 'frames of a link are not numbered',
    in: 'world',
    scenario: 'hostileNetwork',
    edits: [
      runtime('peer-link', 'if (uint32At(frame, 4) !== this.#received) throw', 'if (uint32At(frame, 4) === -1) throw'),
    ],
  },
  {
    id: 'M65b',
    title: 'frames of an old link are taken for those of the new one',
    in: 'world',
    scenario: 'hostileNetwork',
    edits: [
      runtime('peer-link', 'if (uint32At(frame, 0) !== this.#tag) throw', 'if (uint32At(frame, 0) === -1) throw'),
      runtime('peer-link', 'if (uint32At(frame, 4) !== this.#received) throw', 'if (uint32At(frame, 4) === -1) throw'),
    ],
  },
]

links.push({
  id: 'M71',
  title: 'what waits for a slow peer has no bound',
  in: 'world',
  scenario: 'slowPeer',
  edits: [
    runtime(
      'peer-link',
      'if (this.#connection.bufferedBytes > this.#limits.bufferedBytesMax)',
      'if (this.#connection.bufferedBytes < 0)',
    ),
  ],
})

const sessions: readonly Mutant[] = [
  {
    id: 'M54',
    title: 'a session that moves is served before its new member has applied what it saw',
    in: 'world',
    edits: [
      runtime(
        'hosted-session',
        "    this.#host.submit({ type: 'attachSession', session, passwordHash, timeoutMs, generation: this.#generation })\n",
        "    this.#host.submit({ type: 'attachSession', session, passwordHash, timeoutMs, generation: this.#generation })\n    this.#setState('connected', 'at once')\n    this.#beginAll()\n    this.pump()\n",
      ),
    ],
  },
  {
    id: 'M54b',
    title: 'a read does not wait for the writes of its session before it',
    in: 'world',
    edits: [runtime('hosted-session', 'if (this.#calls.length > 0 || this.#state', 'if (this.#state')],
  },
]

const memory: readonly Mutant[] = [
  {
    id: 'W11',
    title: 'bytes that are kept give way to others while one thing is left in their block',
    in: 'world',
    edits: [{ file: 'lib/blocks.ts', find: 'if (block.held > 0) return', replace: 'if (block.held > 1) return' }],
  },
]

const watches: readonly Mutant[] = [
  {
    id: 'M62',
    title: 'a watch tells of nodes that its session may not read',
    in: 'world',
    edits: [runtime('hosted-session', "if (isPermitted(acl, 'r', this.#identities)) this", 'if (acl !== null) this')],
  },
  {
    id: 'M62b',
    title: 'a stream tells of nodes that its session may not read',
    in: 'world',
    edits: [
      runtime('watch-streams', "if (isAbout && isPermitted(acl, 'r', identities)) {", 'if (isAbout && acl !== null) {'),
    ],
  },
  {
    id: 'W1',
    title: 'a stream that was left behind goes on without saying so',
    in: 'world',
    scenario: 'slowWatchers',
    edits: [runtime('watch-streams', 'if (this.#told < this.#streams.window.start) {', 'if (this.#told < 0n) {')],
  },
]

const tree = (file: string, find: string, replace: string): Edit => ({
  file: `lib/core/tree/${file}.ts`,
  find,
  replace,
})

const quotas: readonly Mutant[] = [
  {
    id: 'W3',
    title: 'what is used of a quota is not counted anew from a snapshot',
    in: 'world',
    scenario: 'quotas',
    edits: [tree('restoration', '    tree.recountQuotas()\n', '')],
  },
  {
    id: 'W4',
    title: 'parents that come with a node do not count for their quota',
    in: 'world',
    scenario: 'quotas',
    edits: [tree('evaluate', 'for (let at = path; at !== nearest; at', 'for (let at = path; at === path; at')],
  },
  {
    id: 'W5',
    title: 'an inner quota does not take its nodes from the one around it',
    in: 'world',
    scenario: 'quotas',
    edits: [
      tree('data-tree', '    if (outer !== undefined) this.#showUsage(this.#quotas.get(outer.path) ?? outer)\n', ''),
    ],
  },
]

const recipes: readonly Mutant[] = [
  {
    id: 'M70',
    title: 'who waits in line does not look again when it wakes',
    in: 'world',
    scenario: 'lines',
    edits: [
      recipe(
        'line',
        'async (current, watch) => (current === session ? look(session, line, path, watch, signal, manner) : false),',
        'async (current, watch) => (current !== session ? false : isWoken ? true : look(session, line, path, () => { isWoken = true; watch() }, signal, manner)),',
      ),
      recipe(
        'line',
        '    const { path, token } = taken\n    try {\n      const isFirst',
        '    const { path, token } = taken\n    let isWoken = false\n    try {\n      const isFirst',
      ),
    ],
  },
  {
    id: 'M70b',
    title: 'everybody in line watches the first',
    in: 'world',
    scenario: 'lines',
    edits: [
      recipe(
        'line',
        'compareSequences(sequence, nearestSequence) < 0 ||',
        "(nearestSequence !== '' && compareSequences(sequence, nearestSequence) > 0) ||",
      ),
    ],
  },
  {
    id: 'M70c',
    title: 'who waits in line does not notice that the one before went while it looked',
    in: 'world',
    scenario: 'lines',
    edits: [
      recipe(
        'line',
        'if ((await session.exists(below(line, before), { watch, signal })) !== undefined) return undefined',
        'await session.exists(below(line, before), { watch, signal })\n    return undefined',
      ),
    ],
  },
  {
    id: 'M72',
    title: 'a place in line whose making is in doubt is forgotten',
    in: 'world',
    scenario: 'lines',
    edits: [recipe('line', '    void deleteByPrefix(host, session, line, id)\n    if (signal', '    if (signal')],
  },
  {
    id: 'W6',
    title: 'a claim goes with the session that made it',
    in: 'world',
    scenario: 'claims',
    edits: [recipe('claim', "{ mode: 'persistent-ttl', ttlMs, signal }", "{ mode: 'ephemeral', signal }")],
  },
  {
    id: 'W7',
    title: 'with each new percentage of a roll-out others come first',
    in: 'world',
    scenario: 'rollOuts',
    edits: [recipe('revisions', 'audience, salt: rollOut.salt,', 'audience, salt: this.#host.uniqueName(),')],
  },
  {
    id: 'W8',
    title: 'a roll-out that is completed is taken back',
    in: 'world',
    scenario: 'rollOuts',
    edits: [recipe('revisions', '        values: rollOut.values,\n', '        values: new Map(),\n')],
  },
  {
    id: 'W9',
    title: 'instances that drain are picked',
    in: 'world',
    scenario: 'balancing',
    edits: [
      recipe('services', 'this.#instances.filter(({ draining }) => !draining)', 'this.#instances.filter(() => true)'),
    ],
  },
  {
    id: 'W10',
    title: 'a key has its place by the order of the instances',
    in: 'world',
    scenario: 'balancing',
    edits: [
      recipe(
        'balancing',
        'return rendezvous(key, candidates, ({ id }) => id) as C',
        'return candidates[stableHash(key) % candidates.length] as C',
      ),
      recipe(
        'balancing',
        "import { rendezvous } from './rendezvous.ts'",
        "import { stableHash } from '../stable-hash.ts'",
      ),
    ],
  },
]

export const worldMutants: readonly Mutant[] = [
  ...storesAndIdentity,
  ...journal,
  ...links,
  ...memory,
  ...sessions,
  ...watches,
  ...quotas,
  ...recipes,
]
