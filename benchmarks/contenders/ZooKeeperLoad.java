import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.ZooDefs;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * ZooKeeper's load, with its own Java client: sessions spread over the servers, each with so many asynchronous calls
 * under way; a callback sends the next one. Reads commands from standard input, a line each, and prints a line for each.
 *
 *   sessions N HOST:PORT,...            N sessions to one server each, in turn
 *   prepare KEYS BYTES
 *   fill COUNT BYTES                    nodes, a thousand below each parent
 *   run OPERATION LANES KEYS BYTES READSHARE SECONDS   count, failures, seconds, then latencies in microseconds
 *   open EVERY_MS HOSTS                 an open loop of writes; `end`: when each was acknowledged, ms of the shared clock
 *   watches WATCHERS                    one-shot watchers of one path over all sessions: armed in ms, told to the last in ms
 */
public class ZooKeeperLoad {
  static final int SAMPLES = 20000;
  /** Long for a saturated machine; where servers are lost, what applications use. */
  static final int PATIENT_MS = 30000;
  static final int USUAL_MS = 10000;
  static List<ZooKeeper> sessions = new ArrayList<>();

  static ZooKeeper connect(String hosts, int timeoutMs) throws Exception {
    CountDownLatch connected = new CountDownLatch(1);
    ZooKeeper session = new ZooKeeper(hosts, timeoutMs, (event) -> {
      if (event.getState() == Watcher.Event.KeeperState.SyncConnected) connected.countDown();
    });
    if (!connected.await(60, TimeUnit.SECONDS)) throw new IllegalStateException("not connected to " + hosts);
    return session;
  }

  static void connectAll(int count, String[] hosts) throws Exception {
    for (ZooKeeper session : sessions) session.close();
    sessions = new ArrayList<>();
    for (int i = 0; i < count; i++) sessions.add(connect(hosts[i % hosts.length], PATIENT_MS));
  }

  static void create(String path, byte[] data) throws Exception {
    try {
      sessions.get(0).create(path, data, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    } catch (KeeperException.NodeExistsException exists) {
      // Made for an earlier load.
    }
  }

  static void prepare(int keys, int bytes) throws Exception {
    create("/queue", new byte[0]);
    CountDownLatch made = new CountDownLatch(keys);
    java.util.concurrent.Semaphore room = new java.util.concurrent.Semaphore(1000);
    for (int key = 0; key < keys; key++) {
      room.acquire();
      AsyncCallback.StringCallback done = (code, path, context, name) -> { room.release(); made.countDown(); };
      sessions.get(key % sessions.size())
          .create("/key-" + key, new byte[bytes], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, done, null);
    }
    made.await();
    for (ZooKeeper session : sessions) {
      CountDownLatch synced = new CountDownLatch(1);
      session.sync("/", (code, path, context) -> synced.countDown(), null);
      synced.await();
    }
  }

  static void fill(int count, int bytes) throws Exception {
    create("/tree", new byte[0]);
    for (int parent = 0; parent * 1000 < count; parent++) create("/tree/" + parent, new byte[0]);
    java.util.concurrent.Semaphore room = new java.util.concurrent.Semaphore(2000);
    byte[] data = new byte[bytes];
    AsyncCallback.StringCallback done = (code, path, context, name) -> room.release();
    for (int child = 0; child < count; child++) {
      room.acquire();
      sessions.get(child % sessions.size()).create("/tree/" + child / 1000 + "/child-" + child, data,
          ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, done, null);
    }
    room.acquire(2000);
  }

  static class Window {
    final String operation;
    final int keys;
    final double writeShare;
    final byte[] data;
    final long end;
    final AtomicLong turns = new AtomicLong();
    final AtomicLong count = new AtomicLong();
    final AtomicInteger failed = new AtomicInteger();
    final int[] samples = new int[SAMPLES];
    final CountDownLatch ended;

    Window(String operation, int lanes, int keys, int bytes, double readShare, double seconds) {
      this.operation = operation;
      this.keys = keys;
      this.writeShare = 1 - readShare;
      this.data = new byte[bytes];
      this.end = System.nanoTime() + (long) (seconds * 1e9);
      this.ended = new CountDownLatch(lanes);
    }

    void done(long began, int code) {
      if (code != 0) {
        failed.incrementAndGet();
        return;
      }
      long index = count.getAndIncrement();
      samples[(int) (index % SAMPLES)] = (int) ((System.nanoTime() - began) / 1000);
    }
  }

  static class Lane implements AsyncCallback.StatCallback, AsyncCallback.DataCallback, AsyncCallback.StringCallback,
      AsyncCallback.VoidCallback {
    final ZooKeeper session;
    final Window window;
    long began;

    Lane(ZooKeeper session, Window window) {
      this.session = session;
      this.window = window;
    }

    void next() {
      began = System.nanoTime();
      if (began >= window.end) {
        window.ended.countDown();
        return;
      }
      long now = window.turns.getAndIncrement();
      String path = "/key-" + (now % window.keys);
      switch (window.operation) {
        case "write": session.setData(path, window.data, -1, this, null); break;
        case "read": session.getData(path, false, this, null); break;
        case "linearizable read":
          session.sync(path, (AsyncCallback.VoidCallback) (code, p, context) -> {}, null);
          session.getData(path, false, this, null);
          break;
        case "mixed":
          boolean isWrite = Math.floor((now + 1) * window.writeShare) > Math.floor(now * window.writeShare);
          if (isWrite) session.setData(path, window.data, -1, this, null);
          else session.getData(path, false, this, null);
          break;
        case "ephemeral":
          session.create("/queue/item-", window.data, ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL,
              (AsyncCallback.StringCallback) this, null);
          break;
        default: throw new IllegalArgumentException(window.operation);
      }
    }

    public void processResult(int code, String path, Object context, Stat stat) {
      window.done(began, code);
      next();
    }

    public void processResult(int code, String path, Object context, byte[] data, Stat stat) {
      window.done(began, code);
      next();
    }

    public void processResult(int code, String path, Object context, String name) {
      if (code != 0) {
        window.done(began, code);
        next();
        return;
      }
      session.delete(name, -1, (AsyncCallback.VoidCallback) this, null);
    }

    public void processResult(int code, String path, Object context) {
      // Two operations: the creation, and this.
      if (code == 0) window.count.incrementAndGet();
      window.done(began, code);
      next();
    }
  }

  static String run(String operation, int lanes, int keys, int bytes, double readShare, double seconds) throws Exception {
    Window window = new Window(operation, lanes, keys, bytes, readShare, seconds);
    long began = System.nanoTime();
    for (int lane = 0; lane < lanes; lane++) {
      new Lane(sessions.get(lane % sessions.size()), window).next();
    }
    window.ended.await();
    double took = (System.nanoTime() - began) / 1e9;
    int kept = (int) Math.min(window.count.get(), SAMPLES);
    StringBuilder line = new StringBuilder().append(window.count.get()).append(' ').append(window.failed.get()).append(' ').append(took);
    // Of operations that count double, every other place is empty.
    for (int sample : Arrays.copyOf(window.samples, kept)) if (sample > 0) line.append(' ').append(sample);
    return line.toString();
  }

  static ScheduledExecutorService openLoop;
  static final List<Double> acknowledged = new ArrayList<>();

  static void open(int everyMs, String hosts) throws Exception {
    ZooKeeper session = connect(hosts, USUAL_MS);
    try {
      session.create("/open-loop", new byte[8], ZooDefs.Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
    } catch (KeeperException.NodeExistsException exists) {
      // Made for an earlier turn.
    }
    acknowledged.clear();
    openLoop = Executors.newSingleThreadScheduledExecutor();
    AsyncCallback.StatCallback done = (code, path, context, stat) -> {
      if (code == 0) synchronized (acknowledged) { acknowledged.add(System.nanoTime() / 1e6); }
    };
    openLoop.scheduleAtFixedRate(() -> session.setData("/open-loop", new byte[8], -1, done, null), 0, everyMs,
        TimeUnit.MILLISECONDS);
    sessions.add(session);
  }

  static String end() {
    openLoop.shutdownNow();
    StringBuilder line = new StringBuilder();
    synchronized (acknowledged) {
      for (double at : acknowledged) line.append(line.length() == 0 ? "" : " ").append(String.format("%.3f", at));
    }
    return line.toString();
  }

  /** So many watchers of one path, over all sessions; then one change. */
  static String watches(int watchers) throws Exception {
    create("/watched", new byte[8]);
    for (ZooKeeper session : sessions) {
      CountDownLatch synced = new CountDownLatch(1);
      session.sync("/watched", (code, path, context) -> synced.countDown(), null);
      synced.await();
    }
    CountDownLatch armed = new CountDownLatch(watchers);
    CountDownLatch told = new CountDownLatch(watchers);
    long began = System.nanoTime();
    for (int watcher = 0; watcher < watchers; watcher++) {
      Watcher listener = new Watcher() {
        public void process(WatchedEvent event) { told.countDown(); }
      };
      AsyncCallback.DataCallback done = (code, path, context, data, stat) -> armed.countDown();
      sessions.get(watcher % sessions.size()).getData("/watched", listener, done, null);
    }
    armed.await();
    long set = System.nanoTime();
    sessions.get(0).setData("/watched", new byte[8], -1);
    told.await();
    return (set - began) / 1e6 + " " + (System.nanoTime() - set) / 1e6;
  }

  static String perform(String[] words) throws Exception {
    switch (words[0]) {
      case "sessions": connectAll(Integer.parseInt(words[1]), words[2].split(",")); return "";
      case "prepare": prepare(Integer.parseInt(words[1]), Integer.parseInt(words[2])); return "";
      case "fill": fill(Integer.parseInt(words[1]), Integer.parseInt(words[2])); return "";
      case "run":
        return run(words[1].replace('-', ' '), Integer.parseInt(words[2]), Integer.parseInt(words[3]),
            Integer.parseInt(words[4]), Double.parseDouble(words[5]), Double.parseDouble(words[6]));
      case "open": open(Integer.parseInt(words[1]), words[2]); return "";
      case "end": return end();
      case "watches": return watches(Integer.parseInt(words[1]));
      default: throw new IllegalArgumentException(words[0]);
    }
  }

  public static void main(String[] arguments) throws Exception {
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ready");
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      try {
        System.out.println(("ok " + perform(line.split(" "))).trim());
      } catch (Exception error) {
        System.out.println("error " + error);
      }
    }
    System.exit(0);
  }
}
