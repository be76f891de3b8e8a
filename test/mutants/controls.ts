/**
 * Changes that keep every promise: no seed may complain about one of them, or the checks demand more than is promised. Those from
 * H12 on look like bugs, and undo a precaution; what else makes up for it is said with each.
 */
import type { Edit, Mutant } from './mutant.ts'

const zab = (file: string, find: string, replace: string): Edit => ({ file: `lib/core/zab/${file}.ts`, find, replace })

export const controls: readonly Mutant[] = [
  {
    id: 'H1',
    title: 'of two equal candidates the one with the lesser id leads',
    edits: [
      zab('zab', 'return a.id < b.id ? -1 : a.id > b.id ? 1 : 0', 'return a.id < b.id ? 1 : a.id > b.id ? -1 : 0'),
    ],
  },
  {
    id: 'H2',
    title: 'a leader skips an epoch',
    edits: [zab('discovery', 'const epoch = promised + 1\n', 'const epoch = promised + 2\n')],
  },
  {
    id: 'H3',
    title: 'every learner gets a snapshot that has not applied more than its leader',
    edits: [
      zab(
        'synchronization',
        'const knowsNothing = learner.lastZxid === zxidZero\n',
        // A stream that is on its way already may be of an earlier state.
        'const knowsNothing = learner.lastZxid <= (zab.stream?.state.zxid ?? zab.machine.lastZxid)\n',
      ),
    ],
  },
  {
    id: 'H4',
    title: 'commits are told to learners one by one, in the reverse order of their coming',
    edits: [
      zab(
        'broadcast',
        '  for (const learner of leading.learners.values()) {\n    const isKnown = pending',
        '  for (const learner of [...leading.learners.values()].reverse()) {\n    const isKnown = pending',
      ),
    ],
  },
  {
    id: 'H5',
    title: 'proposals carry no commits',
    edits: [
      zab(
        'broadcast',
        "const message = { type: 'propose', batch, committed: zab.announceable } as const",
        "const message = { type: 'propose', batch, committed: zxidZero } as const",
      ),
      zab(
        'broadcast',
        "    if (learner.state === 'syncing' || learner.state === 'synced') zab.send(learner.member.id, message)\n  }\n  leading.announcedCommit = zab.announceable\n",
        "    if (learner.state === 'syncing' || learner.state === 'synced') zab.send(learner.member.id, message)\n  }\n",
      ),
    ],
  },
  {
    id: 'H6',
    title: 'the tail of the log is kept twice as long',
    edits: [
      zab(
        'log',
        'while (this.#entries > entries || this.#bytes > bytes) {',
        'while (this.#entries > entries * 2 || this.#bytes > bytes * 2) {',
      ),
    ],
  },
  {
    id: 'H7',
    title: 'a leader pings twice as often',
    edits: [
      zab(
        'broadcast',
        'leading.nextPing = zab.now + zab.options.timing.pingIntervalMs\n',
        'leading.nextPing = zab.now + zab.options.timing.pingIntervalMs / 2\n',
      ),
    ],
  },
  {
    id: 'H8',
    title: 'each request is a batch of its own',
    edits: [
      zab('broadcast', 'count > 0 && (bytes > zab.options.batchBytesMax || entries > batchEntriesMax)', 'count > 0'),
    ],
  },
  {
    id: 'H9',
    title: 'a follower acknowledges every write on its own',
    edits: [
      {
        file: 'lib/core/peer.ts',
        find: '    else this.#zab.deliver()\n  }',
        replace:
          "    else this.#zab.deliver()\n    if (this.#zab.role.name === 'following') broadcast.flushFollowing(this.#zab, this.#zab.role)\n  }",
      },
    ],
  },
  {
    id: 'H10',
    title: 'every leader begins with an empty entry of its own',
    edits: [
      zab(
        'synchronization',
        '  leading.announcedCommit = zab.announceable\n  for',
        "  leading.announcedCommit = zab.announceable\n  leading.pending.unshift({ requests: [{ type: 'noop' }] })\n  for",
      ),
    ],
  },
  {
    id: 'H11',
    title: 'the quorum is looked for from the other end of the list',
    edits: [
      zab(
        'quorum',
        'for (const voter of configuration.voters) {',
        'for (const voter of [...configuration.voters].reverse()) {',
      ),
    ],
  },
  {
    // Writes become durable in the order in which they leave, so with the epoch the log is durable.
    id: 'H12',
    title: 'what a leader relies on already: its NEWLEADER is durable after all that was appended before it',
    edits: [
      zab(
        'synchronization',
        '  if (!leading.epochCurrent || zab.log.durable !== zab.log.last) return\n',
        '  if (!leading.epochCurrent) return\n',
      ),
    ],
  },
  {
    // Only who has acknowledged NEWLEADER has one, and with it a configuration; and who has one joins nothing else under its id.
    id: 'H13',
    title: 'who joins keeps its current epoch',
    edits: [zab('founding', '    zab.epochs = { ...zab.epochs, current: 0 }\n', '')],
  },
  {
    // It is a promise all the same, to that leader alone: FIFO links bring the FOLLOWERINFO of a new attempt, or the news that it follows somebody else, before it.
    id: 'H14',
    title: 'a promise is given in whatever role',
    edits: [
      zab(
        'discovery',
        '  if (zab.role !== role || role.epoch !== epoch) return\n',
        '  if (zab.role.name !== role.name) return\n',
      ),
    ],
  },
  {
    // It follows this leader and has promised nobody a later epoch since: its FOLLOWERINFO would have said so, on the same link and earlier.
    id: 'H15',
    title: 'who is not synchronized confirms rounds',
    edits: [
      zab('broadcast', "return learner?.state === 'synced' ? learner.round : undefined", 'return learner?.round'),
    ],
  },
  {
    // It had a quorum's word after the read came, so what it names is late enough whoever leads by now.
    id: 'H16',
    title: 'a deposed leader still answers what it was asked',
    edits: [
      zab(
        'broadcast',
        "  if (from.peer.id !== following.leader.id) return\n  zab.outputs.push({ type: 'readReady'",
        "  if (from.peer.id === zab.id) return\n  zab.outputs.push({ type: 'readReady'",
      ),
    ],
  },
  {
    // Votes, promises and acknowledgements are counted by id: whoever leads without a vote leads with those of a quorum of others.
    id: 'H17',
    title: 'a member that forgot stands for election in the place of the voter that it was',
    edits: [
      zab(
        'zab',
        '    return this.configurations.isVoter(this.id)\n',
        '    return this.configurations.members().some(({ name }) => name === this.self.name)\n',
      ),
    ],
  },
  {
    // With a quorum's NEWLEADER acknowledgements all of the log is committed, under the epoch of this leader.
    id: 'H18',
    title: 'the configuration changes before an entry of its epoch is committed',
    edits: [
      zab(
        'membership',
        '  const hasOwnEntry = epochOf(zab.committed) === leading.epoch\n',
        '  const hasOwnEntry = epochOf(zab.committed) <= leading.epoch\n',
      ),
    ],
  },
  {
    // It has concluded that by itself.
    id: 'H19',
    title: 'a follower is told of commits that it knows of',
    edits: [
      zab(
        'broadcast',
        "learner.state === 'synced' && !isKnown) zab.send",
        "learner.state === 'synced' || isKnown) zab.send",
      ),
    ],
  },
  {
    // What the leader holds was never cut, and UPTODATE speaks of all of it.
    id: 'H20',
    title: 'what a leader acknowledged in its last epoch counts in the next one',
    edits: [
      zab('discovery', '  following.leaderAcked = zxidZero\n', ''),
      zab('discovery', '    learner.vouched = zxidZero\n', ''),
    ],
  },
]
