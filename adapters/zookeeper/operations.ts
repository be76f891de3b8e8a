/** Which record goes with which opcode, in the request and in the reply: the one table that both sides read. */
import { nothing, type Schema } from './jute.ts'
import { multiRequest, multiResponse, type WireOperation, type WireResult } from './multi.ts'
import * as records from './records.ts'

/** An operation's request and response. */
export interface Exchange<Q, S> {
  readonly request: Schema<Q>
  readonly response: Schema<S>
}

const exchange = <Q, S>(request: Schema<Q>, response: Schema<S>): Exchange<Q, S> => ({ request, response })

/** By the names of `opcodes`. An error is a reply header alone. */
export interface Exchanges {
  readonly create: Exchange<records.CreateRequest, records.PathResponse>
  readonly create2: Exchange<records.CreateRequest, records.PathStatResponse>
  readonly createContainer: Exchange<records.CreateRequest, records.PathStatResponse>
  readonly createTTL: Exchange<records.CreateTtlRequest, records.PathStatResponse>
  readonly delete: Exchange<records.PathVersionRequest, undefined>
  readonly check: Exchange<records.PathVersionRequest, undefined>
  readonly exists: Exchange<records.PathWatchRequest, records.StatResponse>
  readonly getData: Exchange<records.PathWatchRequest, records.DataResponse>
  readonly setData: Exchange<records.SetDataRequest, records.StatResponse>
  readonly getACL: Exchange<records.PathRequest, records.AclResponse>
  readonly setACL: Exchange<records.SetAclRequest, records.StatResponse>
  readonly getChildren: Exchange<records.PathWatchRequest, records.ChildrenResponse>
  readonly getChildren2: Exchange<records.PathWatchRequest, records.ChildrenStatResponse>
  readonly getAllChildrenNumber: Exchange<records.PathRequest, records.CountResponse>
  readonly getEphemerals: Exchange<records.GetEphemeralsRequest, records.EphemeralsResponse>
  readonly sync: Exchange<records.PathRequest, records.PathResponse>
  readonly multi: Exchange<readonly WireOperation[], readonly WireResult[]>
  readonly multiRead: Exchange<readonly WireOperation[], readonly WireResult[]>
  readonly reconfig: Exchange<records.ReconfigRequest, records.DataResponse>
  readonly ping: Exchange<undefined, undefined>
  readonly auth: Exchange<records.AuthRequest, undefined>
  readonly setWatches: Exchange<records.SetWatchesRequest, undefined>
  readonly setWatches2: Exchange<records.SetWatches2Request, undefined>
  readonly addWatch: Exchange<records.AddWatchRequest, records.ErrorResponse>
  readonly checkWatches: Exchange<records.WatcherTypeRequest, undefined>
  readonly removeWatches: Exchange<records.WatcherTypeRequest, undefined>
  readonly whoAmI: Exchange<undefined, records.WhoAmIResponse>
  readonly closeSession: Exchange<undefined, undefined>
}

export type OperationName = keyof Exchanges
export type RequestOf<K extends OperationName> = Exchanges[K] extends Exchange<infer Q, unknown> ? Q : never
export type ResponseOf<K extends OperationName> =
  Exchanges[K] extends Exchange<never, infer S>
    ? S
    : Exchanges[K] extends { readonly response: Schema<infer S> }
      ? S
      : never

export const exchanges: Exchanges = {
  create: exchange(records.createRequest, records.pathResponse),
  create2: exchange(records.createRequest, records.pathStatResponse),
  createContainer: exchange(records.createRequest, records.pathStatResponse),
  createTTL: exchange(records.createTtlRequest, records.pathStatResponse),
  delete: exchange(records.pathVersionRequest, nothing),
  check: exchange(records.pathVersionRequest, nothing),
  exists: exchange(records.pathWatchRequest, records.statResponse),
  getData: exchange(records.pathWatchRequest, records.dataResponse),
  setData: exchange(records.setDataRequest, records.statResponse),
  getACL: exchange(records.pathRequest, records.aclResponse),
  setACL: exchange(records.setAclRequest, records.statResponse),
  getChildren: exchange(records.pathWatchRequest, records.childrenResponse),
  getChildren2: exchange(records.pathWatchRequest, records.childrenStatResponse),
  getAllChildrenNumber: exchange(records.pathRequest, records.countResponse),
  getEphemerals: exchange(records.getEphemeralsRequest, records.ephemeralsResponse),
  sync: exchange(records.pathRequest, records.pathResponse),
  multi: exchange(multiRequest, multiResponse),
  multiRead: exchange(multiRequest, multiResponse),
  reconfig: exchange(records.reconfigRequest, records.dataResponse),
  ping: exchange(nothing, nothing),
  auth: exchange(records.authRequest, nothing),
  setWatches: exchange(records.setWatchesRequest, nothing),
  setWatches2: exchange(records.setWatches2Request, nothing),
  addWatch: exchange(records.addWatchRequest, records.errorResponse),
  checkWatches: exchange(records.watcherTypeRequest, nothing),
  removeWatches: exchange(records.watcherTypeRequest, nothing),
  whoAmI: exchange(nothing, records.whoAmIResponse),
  closeSession: exchange(nothing, nothing),
}
