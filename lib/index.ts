/**
 * The composition root: `joinEnsemble` checks its options, wires the default adapters to a member, and waits until the
 * member serves. Nothing else in lib knows an adapter.
 */
import { once } from 'node:events'
import { hostname } from 'node:os'
import { dnsDiscovery } from '../adapters/discovery-dns/index.ts'
import { fileDiscovery } from '../adapters/discovery-file/index.ts'
import { type Level, levelStorage } from '../adapters/storage-level/index.ts'
import { type ListenOnPort, type ListenOnServer, webSocketTransport } from '../adapters/transport-websocket/index.ts'
import { checkSnapshotOptions } from './api/checks.ts'
import { asListener } from './api/emit.ts'
import { checkJoinOptions, isStaticList, type JoinOptions } from './api/join-options.ts'
import { abortError, abortedOr, withJson } from './api/results.ts'
import { codecOf, type ValueCodec, type ValueEncoding, type ValueOf } from './api/values.ts'
import { Coord, EnsembleMember } from './coord.ts'
import { assertPath } from './core/tree/path.ts'
import type { Restoration } from './core/zab/zab.ts'
import { CoordError } from './errors.ts'
import type { Clock } from './ports/clock.ts'
import type { Discovery } from './ports/discovery.ts'
import type { Entropy } from './ports/entropy.ts'
import type { Storage } from './ports/storage.ts'
import type { Transport } from './ports/transport.ts'
import { Authentication } from './runtime/authentication.ts'
import { Secret } from './runtime/handshake.ts'
import { defaultLimits, defaultSeats } from './runtime/limits.ts'
import { Member, type MemberLimits, type MemberOptions } from './runtime/member.ts'
import {
  readRestoration,
  type SnapshotFileOptions,
  type SnapshotInfo,
  verifySnapshotFile,
} from './runtime/snapshot-file.ts'
import { SystemClock } from './runtime/system-clock.ts'
import { SystemEntropy } from './runtime/system-entropy.ts'
import { VolatileStorage } from './runtime/volatile-storage.ts'

/** Joins the ensemble, or founds it with the other founders. Without options: one member in memory, ready at once. */
export function joinEnsemble(options?: JoinOptions & { readonly valueEncoding?: undefined }): Promise<Coord>
export function joinEnsemble<const E extends ValueEncoding>(
  options: JoinOptions<E> & { readonly valueEncoding: E },
): Promise<Coord<ValueOf<E>>>
/** Of options that are put together elsewhere nobody knows the encoding here: its values are `unknown`. */
export function joinEnsemble(options: JoinOptions): Promise<Coord<unknown>>
export async function joinEnsemble(options: JoinOptions = {}): Promise<unknown> {
  checkJoinOptions(options)
  return joinWith(options, { clock: new SystemClock(), entropy: new SystemEntropy() })
}

/** @internal What a test world replaces. */
export interface JoinSurroundings {
  readonly clock: Clock
  readonly entropy: Entropy
  readonly mark?: ((name: string) => void) | undefined
  /** Other limits than the defaults: what is rare with those becomes common. */
  readonly limits?: Partial<MemberLimits> | undefined
  /** At this counter a leader goes to its next epoch. */
  readonly counterLast?: number | undefined
  /** In place of a file of the option `restoreFrom`. */
  readonly restoration?: MemberOptions['restoration']
  /** Called with the member as soon as it exists. */
  readonly onMember?: ((member: Member) => void) | undefined
}

/** @internal */
export async function joinWith(options: JoinOptions, surroundings: JoinSurroundings): Promise<Coord<unknown>> {
  const { signal, restoreFrom } = options
  if (signal?.aborted === true) throw abortError(signal)
  const codec = codecOf(options.valueEncoding) as ValueCodec<unknown>
  const onProgress = asListener(options.onProgress)
  if (options.namespace !== undefined) assertPath(options.namespace)
  const transport = transportOf(options)
  const founders = foundersOf(options, transport)
  const discovery = discoveryOf(options)
  const waiting: Waiting = { refuse: undefined }
  const parts = { view: undefined as EnsembleMember | undefined, coord: undefined as Coord<unknown> | undefined }
  const advertise =
    options.advertise === undefined ? undefined : (transport?.normalize(options.advertise) ?? options.advertise)
  const { clock, entropy, mark, limits, counterLast } = surroundings
  const member = new Member(
    {
      name: options.name ?? advertise ?? `${hostname()}-${shortId(entropy)}`,
      isNamed: options.name !== undefined || advertise !== undefined,
      givenName: options.name,
      address: advertise ?? (transport === undefined ? `local:${shortId(entropy)}` : undefined),
      peers: founders,
      founds: discovery === undefined && mayFound(options, transport),
      discovery,
      role: options.role ?? 'auto',
      seats: options.voters ?? defaultSeats,
      transport,
      storage: storageOf(options),
      restoration:
        restoreFrom === undefined
          ? surroundings.restoration
          : (cut): Promise<Restoration> => readRestoration(restoreFrom, { signal: cut }),
      clock,
      entropy,
      secret: new Secret(options.secret),
      limits: { ...limitsOf(options), ...limits },
      counterLast,
      authentication: new Authentication(options.authSchemes, options.superDigest),
      mark,
    },
    {
      status: (status) => parts.view?.onStatus(status),
      members: (members) => parts.view?.onMembers(members),
      refused: (code, reason) => {
        const error = new CoordError(code, reason)
        if (waiting.refuse === undefined) parts.coord?.onFailed(error)
        else waiting.refuse(error)
      },
      warning: (message) => parts.view?.onWarning(message),
      progress: (progress) => {
        parts.view?.onProgress(progress)
        onProgress?.(progress)
      },
      failed: (error) => {
        waiting.refuse?.(error)
        parts.coord?.onFailed(error)
      },
    },
  )
  surroundings.onMember?.(member)
  const view = new EnsembleMember(member)
  parts.view = view
  const { sessionTimeoutMs: timeoutMs = 10_000, requestTimeoutMs = 10_000 } = options
  const root = options.namespace === undefined || options.namespace === '/' ? '' : options.namespace
  const { readOnly = false } = options
  const coord = new Coord<unknown>({ member, clock, entropy, timeoutMs, requestTimeoutMs, readOnly, root }, view, codec)
  parts.coord = coord
  await joined(options, coord, member, clock, transport, waiting)
  view.onJoined()
  return coord
}

/**
 * Reads a file of `coord.exportSnapshot` and proves it, without an ensemble. Rejects with COORD_SNAPSHOT_DAMAGED,
 * COORD_SNAPSHOT_UNKNOWN (the format of a later release) or COORD_SNAPSHOT_FAILED (it cannot be read).
 */
export async function verifySnapshot(file: string, options: SnapshotFileOptions = {}): Promise<SnapshotInfo> {
  checkSnapshotOptions(file, options)
  const { signal } = options
  if (signal?.aborted === true) throw abortError(signal)
  try {
    return withJson(await verifySnapshotFile(file, { signal, onProgress: asListener(options.onProgress) }))
  } catch (error) {
    throw abortedOr(error, signal)
  }
}

/** Who is to be told that joining cannot succeed, while somebody waits for it. */
interface Waiting {
  refuse: ((error: CoordError) => void) | undefined
}

/** Starts the member and waits as the options say; where that fails, nothing is left behind. */
async function joined(
  options: JoinOptions,
  coord: Coord<unknown>,
  member: Member,
  clock: Clock,
  transport: Transport | undefined,
  waiting: Waiting,
): Promise<void> {
  const { signal, joinTimeoutMs = 60_000, waitFor = 'quorum' } = options
  const cut = new AbortController()
  let failure: Error | undefined
  const fail = (error: Error): void => {
    failure ??= error
    cut.abort()
  }
  waiting.refuse = fail
  const onAbort = (): void => fail(abortError(signal as AbortSignal))
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = clock.setTimer(joinTimeoutMs, () => fail(joinTimeout(joinTimeoutMs, member, transport)))
  try {
    await Promise.race([member.start(cut.signal), aborted(cut.signal)])
    if (waitFor === 'quorum') {
      await coord.ready({ signal: cut.signal })
      await seated(coord.member, cut.signal)
    }
  } catch (error) {
    await coord.close({ timeoutMs: 0 })
    throw failure ?? error
  } finally {
    timer.cancel()
    signal?.removeEventListener('abort', onAbort)
    waiting.refuse = undefined
  }
}

/** Who is new waits for its place, or for that of its predecessor: it may turn out that another one lives under this name. */
async function seated(member: EnsembleMember, signal: AbortSignal): Promise<void> {
  const isSeated = (): boolean => member.members.some(({ id }) => id === member.id)
  while (!isSeated()) await once(member, 'members', { signal })
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(abortError(signal)), { once: true })
  })
}

function joinTimeout(joinTimeoutMs: number, member: Member, transport: Transport | undefined): CoordError {
  const waitingFor = transport !== undefined && 'waitingFor' in transport ? transport.waitingFor : undefined
  const reasons = typeof waitingFor === 'string' ? [waitingFor] : member.linkFailures()
  const why = reasons.length === 0 ? (member.status?.reason ?? 'not started') : reasons.join('; ')
  const obstacle = member.joinObstacle
  // Whoever found members, and no ensemble, may wait for founders that nobody has started as such.
  const hint =
    member.discovers && (member.status?.cluster ?? '') === ''
      ? '; discovery never founds an ensemble: start its founders with a static list of peers'
      : ''
  if (obstacle === undefined)
    return new CoordError('COORD_TIMEOUT', `did not join an ensemble within ${joinTimeoutMs} ms: ${why}${hint}`)
  return new CoordError(obstacle.code, `did not join within ${joinTimeoutMs} ms: ${obstacle.reason}: ${why}`)
}

function transportOf(options: JoinOptions): Transport | undefined {
  const { listen, advertise, tls, secret } = options
  if (options.transport === undefined && listen === undefined) return undefined
  const transport =
    options.transport ?? webSocketTransport({ listen: listen as ListenOnPort | ListenOnServer, advertise, tls })
  // On the application's server its own settings decide whom TLS lets in: only the secret is ours to check there.
  const isProtected = secret !== undefined || (tls !== undefined && !(listen !== undefined && 'server' in listen))
  if (transport.exposed && !isProtected) {
    throw new TypeError(
      'others can reach this address: set secret (the same for all members), or listen on a port of your own with tls or on loopback, for example listen: { port: 7400, host: "127.0.0.1" }',
    )
  }
  return transport
}

/** Only a static list founds, or nobody else at all: who was found somewhere decides nothing. */
function mayFound({ peers, listen }: JoinOptions, transport: Transport | undefined): boolean {
  return peers !== undefined || transport === undefined || listen !== undefined
}

function foundersOf({ peers = [] }: JoinOptions, transport: Transport | undefined): readonly string[] {
  if (!isStaticList(peers)) return []
  return [...new Set(peers.map((address) => transport?.normalize(address) ?? address))]
}

function discoveryOf({ peers, tls }: JoinOptions): Discovery | undefined {
  if (peers === undefined || isStaticList(peers)) return undefined
  if (typeof peers === 'function') return { description: 'a function of the application', find: peers }
  if ('find' in peers) return peers
  if ('file' in peers) return fileDiscovery(peers.file)
  const { dns, port, scheme = tls === undefined ? 'ws' : 'wss', path } = peers
  return dnsDiscovery({ name: dns, port, scheme, path })
}

function storageOf({ storage }: JoinOptions): Storage {
  if (storage === undefined) return new VolatileStorage()
  if (typeof (storage as Partial<Storage> | null)?.commit === 'function') return storage as Storage
  if (typeof (storage as { batch?: unknown } | null)?.batch === 'function')
    return levelStorage(storage as unknown as Level)
  throw new TypeError(
    'storage must be a Storage port, for example new FileStorage(directory), or an abstract-level database, for example new ClassicLevel(directory)',
  )
}

function limitsOf({ timing }: JoinOptions): MemberLimits {
  const pingIntervalMs = timing?.pingIntervalMs ?? defaultLimits.timing.pingIntervalMs
  const syncLimitMs = timing?.syncLimitMs ?? defaultLimits.timing.syncLimitMs
  if (syncLimitMs < 2 * pingIntervalMs) {
    throw new RangeError(
      `timing.syncLimitMs (${syncLimitMs}) must be at least twice timing.pingIntervalMs (${pingIntervalMs})`,
    )
  }
  return {
    ...defaultLimits,
    timing: { ...defaultLimits.timing, pingIntervalMs, syncLimitMs },
    link: { ...defaultLimits.link, silenceMaxMs: syncLimitMs },
  }
}

function shortId(entropy: Entropy): string {
  return Array.from(entropy.bytes(4), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export type {
  DnsPeers,
  FilePeers,
  JoinOptions,
  LevelDatabase,
  ListenOption,
  PeersOption,
  TimingOption,
  TlsOption,
} from './api/join-options.ts'
export type { Quota, QuotaLimits } from './api/quota.ts'
export type { Session, SessionEvents } from './api/session.ts'
export type { Transaction } from './api/transaction.ts'
export type { ValueCodec, ValueEncoding, ValueOf } from './api/values.ts'
export type { StreamedEvent, Watch, WatchOptions } from './api/watch.ts'
export {
  type CallOptions,
  type ChildrenOptions,
  type CreateOptions,
  type DeleteOptions,
  dataBytesMax,
  type MultiOperation,
  type MultiOptions,
  type MultiReadResult,
  type MultiResult,
  type NodeModeInfo,
  type ReadOptions,
  type ReadRequest,
  type RemovableKind,
  type VersionOptions,
  type WatchListener,
} from './api/znodes.ts'
export type { Client, ClientEvents, LostSession, OpenSessionOptions } from './client.ts'
export type { Coord, EnsembleMember, Explanation, MemberEvents, MemberRole, MemberView } from './coord.ts'
export {
  type AclEntry,
  creatorAllAcl as CREATOR_ALL_ACL,
  type Identity,
  openAcl as OPEN_ACL,
  readAcl as READ_ACL,
} from './core/tree/acl.ts'
export type { CreateMode } from './core/tree/operation.ts'
export type { Stat } from './core/tree/stat.ts'
export { CoordError, type ErrorCode, errorCodes } from './errors.ts'
export type { AuthScheme } from './ports/auth-scheme.ts'
export type { Progress } from './ports/progress.ts'
export type { Consistency, PersistentWatchKind, SessionLoss, SessionState, WatchEvent } from './ports/session-link.ts'
export { digestId, scryptId } from './runtime/authentication.ts'
export type { DiagnosticSource, Diagnostics } from './runtime/diagnostics.ts'
export type { LaggingMember, MissingMember, NoLeader } from './runtime/explanation.ts'
export type { SnapshotFileOptions, SnapshotInfo, SnapshotProgress } from './runtime/snapshot-file.ts'
