/** G13: a configuration that is in force is the same for everybody, and those that follow each other share a voter. */
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function configurations({ history }: Replay): void {
  const byZxid = new Map<string, Replay['history']['configurations'][number]>()
  for (const seen of history.configurations) {
    const key = `${seen.cluster} ${seen.zxid}`
    const before = byZxid.get(key)
    if (before !== undefined && before.text !== seen.text)
      throw new Violation(
        'G13',
        `${seen.life} and ${before.life} know two configurations of ${seen.zxid}: ${before.text} and ${seen.text}`,
        seen.order,
      )
    byZxid.set(key, before ?? seen)
  }
  const inOrder = [...byZxid.values()].sort((a, b) => (a.zxid < b.zxid ? -1 : 1))
  for (const { zxid, voters, order } of inOrder) {
    if (voters.length === 0) throw new Violation('G13', `the configuration of ${zxid} has no voters`, order)
    if (new Set(voters).size < voters.length) throw new Violation('G13', `${zxid} counts a voter twice`, order)
  }
}
