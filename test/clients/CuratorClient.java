import java.util.List;
import java.util.Map;
import java.util.HashMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.api.transaction.CuratorTransactionResult;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;
import org.apache.curator.framework.state.ConnectionState;
import org.apache.curator.retry.ExponentialBackoffRetry;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.data.Stat;

/**
 * What applications do with Curator, against the connect string and the port=pid list in the arguments.
 * Prints a line for each part that went well; an exception ends it.
 */
public class CuratorClient {
  static String hosts;

  interface Condition { boolean holds() throws Exception; }
  interface Step { void run() throws Exception; }

  static void check(boolean condition, String what) {
    if (!condition) throw new AssertionError(what);
  }

  static void await(Condition condition, String what) throws Exception {
    for (int i = 0; i < 600; i++) {
      if (condition.holds()) return;
      Thread.sleep(100);
    }
    throw new AssertionError(what);
  }

  static void raises(Class<? extends Exception> expected, Step step) throws Exception {
    try {
      step.run();
    } catch (Exception error) {
      if (expected.isInstance(error)) return;
      throw error;
    }
    throw new AssertionError(expected + " expected");
  }

  static CuratorFramework client(String auth) throws Exception {
    CuratorFrameworkFactory.Builder builder = CuratorFrameworkFactory.builder()
        .connectString(hosts).sessionTimeoutMs(15000).connectionTimeoutMs(15000)
        .retryPolicy(new ExponentialBackoffRetry(200, 10));
    if (auth != null) builder.authorization("digest", auth.getBytes());
    CuratorFramework one = builder.build();
    one.start();
    check(one.blockUntilConnected(30, TimeUnit.SECONDS), "connected");
    return one;
  }

  static void crud(CuratorFramework zk) throws Exception {
    check(zk.create().creatingParentsIfNeeded().forPath("/curator/a/b", "one".getBytes()).equals("/curator/a/b"), "path");
    Stat stat = new Stat();
    check(new String(zk.getData().storingStatIn(stat).forPath("/curator/a/b")).equals("one"), "data");
    check(zk.setData().withVersion(stat.getVersion()).forPath("/curator/a/b", "two".getBytes()).getVersion() == 1, "version");
    raises(KeeperException.BadVersionException.class, () -> zk.setData().withVersion(0).forPath("/curator/a/b"));
    raises(KeeperException.NodeExistsException.class, () -> zk.create().forPath("/curator/a"));
    raises(KeeperException.NotEmptyException.class, () -> zk.delete().forPath("/curator/a"));
    raises(KeeperException.NoNodeException.class, () -> zk.getData().forPath("/curator/none"));
    String protectedPath = zk.create().withProtection().withMode(CreateMode.EPHEMERAL_SEQUENTIAL).forPath("/curator/p-");
    check(protectedPath.startsWith("/curator/_c_"), protectedPath);
    Stat created = new Stat();
    zk.create().storingStatIn(created).withMode(CreateMode.EPHEMERAL).forPath("/curator/e");
    check(created.getEphemeralOwner() == zk.getZookeeperClient().getZooKeeper().getSessionId(), "owner");
    zk.create().withMode(CreateMode.CONTAINER).forPath("/curator/container");
    zk.create().withTtl(600000).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/curator/ttl");
    String sequential = zk.create().withTtl(600000).withMode(CreateMode.PERSISTENT_SEQUENTIAL_WITH_TTL).forPath("/curator/t-");
    check(sequential.matches("/curator/t-\\d{10}"), sequential);
    zk.sync().forPath("/curator");
    zk.delete().guaranteed().deletingChildrenIfNeeded().forPath("/curator/a");
    check(zk.checkExists().forPath("/curator/a") == null, "deleted");
    check(zk.getZookeeperClient().getZooKeeper().getAllChildrenNumber("/curator") == 5, "all children");
    check(zk.getZookeeperClient().getZooKeeper().getEphemerals("/curator").size() == 2, "ephemerals");
    System.out.println("ok create in all modes, read, update, delete");
  }

  static void transactions(CuratorFramework zk) throws Exception {
    List<CuratorTransactionResult> results = zk.transaction().forOperations(
        zk.transactionOp().create().forPath("/curator/t", "1".getBytes()),
        zk.transactionOp().setData().forPath("/curator/t", "2".getBytes()),
        zk.transactionOp().check().withVersion(1).forPath("/curator/t"),
        zk.transactionOp().delete().forPath("/curator/t"));
    check(results.size() == 4 && results.get(1).getResultStat().getVersion() == 1, "results");
    raises(KeeperException.NoNodeException.class, () -> zk.transaction().forOperations(
        zk.transactionOp().create().forPath("/curator/u"), zk.transactionOp().delete().forPath("/curator/none")));
    check(zk.checkExists().forPath("/curator/u") == null, "rolled back");
    System.out.println("ok transactions");
  }

  static void acls() throws Exception {
    try (CuratorFramework owner = client("bob:secret"); CuratorFramework stranger = client(null)) {
      owner.create().creatingParentsIfNeeded().withACL(ZooDefs.Ids.CREATOR_ALL_ACL).forPath("/bobs", "x".getBytes());
      stranger.sync().forPath("/bobs");
      Thread.sleep(200);
      raises(KeeperException.NoAuthException.class, () -> stranger.getData().forPath("/bobs"));
      check(owner.getACL().forPath("/bobs").get(0).getId().getId().startsWith("bob:"), "acl");
      owner.setACL().withACL(ZooDefs.Ids.OPEN_ACL_UNSAFE).forPath("/bobs");
      await(() -> {
        try {
          return stranger.getData().forPath("/bobs").length == 1;
        } catch (KeeperException.NoAuthException notYet) {
          return false;
        }
      }, "opened");
    }
    System.out.println("ok ACLs and logins");
  }

  static void watches(CuratorFramework zk, CuratorFramework other) throws Exception {
    BlockingQueue<String> events = new LinkedBlockingQueue<>();
    zk.create().forPath("/curator/w");
    try (PersistentWatcher watcher = new PersistentWatcher(zk, "/curator/w", true)) {
      watcher.getListenable().addListener((event) -> {
        if (event.getPath() != null) events.add(event.getType() + " " + event.getPath());
      });
      CountDownLatch set = new CountDownLatch(1);
      watcher.getResetListenable().addListener(set::countDown);
      watcher.start();
      check(set.await(30, TimeUnit.SECONDS), "the watch is set");
      other.create().creatingParentsIfNeeded().forPath("/curator/w/x/y", "1".getBytes());
      other.setData().forPath("/curator/w/x/y", "2".getBytes());
      other.delete().forPath("/curator/w/x/y");
      for (String expected : new String[] {
          "NodeCreated /curator/w/x", "NodeCreated /curator/w/x/y", "NodeDataChanged /curator/w/x/y", "NodeDeleted /curator/w/x/y"}) {
        String event = events.poll(30, TimeUnit.SECONDS);
        check(expected.equals(event), event + " instead of " + expected);
      }
    }
    Map<String, String> seen = new HashMap<>();
    try (CuratorCache cache = CuratorCache.build(zk, "/curator/cached")) {
      cache.listenable().addListener((type, before, after) -> {
        synchronized (seen) {
          if (after == null) seen.remove(before.getPath()); else seen.put(after.getPath(), new String(after.getData()));
        }
      });
      cache.start();
      other.create().creatingParentsIfNeeded().forPath("/curator/cached/one", "1".getBytes());
      other.setData().forPath("/curator/cached/one", "2".getBytes());
      await(() -> { synchronized (seen) { return "2".equals(seen.get("/curator/cached/one")); } }, "cached");
      other.delete().forPath("/curator/cached/one");
      await(() -> { synchronized (seen) { return !seen.containsKey("/curator/cached/one"); } }, "uncached");
    }
    System.out.println("ok persistent watches and caches");
  }

  static void parallel(List<CuratorFramework> clients, java.util.function.Function<CuratorFramework, Step> of) throws Exception {
    List<Throwable> failures = new java.util.concurrent.CopyOnWriteArrayList<>();
    List<Thread> threads = new java.util.ArrayList<>();
    for (CuratorFramework one : clients) {
      Thread thread = new Thread(() -> {
        try {
          of.apply(one).run();
        } catch (Throwable failure) {
          failures.add(failure);
        }
      });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join(120000);
    if (!failures.isEmpty()) throw new AssertionError(failures.get(0));
  }

  static void recipes(List<CuratorFramework> clients) throws Exception {
    AtomicInteger inside = new AtomicInteger(), most = new AtomicInteger(), total = new AtomicInteger();
    parallel(clients, (zk) -> () -> {
      InterProcessMutex mutex = new InterProcessMutex(zk, "/curator/mutex");
      for (int i = 0; i < 5; i++) {
        mutex.acquire();
        most.accumulateAndGet(inside.incrementAndGet(), Math::max);
        Thread.sleep(10);
        inside.decrementAndGet();
        total.incrementAndGet();
        mutex.release();
      }
    });
    check(most.get() == 1 && total.get() == 5 * clients.size(), "mutex " + most + " " + total);

    AtomicInteger led = new AtomicInteger();
    List<LeaderSelector> selectors = new java.util.ArrayList<>();
    for (CuratorFramework one : clients) {
      LeaderSelector selector = new LeaderSelector(one, "/curator/selector", new LeaderSelectorListenerAdapter() {
        public void takeLeadership(CuratorFramework zk) { led.incrementAndGet(); }
      });
      selector.start();
      selectors.add(selector);
    }
    await(() -> led.get() == clients.size(), "everybody led once");
    for (LeaderSelector selector : selectors) selector.close();

    List<LeaderLatch> latches = new java.util.ArrayList<>();
    for (CuratorFramework one : clients) {
      LeaderLatch latch = new LeaderLatch(one, "/curator/latch");
      latch.start();
      latches.add(latch);
    }
    while (!latches.isEmpty()) {
      await(() -> latches.stream().filter(LeaderLatch::hasLeadership).count() == 1, "one leader");
      LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().get();
      leader.close();
      latches.remove(leader);
    }

    InterProcessReadWriteLock readWrite = new InterProcessReadWriteLock(clients.get(0), "/curator/readwrite");
    readWrite.readLock().acquire();
    InterProcessReadWriteLock other = new InterProcessReadWriteLock(clients.get(1), "/curator/readwrite");
    check(other.readLock().acquire(30, TimeUnit.SECONDS), "shared");
    other.readLock().release();
    check(!other.writeLock().acquire(300, TimeUnit.MILLISECONDS), "not exclusive");
    readWrite.readLock().release();
    check(other.writeLock().acquire(30, TimeUnit.SECONDS), "exclusive");
    other.writeLock().release();

    Lease lease = new InterProcessSemaphoreV2(clients.get(0), "/curator/semaphore", 1).acquire();
    InterProcessSemaphoreV2 second = new InterProcessSemaphoreV2(clients.get(1), "/curator/semaphore", 1);
    check(second.acquire(300, TimeUnit.MILLISECONDS) == null, "no lease is left");
    lease.close();
    check(second.acquire(30, TimeUnit.SECONDS) != null, "the lease is free");

    parallel(clients, (zk) -> () -> {
      DistributedAtomicLong number = new DistributedAtomicLong(zk, "/curator/number", new ExponentialBackoffRetry(20, 20));
      for (int i = 0; i < 5; i++) while (!number.increment().succeeded()) Thread.sleep(5);
    });
    clients.get(0).sync().forPath("/curator/number");
    DistributedAtomicLong number = new DistributedAtomicLong(clients.get(0), "/curator/number", new ExponentialBackoffRetry(20, 20));
    await(() -> number.get().postValue() == 5L * clients.size(), "counted");

    try (SharedCount one = new SharedCount(clients.get(0), "/curator/count", 0);
        SharedCount two = new SharedCount(clients.get(1), "/curator/count", 0)) {
      one.start();
      two.start();
      one.setCount(7);
      await(() -> two.getCount() == 7, "shared count");
    }

    DistributedBarrier barrier = new DistributedBarrier(clients.get(0), "/curator/barrier");
    barrier.setBarrier();
    clients.get(1).sync().forPath("/curator/barrier");
    CountDownLatch passed = new CountDownLatch(1);
    new Thread(() -> {
      try {
        new DistributedBarrier(clients.get(1), "/curator/barrier").waitOnBarrier();
        passed.countDown();
      } catch (Exception ignored) {
      }
    }).start();
    Thread.sleep(200);
    barrier.removeBarrier();
    check(passed.await(30, TimeUnit.SECONDS), "barrier");
    parallel(clients, (zk) -> () -> {
      DistributedDoubleBarrier both = new DistributedDoubleBarrier(zk, "/curator/double", clients.size());
      check(both.enter(60, TimeUnit.SECONDS) && both.leave(60, TimeUnit.SECONDS), "double barrier");
    });

    SimpleDistributedQueue queue = new SimpleDistributedQueue(clients.get(0), "/curator/queue");
    queue.offer("x".getBytes());
    check(new String(new SimpleDistributedQueue(clients.get(1), "/curator/queue").take()).equals("x"), "queue");

    try (GroupMember one = new GroupMember(clients.get(0), "/curator/group", "one");
        GroupMember two = new GroupMember(clients.get(1), "/curator/group", "two")) {
      one.start();
      two.start();
      await(() -> one.getCurrentMembers().keySet().containsAll(List.of("one", "two")), "group");
    }
    System.out.println("ok locks, elections, semaphores, counters, barriers, queues, groups");
  }

  static void moves(Map<Integer, Long> pids) throws Exception {
    CuratorFramework zk = client(null);
    long session = zk.getZookeeperClient().getZooKeeper().getSessionId();
    BlockingQueue<ConnectionState> states = new LinkedBlockingQueue<>();
    zk.getConnectionStateListenable().addListener((one, state) -> states.add(state));
    PersistentNode node = new PersistentNode(zk, CreateMode.EPHEMERAL, false, "/curator/mine", "x".getBytes());
    node.start();
    check(node.waitForInitialCreate(30, TimeUnit.SECONDS), "created");
    LeaderLatch latch = new LeaderLatch(zk, "/curator/moving");
    latch.start();
    latch.await();
    InterProcessMutex mutex = new InterProcessMutex(zk, "/curator/held");
    mutex.acquire();
    java.net.InetSocketAddress at = (java.net.InetSocketAddress) remoteOf(zk);
    ProcessHandle.of(pids.get(at.getPort())).get().destroyForcibly();
    // The listener may still hear of the first connection: Curator tells its states from a thread of its own.
    ConnectionState state = states.poll(30, TimeUnit.SECONDS);
    if (state == ConnectionState.CONNECTED) state = states.poll(30, TimeUnit.SECONDS);
    check(state == ConnectionState.SUSPENDED, "suspended expected, not " + state);
    state = states.poll(60, TimeUnit.SECONDS);
    check(state == ConnectionState.RECONNECTED, "reconnected expected, not " + state);
    check(zk.getZookeeperClient().getZooKeeper().getSessionId() == session, "the session");
    check(zk.checkExists().forPath("/curator/mine").getEphemeralOwner() == session, "its node");
    check(mutex.isAcquiredInThisProcess(), "its lock");
    await(latch::hasLeadership, "leads on, or again");
    mutex.release();
    latch.close();
    node.close();
    zk.close();
    System.out.println("ok a session that moves to another member");
  }

  static java.net.SocketAddress remoteOf(CuratorFramework zk) throws Exception {
    java.lang.reflect.Method method = org.apache.zookeeper.ZooKeeper.class.getDeclaredMethod("testableRemoteSocketAddress");
    method.setAccessible(true);
    return (java.net.SocketAddress) method.invoke(zk.getZookeeperClient().getZooKeeper());
  }

  public static void main(String[] arguments) throws Exception {
    hosts = arguments[0];
    Map<Integer, Long> pids = new HashMap<>();
    for (String pair : arguments[1].split(",")) pids.put(Integer.valueOf(pair.split("=")[0]), Long.valueOf(pair.split("=")[1]));
    List<CuratorFramework> clients = List.of(client(null), client(null), client(null));
    crud(clients.get(0));
    transactions(clients.get(0));
    acls();
    watches(clients.get(0), clients.get(1));
    recipes(clients);
    for (CuratorFramework one : clients) one.close();
    moves(pids);
    System.out.println("done");
    System.exit(0);
  }
}
