/**
 * G10: an entry gives the same on every member, whenever it is applied; in the end all are equal, byte by byte, and equal
 * to the model.
 */
import { textOf } from '../model/text.ts'
import type { Replay } from '../replay.ts'
import { Violation } from '../violation.ts'

export function convergence(replay: Replay): void {
  const first = new Map<bigint, { readonly print: number; digest: string | undefined; readonly life: string }>()
  for (const { zxid, print, digest, life, order } of replay.history.applications) {
    const before = first.get(zxid)
    if (before === undefined) {
      first.set(zxid, { print, digest, life })
      continue
    }
    if (before.print !== print)
      throw new Violation('G10', `${zxid} gave something else on ${life} than on ${before.life}`, order)
    if (digest !== undefined && before.digest !== undefined && digest !== before.digest)
      throw new Violation('G10', `behind ${zxid} the state of ${life} differs from that of ${before.life}`, order)
    before.digest ??= digest
  }
  checkFinals(replay)
}

function checkFinals({ history, model }: Replay): void {
  const [one, ...others] = history.finals
  if (one === undefined) return
  for (const other of others) {
    if (other.zxid !== one.zxid || other.digest !== one.digest || other.exported !== one.exported)
      throw new Violation('G10', `in the end ${other.life} (${other.zxid}) differs from ${one.life} (${one.zxid})`)
  }
  const { tree } = model
  const wanted = tree.paths().sort()
  const found = [...one.nodes.keys()].sort()
  if (textOf(found) !== textOf(wanted))
    throw new Violation('G10', `in the end there is ${textOf(found)} instead of ${textOf(wanted)}`)
  // The founding configuration is shown without an entry.
  for (const path of wanted.filter((one) => one !== '/zookeeper/config')) {
    const node = textOf([tree.data(path), tree.stat(path)])
    if (one.nodes.get(path) !== node)
      throw new Violation('G10', `in the end ${path} is ${one.nodes.get(path)} instead of ${node}`)
  }
}
