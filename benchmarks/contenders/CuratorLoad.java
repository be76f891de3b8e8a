import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.ExponentialBackoffRetry;

/**
 * Curator's lock: so many threads that take it and give it back, over one client. The connect string is the argument. A
 * command a line, `lock PATH CONTENDERS SECONDS`; count, failures, seconds and latencies in microseconds
 * for each.
 */
public class CuratorLoad {
  static String lock(CuratorFramework client, String path, int contenders, double seconds) throws Exception {
    long began = System.nanoTime();
    long end = began + (long) (seconds * 1e9);
    List<Integer> latencies = Collections.synchronizedList(new ArrayList<>());
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < contenders; i++) {
      InterProcessMutex mutex = new InterProcessMutex(client, path);
      Thread thread = new Thread(() -> {
        try {
          for (long before = System.nanoTime(); before < end; before = System.nanoTime()) {
            mutex.acquire();
            mutex.release();
            latencies.add((int) ((System.nanoTime() - before) / 1000));
          }
        } catch (Exception error) {
          throw new IllegalStateException(error);
        }
      });
      thread.start();
      threads.add(thread);
    }
    for (Thread thread : threads) thread.join();
    StringBuilder line = new StringBuilder().append(latencies.size()).append(" 0 ").append((System.nanoTime() - began) / 1e9);
    for (int latency : latencies) line.append(' ').append(latency);
    return line.toString();
  }

  public static void main(String[] arguments) throws Exception {
    CuratorFramework client = CuratorFrameworkFactory.builder().connectString(arguments[0])
        .retryPolicy(new ExponentialBackoffRetry(100, 10)).build();
    client.start();
    client.blockUntilConnected(60, TimeUnit.SECONDS);
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    System.out.println("ready");
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      String[] words = line.split(" ");
      try {
        System.out.println("ok " + lock(client, words[1], Integer.parseInt(words[2]), Double.parseDouble(words[3])));
      } catch (Exception error) {
        System.out.println("error " + error);
      }
    }
    System.exit(0);
  }
}
