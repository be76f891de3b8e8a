/**
 * The locks of etcd as its own Go package `concurrency` takes them, for etcd-load.mjs. Who wants the lock puts a key of its
 * lease below a prefix, in a transaction that also reads who came first; who is not first waits until the key before its
 * own, by the revision of creation, is deleted, and looks again. It watches from the revision that it has looked at; watches
 * that begin in the past are served ten times a second. An office is had in the same way, and resigned by deleting.
 *
 * Leases are long enough not to be kept alive during a run, which spares etcd that work. All waiting of a connection is in
 * one stream of watches, as in the clients of etcd.
 */
import { headersOf } from './etcd-connection.mjs'
import { inLanes } from './lanes.mjs'
import { decode, field, numberField } from './protobuf.mjs'

const leaseSeconds = 3600
/** Before the message of an answer. */
const grpcPrefixBytes = 5
const methods = {
  range: headersOf('/etcdserverpb.KV/Range'),
  transaction: headersOf('/etcdserverpb.KV/Txn'),
  deleteRange: headersOf('/etcdserverpb.KV/DeleteRange'),
  watch: headersOf('/etcdserverpb.Watch/Watch'),
  grant: headersOf('/etcdserverpb.Lease/LeaseGrant'),
}
/** Of requests and answers, as etcd's definitions number them. */
const sortByCreation = (order) => Buffer.concat([numberField(5, order), numberField(6, 2), numberField(3, 1)])
const firstCreated = sortByCreation(1)
const lastCreated = sortByCreation(2)
const onlyDeletions = numberField(5, 0)

/** Until a watch that begins in the past is served. */
const settlingMs = 150

let lastLease = Date.now()

/** All waiting of one connection. */
class Watches {
  #send
  #waiting = new Map()
  #lastId = 0

  constructor(connection) {
    this.#send = connection.stream(methods.watch, (message) => {
      const answer = decode(message)
      if (!answer.has(11)) return
      const id = answer.get(2)?.[0] ?? 0
      this.#waiting.get(id)?.()
      this.#waiting.delete(id)
      this.#send(field(2, numberField(1, id)))
    })
  }

  /** Resolves when the key is deleted, in this revision or a later one. */
  deleted(key, revision) {
    this.#lastId += 1
    const id = this.#lastId
    const request = [field(1, key), numberField(3, revision), onlyDeletions, numberField(7, id)]
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#send(field(1, Buffer.concat(request)))
    })
  }
}

/** One contender: its lease, and at most one key below each prefix. */
class Contender {
  #connection
  #watches
  #lease

  static async open(connection, watches) {
    lastLease += 1
    await connection.call(methods.grant, Buffer.concat([numberField(1, leaseSeconds), numberField(2, lastLease)]))
    return new Contender(connection, watches, lastLease)
  }

  constructor(connection, watches, lease) {
    this.#connection = connection
    this.#watches = watches
    this.#lease = lease
  }

  /** Resolves when it has the lock, or the office. */
  async acquire(prefix) {
    const key = this.#key(prefix)
    const below = Buffer.concat([field(1, Buffer.from(`${prefix}/`)), field(2, Buffer.from(`${prefix}0`))])
    const compare = Buffer.concat([numberField(2, 1), field(3, key), numberField(5, 0)])
    const success = [
      field(2, field(2, Buffer.concat([field(1, key), numberField(3, this.#lease)]))),
      field(2, field(1, Buffer.concat([below, firstCreated]))),
    ]
    const answer = await this.#call(methods.transaction, Buffer.concat([field(1, compare), ...success]))
    if (answer.get(2)?.[0] !== 1) throw new Error('the key is there already')
    const created = revisionOf(answer)
    const first = decode(decode(answer.get(3)[1]).get(1)[0])
    if (creationOf(first) === created) return
    const before = Buffer.concat([below, lastCreated, numberField(13, created - 1)])
    for (;;) {
      const answered = await this.#call(methods.range, before)
      const nearest = answered.get(2)?.[0]
      if (nearest === undefined) break
      await this.#watches.deleted(decode(nearest).get(1)[0], revisionOf(answered))
    }
    // As the recipe does: its own key may have gone with its lease while it waited.
    const own = await this.#call(methods.range, field(1, key))
    if (!own.has(2)) throw new Error('the lease is over')
  }

  async release(prefix) {
    await this.#call(methods.deleteRange, field(1, this.#key(prefix)))
  }

  async #call(method, message) {
    const answer = await this.#connection.call(method, message)
    return decode(answer.subarray(grpcPrefixBytes))
  }

  #key(prefix) {
    return Buffer.from(`${prefix}/${this.#lease.toString(16)}`)
  }
}

/** The revision that an answer was given at. */
const revisionOf = (answer) => decode(answer.get(1)[0]).get(3)[0]

/** Of the first key in the answer to a range. */
const creationOf = (answer) => decode(answer.get(2)[0]).get(2)[0]

/** @param {() => readonly import('./etcd-connection.mjs').Connection[]} connectionsOf */
export function lockCommands(connectionsOf) {
  const idle = []
  const watches = new Map()

  async function open() {
    const connections = connectionsOf()
    const connection = connections[idle.length % connections.length]
    if (!watches.has(connection)) watches.set(connection, new Watches(connection))
    idle.push(await Contender.open(connection, watches.get(connection)))
  }

  async function haveContenders(count) {
    while (idle.length < count) await open()
  }

  return {
    async useLock({ path, contenders, seconds }) {
      await haveContenders(contenders)
      return inLanes(contenders, seconds, async () => {
        const contender = idle.pop()
        try {
          await contender.acquire(path)
          await contender.release(path)
        } finally {
          idle.push(contender)
        }
      })
    },

    /** Two candidates hand an office to and fro. */
    async handOver({ path, times }) {
      await haveContenders(2)
      const latenciesMs = []
      let [leading, next] = idle
      await leading.acquire(path)
      for (let time = 0; time < times; time++) {
        const elected = next.acquire(path)
        await new Promise((resolve) => setTimeout(resolve, settlingMs))
        const began = performance.now()
        await leading.release(path)
        await elected
        latenciesMs.push(performance.now() - began)
        const former = leading
        leading = next
        next = former
      }
      await leading.release(path)
      // The hand-overs alone: what is between them is waiting.
      const seconds = latenciesMs.reduce((sum, one) => sum + one, 0) / 1000
      return { count: times, failed: 0, seconds, latenciesMs }
    },
  }
}
