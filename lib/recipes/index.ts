/**
 * The recipes as functions of a client: what its methods do, for those who would rather import them. `claim` and the guards
 * are also for schedulers and resources of one's own.
 */
import type { Session } from '../api/session.ts'
import { Barrier } from './barrier.ts'
import { Cache, type CacheOptions, TreeCache } from './cache.ts'
import { type ClaimOptions, claim as claimOn } from './claim.ts'
import { Counter } from './counter.ts'
import { DoubleBarrier } from './double-barrier.ts'
import { Election, type ElectionOptions, type Singleton, singleton as singletonOn } from './election.ts'
import { type Group, group as groupOn } from './group.ts'
import type { Held, Lock } from './held.ts'
import type { RecipeHost } from './host.ts'
import {
  type LockOptions,
  lockAll as lockAllOn,
  lock as lockOn,
  type MultiLock,
  tryLock as tryLockOn,
  withLock as withLockOn,
} from './lock.ts'
import { Names } from './names.ts'
import { Queue } from './queue.ts'
import { type Firing, Schedule, type ScheduleOptions, type ScheduleTimes } from './schedule.ts'
import { Semaphore } from './semaphore.ts'
import { type Services, services as servicesOn } from './services.ts'
import { SynchronousQueue } from './synchronous-queue.ts'
import { Workers, type WorkersOptions } from './workers.ts'

/** A `Client`, a `Coord`, or a `Session`: known by how it reads and writes values. */
export type RecipeTarget<V> = Pick<Session<V>, 'getData' | 'setData'>

/** Any of them, whatever its values are: for recipes that have none. */
export type AnyRecipeTarget = Pick<Session<never>, 'setData'>

function hostOf<V>(target: RecipeTarget<V>): RecipeHost<V> {
  const { recipeHost } = (target ?? {}) as { readonly recipeHost?: () => RecipeHost<V> }
  if (typeof recipeHost !== 'function') throw new TypeError('a recipe takes a Client, a Coord or a Session')
  return recipeHost.call(target)
}

const anyHostOf = (target: AnyRecipeTarget): RecipeHost => hostOf(target as RecipeTarget<unknown>)

/** Waits for a lock, fairly: `client.lock`. */
export async function lock(target: AnyRecipeTarget, path: string, options?: LockOptions): Promise<Lock> {
  return lockOn(anyHostOf(target), path, options)
}

/** The lock if it is free now, else undefined: `client.tryLock`. */
export async function tryLock(
  target: AnyRecipeTarget,
  path: string,
  options?: Omit<LockOptions, 'timeoutMs'>,
): Promise<Lock | undefined> {
  return tryLockOn(anyHostOf(target), path, options)
}

/** Runs `action` while the lock is held: `client.withLock`. */
export async function withLock<T>(
  target: AnyRecipeTarget,
  path: string,
  action: (lock: Lock) => T | Promise<T>,
  options?: LockOptions,
): Promise<T> {
  return withLockOn(anyHostOf(target), path, action, options)
}

/** Several locks at once, taken in one order by everybody: `client.lockAll`. */
export async function lockAll(
  target: AnyRecipeTarget,
  paths: readonly string[],
  options?: LockOptions,
): Promise<MultiLock> {
  return lockAllOn(anyHostOf(target), paths, options)
}

/** Up to so many leases at a time: `client.semaphore`. */
export function semaphore(target: AnyRecipeTarget, path: string, permits: number): Semaphore {
  return new Semaphore(anyHostOf(target), path, permits)
}

/** Stands for election: `client.elect`. Of a session, until that is over. */
export function elect<V>(target: RecipeTarget<V>, path: string, options: ElectionOptions<V>): Election<V> {
  return new Election(hostOf(target), path, options)
}

/** Runs something on exactly one process: `client.singleton`. Of a session, until that is over. */
export function singleton(target: AnyRecipeTarget, name: string, run: (term: Held) => unknown): Singleton {
  return singletonOn(anyHostOf(target), name, run)
}

/** Runs a job at set times, each firing at most once: `client.schedule`. Of a session, until that is over. */
export function schedule(
  target: AnyRecipeTarget,
  name: string,
  times: ScheduleTimes,
  job: (firing: Firing) => unknown,
  options?: ScheduleOptions,
): Schedule {
  return new Schedule(anyHostOf(target), name, times, job, options)
}

/** Whether this process is the one that got a key: `client.claim`. */
export async function claim(target: AnyRecipeTarget, key: string, options?: ClaimOptions): Promise<boolean> {
  return claimOn(anyHostOf(target), key, options)
}

/** First in, first out: `client.queue`. */
export function queue<V>(target: RecipeTarget<V>, path: string): Queue<V> {
  return new Queue(hostOf(target), path)
}

/** The least number first: `client.priorityQueue`. */
export function priorityQueue<V>(target: RecipeTarget<V>, path: string): Queue<V> {
  return new Queue(hostOf(target), path, { hasPriorities: true })
}

/** A `put` that waits for its consumer: `client.synchronousQueue`. */
export function synchronousQueue<V>(target: RecipeTarget<V>, path: string): SynchronousQueue<V> {
  return new SynchronousQueue(hostOf(target), path)
}

/** A gate for all members: `client.barrier`. */
export function barrier(target: AnyRecipeTarget, path: string): Barrier {
  return new Barrier(anyHostOf(target), path)
}

/** `count` participants begin and end together: `client.doubleBarrier`. */
export function doubleBarrier(target: AnyRecipeTarget, path: string, count: number): DoubleBarrier {
  return new DoubleBarrier(anyHostOf(target), path, count)
}

/** A number that all members share: `client.counter`. */
export function counter(target: AnyRecipeTarget, path: string): Counter {
  return new Counter(anyHostOf(target), path)
}

/** As `client.cache`, of which it differs in that the value may be undefined also where there is a default. */
export async function cache<V, T = V>(
  target: RecipeTarget<V>,
  path: string,
  options: CacheOptions<T, V> & { readonly default?: T | undefined } = {},
): Promise<Cache<T | undefined, V>> {
  const opened = new Cache<T | undefined, V>(hostOf(target), path, options)
  await opened.start(options.signal)
  return opened
}

/** All values at and below a node, always at hand: `client.treeCache`. */
export async function treeCache<V, T = V>(
  target: RecipeTarget<V>,
  path: string,
  options: CacheOptions<T, V> = {},
): Promise<TreeCache<T, V>> {
  const opened = new TreeCache<T, V>(hostOf(target), path, options)
  await opened.start(options.signal)
  return opened
}

/** Names that are bound to one target each, and unique ids: `client.names`. */
export function names(target: AnyRecipeTarget, path: string): Names {
  return new Names(anyHostOf(target), path)
}

/** The service registry: `client.services`. */
export function services(target: AnyRecipeTarget): Services {
  return servicesOn(anyHostOf(target))
}

/** A group of members that see each other: `client.group`. */
export function group<V>(target: RecipeTarget<V>, path: string): Group<V> {
  return groupOn(hostOf(target), path)
}

/** Tasks that are shared out among those who work: `client.workers`. */
export function workers<V>(target: RecipeTarget<V>, path: string, options?: WorkersOptions): Workers<V> {
  return new Workers(hostOf(target), path, options)
}

export { type PolicyName, policyNames } from './assignment.ts'
export { type StrategyName, strategyNames } from './balancing.ts'
export type { Barrier } from './barrier.ts'
export type { Cache, CacheChange, CacheEvents, CacheOptions, TreeCache, TreeCacheEvents } from './cache.ts'
export type { ClaimOptions } from './claim.ts'
export type { Counter, CounterGetOptions } from './counter.ts'
export type { DoubleBarrier } from './double-barrier.ts'
export type { Election, ElectionEvents, ElectionOptions, LeaderView, Singleton } from './election.ts'
export type { Group, GroupEvents, GroupMember, GroupMembership, GroupView, JoinGroupOptions } from './group.ts'
export { FenceGate, fenceHeader, fenceHeaders, type SqlGuard, sqlGuard } from './guards.ts'
export type { Held, Lock } from './held.ts'
export type { HandleOptions } from './host.ts'
export type { LockOptions, MultiLock } from './lock.ts'
export type { Ids, NameEvents, Names, ResolveOptions, WatchedName } from './names.ts'
export type { PutOptions, Queue, QueueItem } from './queue.ts'
export type { Revision } from './revisions.ts'
export type { Audience } from './rollout.ts'
export type {
  Firing,
  FiringRecord,
  Schedule,
  ScheduleEvents,
  ScheduleOptions,
  ScheduleTimes,
} from './schedule.ts'
export type { Semaphore } from './semaphore.ts'
export type {
  PickedInstance,
  PickOptions,
  Registration,
  ServiceDescription,
  ServiceEvents,
  ServiceInstance,
  Services,
  ServiceView,
  WatchServiceOptions,
} from './services.ts'
export type { SynchronousQueue } from './synchronous-queue.ts'
export type {
  SubmitOptions,
  SubmittedTask,
  TaskFunction,
  TaskRun,
  Worker,
  WorkerEvents,
  Workers,
  WorkersOptions,
  WorkOptions,
} from './workers.ts'
export type { TaskStatus, WorkerStatus, WorkersStatus } from './workers-tree.ts'
