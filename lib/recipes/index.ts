/** The recipes by name, for annotations; they are opened by the methods of a client. */
export { type PolicyName, policyNames } from './assignment.ts'
export { type StrategyName, strategyNames } from './balancing.ts'
export type { Barrier } from './barrier.ts'
export type { Cache, CacheChange, CacheEvents, CacheOptions, TreeCache, TreeCacheEvents } from './cache.ts'
export type { Counter, CounterGetOptions } from './counter.ts'
export type { DoubleBarrier } from './double-barrier.ts'
export type { Group, GroupEvents, GroupMember, GroupMembership, GroupView, JoinGroupOptions } from './group.ts'
export type { Held } from './held.ts'
export type { HandleOptions } from './host.ts'
export type { Ids, NameEvents, Names, ResolveOptions, WatchedName } from './names.ts'
export type { PutOptions, Queue, QueueItem } from './queue.ts'
export type { Revision } from './revisions.ts'
export type { Audience } from './rollout.ts'
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
