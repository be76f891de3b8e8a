/** The list of all. */
import { Agreement } from './agreement.ts'
import { CaughtUp } from './caught-up.ts'
import { CommittedIsDurable } from './committed-is-durable.ts'
import { CommittedLogDurability } from './committed-log-durability.ts'
import { ConfigurationChain } from './configuration-chain.ts'
import { CounterEnds } from './counter-ends.ts'
import { DeliversFirst } from './delivers-first.ts'
import { DigestEquality } from './digest-equality.ts'
import { EpochQuorum } from './epoch-quorum.ts'
import { GivesWay } from './gives-way.ts'
import { Integrity } from './integrity.ts'
import type { Invariant } from './invariant.ts'
import { LeaderLogCompleteness } from './leader-log-completeness.ts'
import { Leadership } from './leadership.ts'
import { LivingNamesakes } from './living-namesakes.ts'
import { LocalPrimaryOrder } from './local-primary-order.ts'
import { MoreUpToDate } from './more-up-to-date.ts'
import { OneEnsemble } from './one-ensemble.ts'
import { PatientLeader } from './patient-leader.ts'
import { PossibleMessages } from './possible-messages.ts'
import { PrefixConsistency } from './prefix-consistency.ts'
import { PrimaryIntegrity } from './primary-integrity.ts'
import { ProcessConsistency } from './process-consistency.ts'
import { PromisesAreDurable } from './promises-are-durable.ts'
import { QuorumLog } from './quorum-log.ts'
import { ReferenceModel } from './reference-model.ts'
import { SameConfiguration } from './same-configuration.ts'
import { ServesEstablished } from './serves-established.ts'
import { ServesSoundState } from './serves-sound-state.ts'
import { SoundConfiguration } from './sound-configuration.ts'
import { TotalOrder } from './total-order.ts'

export function allInvariants(): readonly Invariant[] {
  return [
    new Leadership(),
    new PrefixConsistency(),
    new Integrity(),
    new Agreement(),
    new TotalOrder(),
    new LocalPrimaryOrder(),
    new LeaderLogCompleteness(),
    new CommittedLogDurability(),
    new ConfigurationChain(),
    new QuorumLog(),
    new CommittedIsDurable(),
    new PromisesAreDurable(),
    new ProcessConsistency(),
    new PrimaryIntegrity(),
    new MoreUpToDate(),
    new PossibleMessages(),
    new PatientLeader(),
    new CaughtUp(),
    new SameConfiguration(),
    new ReferenceModel(),
    new DigestEquality(),
    new SoundConfiguration(),
    new ServesEstablished(),
    new DeliversFirst(),
    new EpochQuorum(),
    new CounterEnds(),
    new GivesWay(),
    new LivingNamesakes(),
    new OneEnsemble(),
    new ServesSoundState(),
  ]
}

/** The names under which they report. */
export function invariantNames(): readonly string[] {
  const own = allInvariants().map((invariant) => invariant.constructor.name)
  const renamed = own.flatMap((name) => (name === 'Leadership' ? ['Leadership1', 'Leadership2'] : [name]))
  return [...renamed, 'Liveness', 'AckedWrites', 'AtMostOnce', 'SameAnswer', 'LinearizableRead', 'HeldSessions']
}
