/**
 * Deliberate bugs of the core, one per rule that it must keep. M numbers are classes of bugs that coordination services
 * have had, X numbers are rules of this implementation,
 * Z numbers those of comparing states, L numbers those of slices, C numbers those of commits that followers conclude. Each must be caught by the simulator, by the world of lifetimes, or by an exhibit.
 */
import type { Edit, Mutant } from './mutant.ts'

const zab = (file: string, find: string, replace: string): Edit => ({ file: `lib/core/zab/${file}.ts`, find, replace })
const tree = (file: string, find: string, replace: string): Edit => ({
  file: `lib/core/tree/${file}.ts`,
  find,
  replace,
})
const peer = (find: string, replace: string): Edit => ({ file: 'lib/core/peer.ts', find, replace })
const tracker = (find: string, replace: string): Edit => ({ file: 'lib/core/session-tracker.ts', find, replace })

const electionAndEpochs: readonly Mutant[] = [
  {
    id: 'M1',
    title: 'an epoch is promised before the promise is durable',
    edits: [
      zab(
        'discovery',
        "{ kind: 'acceptEpoch', role: following, epoch })",
        "{ kind: 'acceptEpoch', role: following, epoch })\n  zab.send(from.peer.id, { type: 'ackEpoch', epoch, currentEpoch: zab.epochs.current, lastZxid: zab.log.last })",
      ),
    ],
  },
  {
    id: 'M2',
    title: 'one epoch is promised to two leaders',
    edits: [
      zab('discovery', ' && zab.epochs.acceptedFrom === from.peer.id\n', '\n'),
      zab('discovery', ' && message.acceptedFrom === zab.id\n', '\n'),
    ],
  },
  {
    id: 'M2b',
    title: 'a follower promises any epoch, also one below its promise',
    edits: [
      zab(
        'discovery',
        'if (epoch < zab.epochs.accepted || (epoch === zab.epochs.accepted && !isPromised)) {',
        'if (epoch < 0 && !isPromised) {',
      ),
      zab(
        'discovery',
        'if (message.acceptedEpoch < leading.epoch || promisedToUs) {',
        'if (leading.epoch > 0 || promisedToUs) {',
      ),
    ],
  },
  {
    id: 'M3',
    title: 'candidates are compared by zxid before epoch',
    edits: [
      zab(
        'zab',
        '  if (a.currentEpoch !== b.currentEpoch) return a.currentEpoch - b.currentEpoch\n  if (a.lastZxid !== b.lastZxid) return a.lastZxid > b.lastZxid ? 1 : -1\n',
        '  if (a.lastZxid !== b.lastZxid) return a.lastZxid > b.lastZxid ? 1 : -1\n  if (a.currentEpoch !== b.currentEpoch) return a.currentEpoch - b.currentEpoch\n',
      ),
    ],
  },
  {
    id: 'M5a',
    title: 'a NEWLEADER acknowledgement of an earlier epoch counts, whatever came since',
    edits: [
      zab(
        'synchronization',
        "if (learner?.state !== 'syncing' || message.epoch !== leading.epoch) return\n  learner.state = 'synced'",
        "if (learner === undefined) return\n  learner.state = 'synced'",
      ),
    ],
  },
  {
    id: 'M5c',
    title: 'commits are taken in whatever phase',
    edits: [
      zab(
        'broadcast',
        '  if (following.upToDateAt !== undefined) zab.advanceCommit(message.committed)\n',
        '  zab.advanceCommit(message.committed)\n',
      ),
    ],
  },
  {
    id: 'M5d',
    title: 'a promise of an earlier epoch counts',
    edits: [zab('discovery', ' || message.epoch !== leading.epoch) return\n  // An id', ') return\n  // An id')],
  },
  {
    id: 'M5e',
    title: 'an answer to an earlier attempt counts',
    edits: [zab('discovery', ' || message.attempt !== following.attempt) return', ') return')],
  },
  {
    id: 'M6',
    title: 'a leader picks the epoch after its own, whatever the others promised',
    edits: [
      zab(
        'discovery',
        '  for (const learner of leading.learners.values()) promised = Math.max(promised, learner.acceptedEpoch)\n',
        '',
      ),
    ],
  },
  {
    id: 'M7',
    title: 'an epoch that was promised and given up is used again',
    edits: [
      zab(
        'discovery',
        'let promised = Math.max(zab.epochs.accepted, zab.epochs.current)',
        'let promised = zab.epochs.current',
      ),
      zab(
        'discovery',
        '  for (const learner of leading.learners.values()) promised = Math.max(promised, learner.acceptedEpoch)\n',
        '',
      ),
      zab(
        'discovery',
        '(epoch === zab.epochs.accepted && !isPromised)) {',
        '(epoch < zab.epochs.current && !isPromised)) {',
      ),
    ],
  },
  {
    id: 'M8',
    title: 'who has no vote counts for the quorum of synchronization',
    scenario: 'fastObservers',
    edits: [
      zab(
        'synchronization',
        '  if (!isQuorum(active, hasAcknowledged)) return',
        '  const synced = [...leading.learners.keys()].filter(hasAcknowledged).length + 1\n  if (!active.every(({ voters }) => synced * 2 > voters.length)) return\n  if (active.length === 0) isQuorum(active, hasAcknowledged)',
      ),
    ],
  },
  {
    id: 'M9',
    title: 'half of the voters are a quorum',
    edits: [
      zab(
        'quorum',
        'present.length * 2 > configuration.voters.length',
        'present.length * 2 >= configuration.voters.length',
      ),
    ],
  },
  {
    id: 'M11',
    title: 'a leader proposes before a quorum acknowledged NEWLEADER',
    edits: [
      zab(
        'synchronization',
        '  if (!isQuorum(active, hasAcknowledged)) return\n',
        '  if (active.length > 9) isQuorum(active, hasAcknowledged)\n',
      ),
    ],
  },
  {
    id: 'M12',
    title: 'a leader that lost its quorum goes on',
    edits: [
      zab(
        'broadcast',
        'if (zab.now - leading.quorumContact > zab.options.timing.syncLimitMs) {',
        'if (zab.now - leading.quorumContact > 1e12) {',
      ),
    ],
  },
  {
    id: 'M13a',
    title: 'nobody joins an established leader',
    edits: [zab('election', '  if (established !== undefined) {', '  if (established !== undefined && zab.now < 0) {')],
  },
  {
    id: 'M13b',
    title: 'who reaches no quorum campaigns',
    edits: [
      zab(
        'election',
        'zab.isVoter && zab.isDrained && isQuorum(zab.configurations.active, (id) => id === zab.id || isAvailable(zab, id))',
        'zab.isVoter && zab.isDrained && isQuorum(zab.configurations.active, (id) => id === zab.id || isAvailable(zab, id) || true)',
      ),
    ],
  },
  {
    id: 'M15',
    title: 'a zxid goes through a JavaScript number',
    edits: [
      zab('zxid', 'const later = (zxid + BigInt(steps)) as Zxid', 'const later = BigInt(Number(zxid) + steps) as Zxid'),
    ],
  },
]

const synchronization: readonly Mutant[] = [
  {
    id: 'M16',
    title: 'TRUNC is skipped',
    edits: [zab('synchronization', '} else if (after !== zab.log.last) {', '} else if (after > zab.log.last) {')],
  },
  {
    id: 'M17',
    title: 'TRUNC cuts one batch too many, from the disk and from memory',
    edits: [
      zab(
        'synchronization',
        '  const isPrefix = common === learner.lastZxid\n',
        '  const isPrefix = common === learner.lastZxid\n  const shorter = isPrefix ? common : (log.lastBatchEndUpTo((common - 1n) as Zxid) ?? common)\n',
      ),
      zab(
        'synchronization',
        'after: common, entries: log.entriesAfter(common)',
        'after: shorter, entries: log.entriesAfter(shorter)',
      ),
      zab('synchronization', 'beginCatchingUp(learner, common)', 'beginCatchingUp(learner, shorter)'),
    ],
  },
  {
    id: 'M18a',
    title: 'TRUNC cuts the disk and not the memory',
    edits: [
      zab('synchronization', '    zab.log.truncateAfter(after)\n', ''),
      zab(
        'broadcast',
        '  if (message.batch.previous !== zab.log.last) {',
        '  if (message.batch.previous > zab.log.last) {',
      ),
    ],
  },
  {
    id: 'M18b',
    title: 'TRUNC cuts the memory and not the disk',
    edits: [zab('synchronization', '    zab.persist({ truncateAfter: after }, {', '    zab.persist({}, {')],
  },
  {
    id: 'M19',
    title: 'NEWLEADER is acknowledged before the log and the epoch are durable',
    edits: [
      zab(
        'synchronization',
        "{ kind: 'currentEpoch', role: following, epoch, lastZxid })",
        "{ kind: 'currentEpoch', role: following, epoch, lastZxid })\n  following.acknowledged = true\n  following.ackedThrough = lastZxid\n  zab.send(following.leader.id, { type: 'ackNewLeader', epoch, lastZxid })",
      ),
    ],
  },
  {
    id: 'M21',
    title: 'DIFF starts one batch late',
    edits: [
      zab(
        'synchronization',
        '  beginCatchingUp(learner, common)\n',
        '  beginCatchingUp(learner, common)\n  const [late] = log.after(common)\n  if (late !== undefined) learner.sentThrough = lastOf(late)\n',
      ),
    ],
  },
  {
    id: 'M22',
    title: 'a follower takes all of its log for committed at NEWLEADER',
    edits: [
      zab(
        'synchronization',
        '  const { epoch, lastZxid } = message\n',
        '  const { epoch, lastZxid } = message\n  zab.advanceCommit(lastZxid)\n',
      ),
    ],
  },
  {
    id: 'M25',
    title: 'a snapshot counts before all of it is here',
    edits: [
      zab('snapshot-stream', '  following.isLoading = true\n', '  following.isLoading = true\n  zab.log.reset(zxid)\n'),
    ],
  },
  {
    id: 'M26',
    title: 'an epoch that an earlier role had written counts in this one',
    edits: [
      zab(
        'synchronization',
        '  const { role, epoch, lastZxid } = purpose\n  if (zab.role !== role || role.epoch !== epoch) return\n',
        '  const { epoch, lastZxid } = purpose\n  const { role } = zab\n  if (role.name !== purpose.role.name) return\n',
      ),
    ],
    seedsMax: 10_000,
  },
  {
    id: 'M28',
    title: 'DIFF begins at what was purged',
    edits: [zab('log', '    if (zxid < this.#base) return undefined\n', '')],
  },
]

const logAndDisk: readonly Mutant[] = [
  {
    id: 'M29a',
    title: 'a follower acknowledges what is not durable',
    edits: [
      zab(
        'broadcast',
        'following.ackedThrough >= zab.log.durable) return',
        'following.ackedThrough >= zab.log.last) return',
      ),
      zab('broadcast', '  following.ackedThrough = zab.log.durable\n', '  following.ackedThrough = zab.log.last\n'),
      zab('broadcast', "{ type: 'ack', lastZxid: zab.log.durable }", "{ type: 'ack', lastZxid: zab.log.last }"),
    ],
  },
  {
    id: 'M29b',
    title: 'a leader counts itself for what is not durable',
    edits: [
      zab('broadcast', '  if (id === zab.id) return zab.log.durable\n', '  if (id === zab.id) return zab.log.last\n'),
      zab('broadcast', '(acked < zab.log.durable ? acked : zab.log.durable) as Zxid', 'acked as Zxid'),
    ],
  },
  {
    id: 'M35',
    title: 'the current epoch is durable before the log that it speaks of',
    edits: [
      zab(
        'discovery',
        '  following.wantsSnapshot = false\n  zab.epochs = { ...zab.epochs, accepted: epoch, acceptedFrom: from.peer.id }',
        '  following.wantsSnapshot = false\n  zab.epochs = { accepted: epoch, acceptedFrom: from.peer.id, current: epoch }',
      ),
      zab(
        'discovery',
        "{ type: 'ackEpoch', epoch, currentEpoch, lastZxid: zab.log.last, configured, received }",
        "{ type: 'ackEpoch', epoch, currentEpoch: currentEpoch * 0, lastZxid: zab.log.last, configured, received }",
      ),
    ],
    seedsMax: 10_000,
  },
]

const commitAndApply: readonly Mutant[] = [
  {
    id: 'M38',
    title: 'an entry is committed by half of the voters',
    edits: [
      zab(
        'quorum',
        'if (isQuorumOf(configuration, (member) => counted.has(member))) return value',
        'if (counted.size * 2 >= configuration.voters.length) return value',
      ),
    ],
  },
  {
    id: 'M40',
    title: 'a leader applies what is not committed',
    edits: [
      zab(
        'zab',
        'return this.committed < this.log.durable ?',
        "return this.role.name !== 'leading' && this.committed < this.log.durable ?",
      ),
    ],
  },
  {
    id: 'M42',
    title: 'a failed multi leaves its first operations behind',
    edits: [
      tree(
        'data-tree',
        'if (!succeeded) for (const revert of undo.reverse()) revert()',
        'if (!succeeded && undo.length > 99) for (const revert of undo.reverse()) revert()',
      ),
    ],
  },
  {
    id: 'M42b',
    title: 'a failed multi is taken back in the wrong order',
    edits: [tree('data-tree', 'for (const revert of undo.reverse()) revert()', 'for (const revert of undo) revert()')],
  },
  {
    id: 'M44a',
    title: 'times come from the clock of whoever applies',
    edits: [
      peer(
        'const { timeMs, clockMs, requests } = batch',
        'const { clockMs, requests } = batch\n    const timeMs = this.#zab.wallMs',
      ),
    ],
  },
  {
    id: 'M44b',
    title: 'the ephemeral nodes of a session go in the order of a Set',
    edits: [
      tree(
        'data-tree',
        'return places.sort((a, b) => (a.node.czxid < b.node.czxid ? -1 : Number(a.node.czxid > b.node.czxid)))',
        'return places',
      ),
      tree(
        'data-tree',
        '[...(this.#ephemerals.get(session) ?? [])].sort()',
        '[...(this.#ephemerals.get(session) ?? [])]',
      ),
    ],
  },
]

const membership: readonly Mutant[] = [
  {
    id: 'M46',
    title: 'the promise of a member that forgot counts as that of its predecessor',
    edits: [
      zab(
        'discovery',
        'return id === zab.id || leading.learners.get(id)?.isAhead === false',
        'return id === zab.id || namesake(zab, leading, id)?.isAhead === false',
      ),
      zab(
        'discovery',
        "leading.learners.get(id)?.state === 'promised'\n",
        "namesake(zab, leading, id)?.state === 'promised'\n",
      ),
      zab(
        'discovery',
        '(id) => id === zab.id || leading.learners.has(id))) startEpoch',
        '(id) => id === zab.id || namesake(zab, leading, id) !== undefined)) startEpoch',
      ),
      zab(
        'discovery',
        '/** Whether this one',
        'function namesake(zab: Zab, leading: Leading, id: MemberId) {\n  const name = zab.configurations.members().find((member) => member.id === id)?.name\n  return [...leading.learners.values()].find((learner) => learner.member.name === name)\n}\n\n/** Whether this one',
      ),
      zab(
        'election',
        "  return link?.notification?.role === 'looking' || link?.heldFollowerInfo !== undefined",
        "  const name = zab.configurations.members().find((member) => member.id === id)?.name\n  for (const one of zab.comrades()) if (one.peer.name === name && one.notification?.role === 'looking') return true\n  return link?.notification?.role === 'looking' || link?.heldFollowerInfo !== undefined",
      ),
      zab(
        'synchronization',
        "id === zab.id || leading.learners.get(id)?.state === 'synced'\n",
        "id === zab.id || [...leading.learners.values()].some((one) => one.state === 'synced' && one.member.name === zab.configurations.members().find((member) => member.id === id)?.name)\n",
      ),
    ],
  },
  {
    id: 'M48',
    title: 'the configuration changes while a change of it is on its way',
    edits: [
      zab('membership', '  if (pending !== undefined) {\n', '  if (pending !== undefined && zab.now < 0) {\n'),
      zab(
        'requests',
        "  if (pending !== undefined || latest?.settledAt === undefined) return 'later'",
        "  if (latest === undefined) return 'later'",
      ),
      zab(
        'requests',
        'return latest.settledAt <= zab.committed ? done',
        'return (latest.settledAt ?? 0n) <= zab.committed ? done',
      ),
    ],
  },
  {
    id: 'M50',
    title: 'during a change of the configuration the new quorum is enough',
    edits: [
      zab(
        'configuration',
        '    return [before.configuration, last.configuration]\n',
        '    return [last.configuration]\n',
      ),
    ],
  },
  {
    id: 'M50b',
    title: 'during a change of the configuration the old quorum is enough',
    edits: [
      zab(
        'configuration',
        '    return [before.configuration, last.configuration]\n',
        '    return [before.configuration]\n',
      ),
    ],
  },
  {
    id: 'M51',
    title: 'the promises of members without a vote count',
    edits: [
      zab(
        'discovery',
        '  if (!isQuorum(active, hasPromised)) return\n',
        "  const promised = [...leading.learners.values()].filter(({ state }) => state === 'promised').length + 1\n  if (!leading.epochPromised || !active.every(({ voters }) => promised * 2 > voters.length)) return\n  if (active.length === 0) isQuorum(active, hasPromised)\n",
      ),
      zab(
        'discovery',
        '(id) => id === zab.id || leading.learners.has(id))) startEpoch',
        '(id) => id === zab.id || leading.learners.has(id)) || active.every(({ voters }) => (leading.learners.size + 1) * 2 > voters.length)) startEpoch',
      ),
    ],
  },
  {
    id: 'M53',
    title: 'a newcomer is seated before it has caught up',
    edits: [
      zab(
        'membership',
        "    if (state !== 'synced' || configuration.removed.includes(member.id)) continue",
        "    if (state === 'discovery' || configuration.removed.includes(member.id)) continue",
      ),
      zab(
        'membership',
        "    if (state !== 'synced' || wish === 'leaving' || configuration.removed.includes(member.id)) continue",
        "    if (wish === 'leaving' || configuration.removed.includes(member.id)) continue",
      ),
    ],
  },
  {
    id: 'Y6',
    title: 'a seat passes on although its voter is here',
    edits: [
      zab(
        'seats',
        '    if (!attendance.hasFailed(voter.id)) continue\n',
        '    if (voter.id === attendance.leader) continue\n',
      ),
    ],
  },
  {
    id: 'Y7',
    isForMuseum: true,
    title: 'the only voter gives its seat up to nobody who has none yet',
    edits: [
      zab(
        'requests',
        '  if (heir !== undefined && configuration !== undefined) return { change: withVoter(configuration, heir) }\n',
        '',
      ),
    ],
  },
]

/** Of ensembles that are forgotten, given up, and follow each other. */
const lifetimes: readonly Mutant[] = [
  {
    id: 'X80',
    title: 'who holds nothing of an ensemble yet says that it belongs to it',
    in: 'lifetimes',
    edits: [
      zab(
        'founding',
        "return presence === 'member' && zab.configurations.isEmpty ? 'joining' : presence",
        'return presence',
      ),
    ],
  },
  {
    id: 'X81',
    isForMuseum: true,
    title: 'what was acknowledged in an ensemble that was given up counts in the next one',
    edits: [
      zab(
        'founding',
        '    zab.configurations = new ConfigurationHistory([])\n    zab.marks = new Marks()\n',
        '    zab.configurations = new ConfigurationHistory([])\n',
      ),
      zab('founding', 'what they acknowledged there is not here.\n  zab.marks = new Marks()\n', 'nothing.\n'),
    ],
  },
  {
    id: 'X82',
    isForMuseum: true,
    title: 'who knows of the founding alone is not told that a majority lost its memory',
    edits: [
      zab('memory-loss', '  if (isServing(zab.role)) return false\n', '  if (!isWithoutLeader(zab)) return false\n'),
    ],
  },
  {
    id: 'X83',
    title: 'nobody is told of a lost majority while somebody tries to lead',
    in: 'lifetimes',
    seedsMax: 10_000,
    edits: [
      zab('memory-loss', "return role.name !== 'outside' && !isServing(role) &&", "return role.name === 'looking' &&"),
    ],
  },
]

const readsAndSessions: readonly Mutant[] = [
  {
    id: 'M55',
    title: 'a leader answers a linearizable read from what it knows, without asking a quorum',
    edits: [zab('broadcast', '{ ...asked, round: leading.round + 1 }', '{ ...asked, round: leading.confirmedRound }')],
  },
  {
    id: 'M55b',
    title: 'a round that began before the read confirms it',
    edits: [zab('broadcast', '{ ...asked, round: leading.round + 1 }', '{ ...asked, round: leading.round }')],
  },
  {
    id: 'M59',
    title: 'a leader ends a silent session without an entry',
    edits: [
      peer(
        "      broadcast.enqueue(this.#zab, leading, [{ type: 'expireSession', session, generation: tracked.generation }])",
        "      if (leading.round < 0) broadcast.enqueue(this.#zab, leading, [{ type: 'expireSession', session, generation: tracked.generation }])\n      this.#state.sessions.remove(session)",
      ),
    ],
  },
  {
    id: 'M63a',
    title: 'the results of writes are not in the snapshot',
    edits: [
      tree(
        'sessions',
        'const kept = results.map((result, index) =>',
        'const kept = results.slice(results.length).map((result, index) =>',
      ),
      tree('sessions', 'record.results.at(-1)?.cxid === (lastCxid === 0 ? undefined : lastCxid),', 'lastCxid >= 0,'),
    ],
  },
  {
    id: 'M63b',
    title: 'a write that is sent again is evaluated again',
    edits: [
      tree(
        'sessions',
        '    if (request.cxid === nextCxid) return undefined\n',
        '    if (request.cxid <= nextCxid) return undefined\n',
      ),
      tree(
        'sessions',
        "request.cxid === session.lastCxid + 1, 'a write",
        "request.cxid <= session.lastCxid + 1, 'a write",
      ),
    ],
  },
  {
    id: 'M66',
    title: 'a leader that was away blames the sessions for it',
    edits: [peer('    this.#tracker.postpone(lateMs)\n', '    if (lateMs < 0) this.#tracker.postpone(lateMs)\n')],
  },
  {
    id: 'M68',
    title: 'timeouts go by the wall clock',
    edits: [peer('this.#zab.now = instant.now', 'this.#zab.now = instant.wallMs - 1_790_000_000_000')],
  },
]

const ownRules: readonly Mutant[] = [
  {
    id: 'Y8',
    title: 'a member that freezes keeps the votes that it has',
    edits: [zab('founding', '  for (const link of zab.links.values()) forgetSaid(link)\n', '')],
    seedsMax: 100_000,
  },
  {
    id: 'X1',
    title: 'the tail is trimmed beyond what is applied',
    edits: [
      zab(
        'log',
        'if (first === undefined || lastOf(first.batch) > applied) break',
        'if (first === undefined || applied < 0n) break',
      ),
    ],
  },
  {
    id: 'X2',
    title: 'a truncated log still counts as durable to where it was',
    edits: [zab('log', '    if (this.#durable > zxid) this.#durable = zxid\n', '')],
  },
  {
    id: 'X4',
    title: 'a truncated configuration stays in force',
    edits: [zab('synchronization', '    zab.configurations.truncateAfter(after)\n', '')],
    seedsMax: 10_000,
  },
  {
    id: 'X5',
    title: 'a snapshot comes without its configurations',
    edits: [
      zab(
        'snapshot-stream',
        '  zab.configurations = new ConfigurationHistory(configurations)\n',
        '  if (zab.configurations.isEmpty) zab.configurations = new ConfigurationHistory(configurations)\n',
      ),
    ],
  },
  {
    id: 'X6',
    title: 'a change of the configuration counts as settled before it is committed',
    edits: [zab('broadcast', 'return pending.zxid <= zab.committed ? pending.zxid : zxidZero', 'return pending.zxid')],
    seedsMax: 10_000,
  },
  {
    id: 'X8',
    title: 'a quorum needs no founder',
    edits: [
      zab(
        'quorum',
        'isMajority && present.some((voter) => configuration.founders.includes(voter.address))',
        'isMajority',
      ),
    ],
    seedsMax: 10_000,
  },
  {
    id: 'X9',
    title: 'the next epoch of a leader is not told to its learners',
    edits: [
      zab(
        'discovery',
        "    zab.send(id, { type: 'newEpoch', attempt: learner.attempt, epoch })\n  }\n}",
        '    if (id === zab.id) learner.lastZxid = zxidZero\n  }\n}',
      ),
    ],
  },
  {
    id: 'X10',
    title: 'a leader is established before its own epoch is durable',
    edits: [
      zab(
        'synchronization',
        '  if (!leading.epochCurrent || zab.log.durable !== zab.log.last) return\n',
        '  if (zab.log.durable !== zab.log.last) return\n',
      ),
    ],
  },
  {
    id: 'X11',
    title: 'a leader takes for committed what its own disk does not hold',
    edits: [zab('broadcast', '(acked < zab.log.durable ? acked : zab.log.durable) as Zxid', 'acked as Zxid')],
  },
  {
    id: 'X12',
    title: 'who is being synchronized gets no proposals',
    edits: [
      zab(
        'broadcast',
        "if (learner.state === 'syncing' || learner.state === 'synced') zab.send(learner.member.id, message)",
        "if (learner.state === 'synced') zab.send(learner.member.id, message)",
      ),
    ],
  },
  {
    id: 'X13',
    title: 'UPTODATE carries the end of the log, not what is committed',
    edits: [
      zab(
        'synchronization',
        "{ type: 'upToDate', epoch, committed: zab.announceable }",
        "{ type: 'upToDate', epoch, committed: zab.log.last }",
      ),
    ],
  },
  {
    id: 'X14',
    title: 'a snapshot says that it stands at the end of the log',
    edits: [
      zab(
        'snapshot-stream',
        '  const { zxid, total } = state\n',
        '  const { total } = state\n  const zxid = zab.log.last\n',
      ),
    ],
  },
  {
    id: 'X15',
    isForMuseum: true,
    title: 'acknowledgements count before NEWLEADER is acknowledged',
    edits: [
      zab(
        'broadcast',
        "if (learner?.state !== 'synced' || message.lastZxid <= learner.acked) return",
        'if (learner === undefined || message.lastZxid <= learner.acked) return',
      ),
      zab(
        'broadcast',
        "return learner?.state === 'synced' ? learner.acked : undefined",
        "return learner?.state === 'discovery' ? undefined : (learner?.lastZxid ?? 0n) > (learner?.acked ?? 0n) ? learner?.lastZxid : learner?.acked",
      ),
    ],
  },
  {
    id: 'X16',
    title: 'a follower serves before it is told that it is up to date',
    edits: [
      zab(
        'synchronization',
        '    role.ackedThrough = lastZxid\n',
        "    role.ackedThrough = lastZxid\n    role.phase = 'broadcast'\n",
      ),
    ],
  },
  {
    id: 'X17',
    title: 'a leader uses its counter up',
    edits: [
      zab(
        'broadcast',
        'if (counterOf(zab.log.last) <= counterLast ||',
        'if (counterOf(zab.log.last) <= counterLast * 1e9 ||',
      ),
    ],
  },
  {
    id: 'X18',
    title: 'a new leader grants the sessions nothing',
    edits: [
      peer(
        'this.#tracker.touch(id, timeoutMs, this.#zab.now)\n  }\n\n  #noteEnding',
        'this.#tracker.touch(id, timeoutMs / 100, this.#zab.now)\n  }\n\n  #noteEnding',
      ),
    ],
  },
  {
    id: 'X18b',
    title: 'a new leader watches over no session that it finds',
    edits: [
      peer(
        '    for (const { id, timeoutMs } of this.#state.sessions.list()) this.#tracker.touch(id, timeoutMs, this.#zab.now)\n',
        '',
      ),
    ],
  },
  {
    id: 'X19',
    title: 'an attachment of an earlier generation takes a session back',
    edits: [
      tree(
        'sessions',
        "    if (request.generation < session.generation) return failure('COORD_SESSION_MOVED')\n    if (request.generation > session.generation) {",
        '    if (request.generation !== session.generation) {',
      ),
    ],
    seedsMax: 10_000,
  },
  {
    id: 'X20',
    title: 'a write of an earlier generation is evaluated',
    edits: [
      tree(
        'sessions',
        'if (request.generation !== session.generation) return',
        'if (request.generation > session.generation) return',
      ),
    ],
  },
  {
    id: 'X21',
    title: 'a write is evaluated although one before it is missing',
    edits: [
      tree(
        'sessions',
        "    if (request.cxid > nextCxid) return { type: 'gap', nextCxid }\n    if (request.cxid === nextCxid) return undefined\n",
        '    if (request.cxid >= nextCxid) return undefined\n',
      ),
      tree('sessions', "request.cxid === session.lastCxid + 1, 'a write", "request.cxid > session.lastCxid, 'a write"),
    ],
  },
  {
    id: 'X22',
    title: 'the ephemeral nodes of a session outlive it',
    edits: [
      tree(
        'apply',
        '    deleteEphemerals(context)\n',
        '    if (context.changes.length > 0) deleteEphemerals(context)\n',
      ),
    ],
  },
  {
    id: 'X23',
    title: 'an expiry ends a session that has been attached anew',
    edits: [
      tree(
        'sessions',
        'return this.#sessions.get(session)?.generation === generation',
        'return this.#sessions.has(session) && generation > 0',
      ),
    ],
  },
  {
    id: 'X25',
    title: 'the log clock of a new leader starts at nothing',
    edits: [zab('synchronization', 'clockMs: Math.max(zab.machine.clockMs, zab.log.clockMs) }', 'clockMs: 0 }')],
  },
  {
    id: 'X28',
    title: 'a newcomer takes the seat of a live member that it cannot see',
    edits: [zab('membership', "  return probe === 'gone'\n", '  return true\n')],
  },
  {
    id: 'X29',
    title: 'a newcomer with the name of a live member is never told',
    edits: [
      zab(
        'membership',
        'if (zab.now - newcomer.nameTakenSince > zab.options.timing.syncLimitMs) {',
        'if (zab.now - newcomer.nameTakenSince > 1e12) {',
      ),
    ],
  },
  {
    id: 'X31',
    title: 'a follower waits for a silent leader for ever',
    edits: [
      zab(
        'broadcast',
        'if (zab.now - following.lastContact <= zab.options.timing.syncLimitMs) return',
        'if (zab.now - following.lastContact <= 1e12) return',
      ),
    ],
  },
  {
    id: 'X32',
    title: 'a learner whose link is down still counts',
    edits: [
      peer(
        "    if (role.name === 'leading') forgetLearner(role, id)\n    if (role.name === 'following' && role.leader.id === id) {",
        "    if (role.name === 'following' && role.leader.id === id) {",
      ),
    ],
  },
  {
    id: 'X33',
    title: 'a vote that was taken back still counts',
    edits: [zab('election', '  if (message.leader?.id !== zab.id) from.heldFollowerInfo = undefined\n', '')],
  },
  {
    id: 'X34',
    title: 'no would-be leader yields',
    edits: [
      zab(
        'discovery',
        '    if (yieldToBetterCandidate(zab)) return\n',
        '    if (zab.now < 0 && yieldToBetterCandidate(zab)) return\n',
      ),
    ],
  },
  {
    id: 'X35',
    title: 'a voter is elected while its writes are on their way',
    edits: [
      zab('election', 'zab.isVoter && zab.isDrained && isQuorum', 'zab.isVoter && isQuorum'),
      zab('election', '  if (!zab.isDrained) return\n', ''),
    ],
  },
  {
    id: 'X38',
    title: 'a member of an ensemble prepares another one',
    edits: [
      zab(
        'founding',
        "if (zab.belonging.presence === 'member') return 'belongs to an ensemble'",
        "if (zab.belonging.presence === 'prepared' && zab.id === zab.belonging.cluster) return 'belongs to an ensemble'",
      ),
    ],
  },
  {
    id: 'X39',
    title: 'a founder says that it is prepared before that is durable',
    edits: [
      zab(
        'founding',
        '  persistPreparation(zab, preparation)\n}\n',
        "  persistPreparation(zab, preparation)\n  zab.send(from.peer.id, { type: 'prepared', cluster: preparation.cluster })\n}\n",
      ),
    ],
  },
  {
    id: 'X40',
    title: 'an ensemble is founded without the last of its founders',
    edits: [
      zab(
        'founding',
        'if (!attempt.members.every(({ id }) => attempt.prepared.has(id))) return',
        'if (attempt.prepared.size < attempt.members.length - 1) return',
      ),
    ],
  },
  {
    id: 'X41',
    title: 'a leader counts its own promise before it is durable',
    edits: [
      zab('discovery', 'id === zab.id ? leading.epochPromised :', 'id === zab.id ? leading.epoch !== undefined :'),
    ],
  },
  {
    id: 'X44',
    title: 'a linearizable read is answered with the last zxid that everybody has',
    edits: [
      zab(
        'broadcast',
        "{ type: 'readIndexReply', id, zxid: visibleThrough(zab, leading) }",
        "{ type: 'readIndexReply', id, zxid: zab.log.base }",
      ),
    ],
  },
  {
    id: 'X46',
    title: 'a session is vouched for although its end is in the log',
    edits: [
      peer(
        'if (known === undefined || this.#tracker.isEnding(session)) ended.push(session)',
        'if (known === undefined) ended.push(session)',
      ),
    ],
    seedsMax: 10_000,
  },
  {
    id: 'X47',
    title: 'heartbeats do not keep a session alive',
    edits: [peer('      else this.#tracker.touch(session, known.timeoutMs, this.#zab.now)\n', '')],
  },
  {
    id: 'X48',
    title: 'a session that nobody vouches for lives on',
    edits: [
      tracker('      if (deadline <= now) overdue.push(session)\n', '      if (deadline < 0) overdue.push(session)\n'),
    ],
  },
  {
    id: 'X49',
    title: 'a closing session is not watched over any more when its end is lost',
    edits: [peer('    this.#tracker.clear()\n', '')],
    seedsMax: 10_000,
  },
  {
    id: 'X50',
    title: 'an ensemble that is frozen by a founding still elects',
    edits: [zab('founding', "  if (role.name !== 'outside' || role.attempt !== undefined) becomeOutside(zab)\n", '')],
    seedsMax: 10_000,
  },
  {
    id: 'X53',
    title: 'the counter of a sequence is that of the children that are there',
    edits: [tree('evaluate', 'String(parent?.creates ?? 0)', 'String(parent?.numChildren ?? 0)')],
  },
  {
    id: 'X54',
    title: 'a deletion does not ask for the version',
    edits: [
      tree(
        'evaluate',
        "  if (!hasVersion(node, operation.version)) return failure('COORD_BAD_VERSION', path)\n  if (node.numChildren",
        '  if (node.numChildren',
      ),
    ],
  },
  {
    id: 'X55',
    title: 'the children of a node do not move its pzxid',
    edits: [
      tree(
        'data-tree',
        '    this.#unlink(parent, path, node)\n    fields.pzxid = zxid\n',
        '    this.#unlink(parent, path, node)\n',
      ),
    ],
  },
  {
    id: 'X56',
    title: 'a snapshot forgets the data of a node',
    edits: [
      tree(
        'znode',
        'packed: packNode(fields), longData',
        'packed: packNode({ ...fields, data: fields.data?.map(() => 0) }), longData',
      ),
    ],
  },
  {
    id: 'X57',
    title: 'the last chunk of a snapshot is not sent',
    edits: [
      zab(
        'snapshot-stream',
        '  if (!stream.state.isDone || reader.sent < produced(stream)) return false\n',
        '  if (!stream.state.isDone || reader.sent < produced(stream) - 1) return false\n',
      ),
    ],
  },
  {
    id: 'X58',
    title: 'a leader is deposed by a voter that reaches nobody',
    edits: [
      zab(
        'election',
        'if (notification === undefined || !mayBeElected(notification)) continue',
        'if (notification === undefined) continue',
      ),
    ],
  },
  {
    id: 'X59',
    title: 'a would-be leader goes on although a voter is ahead of it',
    edits: [
      zab(
        'discovery',
        'const mustYield = isAhead && leading.phase',
        'const mustYield = isAhead && zab.now < 0 && leading.phase',
      ),
    ],
  },
  {
    id: 'X61',
    title: 'candidates of one epoch are not compared by their logs',
    edits: [zab('zab', '  if (a.lastZxid !== b.lastZxid) return a.lastZxid > b.lastZxid ? 1 : -1\n', '')],
  },
  {
    id: 'X62',
    title: 'a snapshot is taken over in memory and not on the disk',
    edits: [
      zab(
        'snapshot-stream',
        'zab.persist({ install: { zxid, configurations, marks, state: state.freeze() } }',
        'zab.persist({}',
      ),
    ],
  },
  {
    id: 'X70',
    title: 'data that changes while a snapshot is read is in it',
    edits: [
      tree(
        'data-tree',
        '  setData({ path, node }: Place, data: Uint8Array | undefined, stamp: EntryStamp): void {\n    this.#freeze?.keep(path, node)\n',
        '  setData({ path, node }: Place, data: Uint8Array | undefined, stamp: EntryStamp): void {\n',
      ),
    ],
  },
  {
    id: 'X71',
    title: 'a learner goes on with a snapshot that is not the one it has a part of',
    edits: [
      zab(
        'snapshot-stream',
        'received !== undefined && received.id.epoch === id.epoch && received.id.number === id.number',
        'received !== undefined',
      ),
      zab('snapshot-stream', 'reception.chunks !== from || reception.zxid !== zxid) {', 'reception.chunks !== from) {'),
    ],
    seedsMax: 10_000,
  },
  {
    id: 'X72',
    title: 'the log behind a snapshot that is on its way is let go',
    edits: [
      zab('zab', 'if (this.stream !== undefined && this.stream.state.zxid < from) from = this.stream.state.zxid', ''),
    ],
  },
  {
    id: 'X73',
    title: 'a learner gets proposals while it is being sent a snapshot',
    edits: [
      zab(
        'broadcast',
        "learner.state === 'syncing' || learner.state === 'synced') zab.send",
        "learner.state === 'syncing' || learner.state === 'synced' || learner.state === 'loading') zab.send",
      ),
    ],
  },
  {
    id: 'X74',
    isForMuseum: true,
    title: 'a leader gives its own seat up before the others have asked again',
    edits: [zab('requests', 'ownSeat === undefined || !haveAskedAgain(zab, leading)', 'ownSeat === undefined')],
  },
  {
    id: 'X75',
    isForMuseum: true,
    title: 'a leader gives its own seat up in the order of asking',
    edits: [
      zab(
        'requests',
        'ownSeat ??= { ...verdict, open }\n      continue',
        'ownSeat ??= { ...verdict, open }\n      break',
      ),
    ],
  },
  {
    id: 'X84',
    isForMuseum: true,
    title: 'a leader whose store hangs leaves those who are no quorum without it',
    edits: [
      zab(
        'hand-over',
        'return isQuorum(zab.configurations.active, (id) => id !== zab.id && leading.learners.has(id))',
        'return isQuorum(zab.configurations.active, () => leading.learners.size > 0)',
      ),
    ],
  },
  {
    id: 'X85',
    isForMuseum: true,
    title: 'a hand-over does not wait for a store that hangs, with no quorum beside it',
    edits: [
      zab(
        'hand-over',
        'leading.announcedCommit === last) || hangsAlone(zab, leading)',
        'leading.announcedCommit === last) || zab.storeSilenceMs > zab.options.timing.syncLimitMs',
      ),
    ],
  },
  {
    id: 'X63',
    title: 'a write of a session that has ended is evaluated',
    edits: [
      tree(
        'sessions',
        "    if (session === undefined) return failure('COORD_SESSION_EXPIRED')\n    if (request.generation !== session.generation)",
        '    if (session === undefined) return undefined\n    if (request.generation !== session.generation)',
      ),
      tree(
        'sessions',
        '    assert(session !== undefined && request.cxid',
        '    if (session === undefined) return\n    assert(request.cxid',
      ),
    ],
  },
]

/** Of comparing states (divergence.ts). */
const divergence: readonly Mutant[] = [
  {
    id: 'Z1',
    title: 'states are not compared',
    edits: [
      zab(
        'divergence',
        "if (!isEstablished(leading) || learner.state !== 'synced'",
        "if (!isEstablished(leading) || learner.state !== 'loading'",
      ),
    ],
  },
  {
    id: 'Z2',
    title: 'a diverged member goes on serving',
    edits: [peer("const serving = isServing(role) && standing === 'sound'", 'const serving = isServing(role)')],
  },
  {
    id: 'Z3',
    title: 'a leader in the minority never learns it',
    edits: [
      zab('divergence', '} else if (differ * 2 > reported + mayTurn) {', '} else if (differ > reported + mayTurn) {'),
    ],
  },
  {
    id: 'Z4',
    title: 'a diverged leader does not hand over',
    edits: [
      zab(
        'divergence',
        "if (zab.standing !== 'diverged' || leading.handOver !== undefined) return\n",
        'if (zab.standing !== undefined || leading.handOver !== undefined) return\n',
      ),
    ],
  },
  {
    id: 'Z5',
    title: 'the snapshot that repairs a state takes the place of the log, too',
    edits: [
      zab(
        'snapshot-stream',
        "  zab.mark('divergence.repaired')\n",
        "  zab.mark('divergence.repaired')\n  zab.log.reset(reception.zxid)\n",
      ),
    ],
  },
  {
    id: 'Z6',
    title: 'a repaired state is served before the own log is durable that far',
    edits: [zab('snapshot-stream', ' || zab.log.durable < reception.zxid) return', ') return')],
  },
  {
    id: 'Z7',
    title: 'a diverged member goes on applying',
    edits: [
      zab(
        'zab',
        "return this.standing === 'diverged' || this.machine.lastZxid >= this.#deliverable",
        'return this.machine.lastZxid >= this.#deliverable',
      ),
    ],
  },
  {
    id: 'Z8',
    title: 'a difference from before a repair counts after it',
    edits: [zab('divergence', "before?.standing === 'diverged' && standing !== 'diverged'", 'before === undefined')],
  },
  {
    id: 'Z9',
    title: 'of one against one the leader is right',
    edits: [zab('divergence', 'agree.size * 2 > reported + mayTurn', 'agree.size * 2 >= reported + mayTurn')],
  },
  {
    id: 'Z10',
    title: 'who agreed once agrees for ever',
    edits: [zab('divergence', 'agreedThrough !== undefined && agreedThrough >= doubt', 'agreedThrough !== undefined')],
  },
  {
    id: 'Z11',
    isForMuseum: true,
    title: 'who is known to have diverged has a say',
    edits: [
      zab(
        'divergence',
        "if (state !== 'synced' || comparison?.standing === 'diverged' || ",
        "if (state !== 'synced' || ",
      ),
    ],
  },
  {
    id: 'Z12',
    title: 'a leader whose state is not sound goes on proposing',
    edits: [
      zab('broadcast', "leading.handOver === undefined && zab.standing === 'sound'", 'leading.handOver === undefined'),
    ],
  },
  {
    id: 'Z13',
    isForMuseum: true,
    title: 'a diverged member stands for election beside a sound one',
    edits: [zab('election', '  if (mustStandBack(zab)) return false\n', '')],
  },
  {
    id: 'Z14',
    title: 'a snapshot does not carry the digest',
    edits: [tree('apply', 'version: snapshotVersion, history }', 'version: snapshotVersion }')],
  },
  {
    id: 'Z15',
    title: 'a doubt is never cleared up',
    edits: [
      zab(
        'divergence',
        '  setStanding(zab, message.standing, message.reason)\n',
        "  if (message.standing !== 'sound') setStanding(zab, message.standing, message.reason)\n",
      ),
    ],
  },
  {
    id: 'Z16',
    isForMuseum: true,
    title: 'nobody is told of a doubt',
    edits: [zab('divergence', "if (standing === 'sound') sendVerdict(", "if (standing === 'diverged') sendVerdict(")],
  },
  {
    id: 'Z17',
    title: 'a diverged state is not replaced',
    edits: [
      zab(
        'divergence',
        "if (standing === 'diverged') learner.repair ??= 'wanted'",
        "if (standing === 'diverged') learner.repair ??= undefined",
      ),
      zab('divergence', "    learner.repair = 'wanted'\n", ''),
    ],
  },
  {
    id: 'Z18',
    title: 'the results that sessions get are not in the digest',
    edits: [
      tree(
        'apply',
        'this.#history.noteApplied(result, context.changes, context.warnings)',
        'this.#history.notePassed()',
      ),
    ],
  },
]

/** What is delivered and sent a slice at a time. */
const slices: readonly Mutant[] = [
  {
    id: 'R1',
    title: 'a node is packed while the fields that it had are written to',
    edits: [
      tree(
        'data-tree',
        '    this.#rest(node)\n    const fields = this.#toChange(parent)\n',
        '    const fields = this.#toChange(parent)\n',
      ),
      tree(
        'data-tree',
        '    this.#link(parent, path, node)\n    fields.creates',
        '    this.#link(parent, path, node)\n    this.#rest(node)\n    fields.creates',
      ),
    ],
  },
  {
    id: 'R2',
    title: 'a node that rests forgets when its children changed',
    edits: [tree('packed-node', '  if (fields.pzxid !== czxid) flags |= childrenChanged.flag\n', '')],
  },
  {
    id: 'L1',
    title: 'a leader serves before it has delivered what it inherited',
    edits: [zab('synchronization', '  if (!zab.isDelivered) return\n', '')],
  },
  {
    id: 'L2',
    title: 'a follower serves once it is told that it is up to date, whatever it has delivered',
    edits: [zab('synchronization', "zab.standing !== 'diverged' && zab.machine.lastZxid < upToDateAt", 'false')],
  },
  {
    id: 'L3',
    title: 'a leader speaks of commits that it has not delivered',
    edits: [zab('zab', "this.standing === 'diverged' || this.committed < lastZxid", 'this.committed > 0n')],
  },
  {
    id: 'L4',
    title: 'the log that a learner is still to be sent is let go',
    edits: [zab('zab', "if (state === 'catchingUp' && sentThrough < from) from = sentThrough", '')],
  },
  {
    id: 'L5',
    title: 'a learner gets proposals while it is being sent the log before them',
    edits: [
      zab(
        'broadcast',
        "learner.state === 'syncing' || learner.state === 'synced') zab.send",
        "learner.state === 'syncing' || learner.state === 'synced' || learner.state === 'catchingUp') zab.send",
      ),
    ],
  },
]

const concludedCommits: readonly Mutant[] = [
  {
    id: 'C1',
    title: 'a leader acknowledges to its followers what is not durable',
    edits: [zab('broadcast', '  const { durable } = zab.log\n', '  const { last: durable } = zab.log\n')],
  },
  {
    id: 'C2',
    title: 'a follower takes for committed what its leader holds, whatever it holds itself',
    edits: [
      zab(
        'broadcast',
        'const held = leaderAcked < zab.log.durable ? leaderAcked : zab.log.durable',
        'const held = leaderAcked',
      ),
    ],
  },
  {
    id: 'C3',
    title: 'a follower and its leader are a quorum wherever they are',
    edits: [
      zab('broadcast', '    if (!isQuorumWith(zab, learner.member.id)) continue\n', ''),
      zab('broadcast', 'if (!isQuorumWith(zab, leader.id)) return', ''),
    ],
  },
  {
    id: 'C4',
    title: 'a linearizable read does not wait for what a follower may have concluded',
    edits: [
      zab(
        'broadcast',
        'return announceable < vouched ? vouched : announceable',
        'return vouched < 0n ? vouched : announceable',
      ),
    ],
  },
  {
    id: 'C5',
    title: 'a leader acknowledges what follows a change of the configuration that is pending',
    edits: [zab('broadcast', ' || pending !== undefined || !zab', ' || pending?.zxid === -1n || !zab')],
  },
  {
    id: 'C6',
    title: 'a diverged follower is sent a state behind what it may have applied',
    edits: [
      zab(
        'snapshot-stream',
        'return comparison.zxid <= lastZxid && vouched <= lastZxid',
        'return lastZxid >= 0n && vouched >= 0n',
      ),
      zab(
        'synchronization',
        'if (message.zxid < zab.machine.lastZxid) {',
        'if (!repairs && message.zxid < zab.machine.lastZxid) {',
      ),
    ],
  },
]

/** All of them, in the order of the table in docs/TESTING.md. */
export const allCoreMutants: readonly Mutant[] = [
  ...electionAndEpochs,
  ...synchronization,
  ...logAndDisk,
  ...commitAndApply,
  ...membership,
  ...lifetimes,
  ...readsAndSessions,
  ...ownRules,
  ...divergence,
  ...slices,
  ...concludedCommits,
  {
    id: 'X86',
    title: 'whoever asks is answered at once',
    edits: [zab('broadcast', 'const isConfirmed = follows && isQuorumWith(zab, asker)', 'const isConfirmed = follows')],
  },
]

/** Those that the seeds must catch. */
export const coreMutants: readonly Mutant[] = allCoreMutants.filter(({ isForMuseum }) => isForMuseum !== true)

/** Those that only the museum catches. */
export const museumMutants: readonly Mutant[] = allCoreMutants.filter(({ isForMuseum }) => isForMuseum === true)
