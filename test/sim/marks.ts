/**
 * Every rare situation that the core knows by name (`zab.mark`), and those of the simulated world, with what it is. A run
 * with `--marks` fails if one of them never came about, so the list says what the simulation covers. `defence` marks are
 * in `defences`: they need a member that does not do as it should, and the tests named there reach them.
 */
export const marks: Readonly<Record<string, string>> = {
  'asked.done': 'what somebody wanted of the configuration is so',
  'asked.refused': 'what somebody wanted of the configuration cannot be',
  'broadcast.counterEnds': 'an established leader goes to its next epoch before its counter ends',
  'broadcast.leaderSilent': 'a follower gives up a leader whose link is up',
  'broadcast.quorumLost': 'a leader that hears of no quorum steps down',
  'client.moved': 'a session goes on at another member',
  'client.silent': 'a client goes away without closing its session',
  'discovery.followerAhead': 'a would-be leader learns that its log is not the freshest',
  'discovery.laterPromise': 'an established leader is joined by a member that promised a later epoch',
  'election.forgotten': 'a leader gives up and wins again at once, and its followers notice',
  'election.settled': 'an election ends although a linked voter has not answered',
  'election.yielded': 'a would-be leader gives way to a better candidate',
  'fault.wiped': 'a durable member loses its disk and comes back as another',
  'founding.abandoned': 'a founding is given up',
  'founding.frozen': 'a founder that had founded already prepares anew',
  'founding.joined': 'a process joins an ensemble that is there',
  'founding.refused': 'a founder refuses to prepare',
  'log.trimmed': 'old batches leave the memory',
  'membership.admitted': 'newcomers become observers',
  'membership.forgotten': 'observers that are gone for long are members no more',
  'membership.givenUp': 'a leader takes back a change that cannot be committed',
  'membership.nameInUse': 'a newcomer is refused, because a live member has its name',
  'membership.removed': 'a member that an operator removed is refused',
  'membership.replaced': 'a newcomer takes the seat of its predecessor',
  'seats.filled': 'observers take free seats',
  'seats.passed': 'an observer takes the seat of a voter that failed',
  'stopped.inOrder': 'a process stops, as it may',
  'stopped.late': 'a process stops without an answer',
  'session.leaderStalled': 'the process of an established leader stood still, and the sessions get the time back',
  'sync.diff': 'a learner gets what it lacks',
  'sync.installed': 'a learner takes over a snapshot',
  'sync.snapshot': 'a leader sends a snapshot',
  'sync.trunc': 'a leader has a learner cut its log',
  'sync.truncated': 'a learner cuts its log',
  'transfer.done': 'a leader hands over',
  'transfer.failed': 'a leader that was to hand over stays',
  'world.core': 'a quorum heals alone',
}

/** What random runs do not bring about, as it takes a member that does not do as it should or rare circumstances, and the test that plays it. */
export const defences: Readonly<Record<string, string>> = {
  'discovery.promisedElsewhere': 'scenarios.test.ts: refuses an epoch that it has promised to another leader',
  'broadcast.hole': 'scenarios.test.ts: never applies a proposal after a gap',
  'discovery.bystander': 'scenarios.test.ts: elects without a voter that is to lose its vote and is ahead',
  'founding.blankAgain': 'test/testing/membership.test.ts: all founders restart without memory',
  'founding.restored': 'test/join/backup.test.ts: an ensemble begins with a snapshot file',
  'founding.notRestored': 'test/join/backup.test.ts: a snapshot file is not restored over an ensemble that lives',
  'founding.superseded': 'test/testing/membership.test.ts: all founders restart without memory',
  'membership.founders': 'scenarios.test.ts: changes the list of founders, one address at a time',
  'marks.forgotten': 'damaged-store.test.ts: an older image of a disk is noticed by the peers',
  'sync.wantSnapshot': 'scenarios.test.ts: asks for a snapshot when a synchronization does not fit',
}
