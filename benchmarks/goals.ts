/** What is aimed at: ratios to the others, measured in the same run. */

export interface Goal {
  readonly workload: string
  /** The beginning of the setting. */
  readonly setting: string
  readonly figure: string
  /** The contender whose figure ours is divided by; none: the figure itself is bounded. */
  readonly against?: string
  /** Which is better. */
  readonly wanted: 'more' | 'less'
  readonly atLeast: number
  readonly aim?: number
}

const goal = (
  workload: string,
  setting: string,
  figure: string,
  against: string,
  wanted: Goal['wanted'],
  atLeast: number,
  aim: number,
): Goal => ({ workload, setting, figure, against, wanted, atLeast, aim })

const bound = (workload: string, setting: string, figure: string, atLeast: number, aim: number): Goal => ({
  workload,
  setting,
  figure,
  wanted: 'less',
  atLeast,
  aim,
})

const perCpu = 'ops per CPU-s'

export const goals: readonly Goal[] = [
  goal('durable', 'writes', perCpu, 'ZooKeeper', 'more', 2.5, 5),
  goal('durable', 'writes', perCpu, 'bare loop', 'more', 0.2, 0.333),
  goal('memory', 'writes', perCpu, 'ZooKeeper', 'more', 3, 6),
  goal('memory', 'writes', perCpu, 'etcd', 'more', 8, 15),
  goal('memory', 'writes', perCpu, 'etcd, etcd3', 'more', 8, 15),
  goal('memory', 'writes', perCpu, 'bare loop', 'more', 0.2, 0.333),
  goal('single', 'one', 'p50 ms', 'ZooKeeper', 'less', 0.75, 0.6),
  goal('single', 'one', 'p50 ms', 'ZooKeeper, node-zookeeper-client', 'less', 0.5, 0.35),
  goal('single-memory', 'one', 'p50 ms', 'ZooKeeper', 'less', 0.5, 0.3),
  goal('read', 'reads', perCpu, 'ZooKeeper', 'more', 20, 45),
  goal('read', 'reads', perCpu, 'ZooKeeper, node-zookeeper-client', 'more', 40, 90),
  goal('linearizable', 'linearizable', perCpu, 'etcd', 'more', 4, 10),
  goal('linearizable', 'linearizable', perCpu, 'etcd, etcd3', 'more', 4, 10),
  goal('linearizable', 'one', 'p50 ms', 'etcd', 'less', 0.5, 0.25),
  goal('linearizable', 'one', 'p50 ms', 'etcd, etcd3', 'less', 0.5, 0.25),
  goal('mixed', '90 %', perCpu, 'ZooKeeper', 'more', 6, 12),
  goal('ephemeral', 'create', perCpu, 'ZooKeeper', 'more', 2, 4),
  goal('failover', 'leader killed', 'longest gap ms', 'ZooKeeper', 'less', 0.2, 0.05),
  goal('failover', 'leader killed', 'longest gap ms', 'etcd', 'less', 0.167, 0.05),
  goal('hang', 'leader stopped', 'longest gap ms', 'ZooKeeper', 'less', 0.25, 0.25),
  goal('watches', '10,000 watchers', 'last told ms', 'ZooKeeper', 'less', 1, 0.5),
  goal('watches', '1,000 watchers', 'last told ms', 'ZooKeeper', 'less', 0.2, 0.1),
  goal('start', 'one member or', 'ms', 'ZooKeeper', 'less', 0.05, 0.02),
  goal('start', 'three', 'ms', 'ZooKeeper', 'less', 0.25, 0.167),
  goal('footprint', '1,000,000', 'live heap and external B per znode', 'ZooKeeper', 'less', 0.7, 0.5),
  goal('footprint', '1,000,000', 'resident B per znode', 'ZooKeeper', 'less', 0.35, 0.2),
  goal('recovery', '1,000,000', 'restart ms', 'ZooKeeper', 'less', 0.7, 0.3),
  goal('recovery', '1,000,000', 'CPU s', 'ZooKeeper', 'less', 0.7, 0.3),
  bound('idle', 'an idle', 'resident MiB over a bare process', 15, 8),
  bound('courtesy', 'about 5,000', 'delay p99 added ms', 5, 2),
  bound('snapshot', '1,000,000', 'delay p99 added ms', 5, 2),
  bound('snapshot', '1,000,000', 'write p99 over the quiet one', 2, 2),
]
