/**
 * What clients did to one node, and whether it was linearizable: each call with when it was made and answered, by one clock.
 * Every answer carries the zxid of the write that it made or saw, so there is an order to check against, and no search.
 */
import assert from 'node:assert/strict'

interface Call {
  readonly kind: 'write' | 'read'
  readonly by: string
  /** What was written or read. */
  readonly value: string
  readonly begun: number
  ended: number
  mzxid: bigint
  version: number
}

export class RegisterHistory {
  readonly calls: Call[] = []
  /** Who led each epoch, as that member said. */
  readonly leaders: Map<number, string> = new Map()
  /** Writes whose outcome is not known. */
  unknown = 0

  /** Makes a call; what came back is noted, with what the write of it was. Nothing where it failed. */
  async note(
    kind: Call['kind'],
    by: string,
    run: () => Promise<{ readonly value: string; readonly mzxid: bigint; readonly version: number }>,
  ): Promise<boolean> {
    const begun = performance.now()
    try {
      const { value, mzxid, version } = await run()
      this.calls.push({ kind, by, value, begun, ended: performance.now(), mzxid, version })
      return true
    } catch {
      if (kind === 'write') this.unknown += 1
      return false
    }
  }

  noteLeader(epoch: number, id: string): void {
    const known = this.leaders.get(epoch)
    assert.ok(known === undefined || known === id, `epoch ${epoch} was led by ${known} and by ${id}`)
    this.leaders.set(epoch, id)
  }

  get writes(): number {
    return this.calls.filter(({ kind }) => kind === 'write').length
  }

  check(): void {
    this.#checkWrites()
    this.#checkValues()
    this.#checkRealTime()
  }

  /** Each acknowledged write is one entry, and versions count in the order of the log. */
  #checkWrites(): void {
    const writes = this.calls.filter(({ kind }) => kind === 'write').sort(byZxid)
    for (const [index, write] of writes.entries()) {
      const before = writes[index - 1]
      if (before === undefined) continue
      assert.ok(before.mzxid < write.mzxid, `${before.value} and ${write.value} are both at ${write.mzxid}`)
      assert.ok(before.version < write.version, `${write.value} is version ${write.version}, as is ${before.value}`)
    }
  }

  /** What was read is what was written there, where that was acknowledged. */
  #checkValues(): void {
    const written = new Map<bigint, string>()
    for (const { kind, mzxid, value } of this.calls) if (kind === 'write') written.set(mzxid, value)
    for (const { kind, mzxid, value, by } of this.calls) {
      const known = written.get(mzxid)
      if (kind === 'read' && known !== undefined) assert.equal(value, known, `${by} read what was not written`)
    }
  }

  /** Whoever begins after another call has ended sees at least what that one saw; a write comes behind it. */
  #checkRealTime(): void {
    const ends = this.calls.toSorted((a, b) => a.ended - b.ended)
    let seen = 0n
    let by = ''
    let next = 0
    for (const call of this.calls.toSorted((a, b) => a.begun - b.begun)) {
      for (let end = ends[next]; end !== undefined && end.ended < call.begun; end = ends[next]) {
        if (end.mzxid > seen) {
          seen = end.mzxid
          by = `${end.kind} of ${end.value} by ${end.by}`
        }
        next += 1
      }
      const text = `the ${call.kind} of ${call.value} by ${call.by} is at ${call.mzxid}, after the ${by} at ${seen} had ended`
      assert.ok(call.kind === 'write' ? call.mzxid > seen : call.mzxid >= seen, text)
    }
  }
}

const byZxid = (a: Call, b: Call): number => (a.mzxid < b.mzxid ? -1 : a.mzxid > b.mzxid ? 1 : 0)
