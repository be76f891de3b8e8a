/** All checks, in the order in which a violation is most telling: what broke down first, then what it led to. */
import type { History } from '../history.ts'
import { Replay } from '../replay.ts'
import type { Check } from './check.ts'
import { linearizableWrites } from './g1-linearizable-writes.ts'
import { fifo } from './g2-fifo.ts'
import { reads } from './g3-reads.ts'
import { sync } from './g4-sync.ts'
import { persistentWatches } from './g5-persistent.ts'
import { streams } from './g5-streams.ts'
import { watches } from './g5-watches.ts'
import { sessions } from './g6-sessions.ts'
import { sequential } from './g7-sequential.ts'
import { multi } from './g8-multi.ts'
import { rights } from './g9-rights.ts'
import { convergence } from './g10-convergence.ts'
import { durability } from './g11-durability.ts'
import { protocol } from './g12-protocol.ts'
import { configurations } from './g13-configurations.ts'
import { liveness } from './g14-liveness.ts'
import { bounds } from './g15-bounds.ts'
import { lines } from './g16-lines.ts'
import { locks } from './g16-locks.ts'

export const checks: Readonly<Record<string, Check>> = {
  G12: protocol,
  G11: durability,
  G10: convergence,
  G9: rights,
  G1: linearizableWrites,
  G2: fifo,
  G3: reads,
  G4: sync,
  G5: (replay) => {
    watches(replay)
    persistentWatches(replay)
    streams(replay)
  },
  G7: sequential,
  G8: multi,
  G13: configurations,
  G16: (replay) => {
    locks(replay)
    lines(replay)
  },
  G15: bounds,
  G14: liveness,
  G6: sessions,
}

export function checkHistory(history: History): void {
  const replay = new Replay(history)
  for (const check of Object.values(checks)) check(replay)
}
