"""Adds 1 to a number so many times, under a lock: what others add to it without the lock gets lost."""

import sys
import time

from kazoo.client import KazooClient

hosts, rounds = sys.argv[1], int(sys.argv[2])
zk = KazooClient(hosts=hosts, timeout=10)
zk.start(timeout=30)
for _ in range(rounds):
    with zk.Lock("/lock"):
        before = int(zk.get("/sum")[0])
        time.sleep(0.005)
        zk.set("/sum", str(before + 1).encode())
zk.stop()
zk.close()
print("done")
