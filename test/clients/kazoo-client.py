"""What applications do with kazoo, against the connect string and the port=pid list in the arguments.

Prints a line for each part that went well; an exception ends it.
"""

import os
import signal
import sys
import threading
import time

from kazoo.client import KazooClient
from kazoo.exceptions import (
    BadVersionError,
    NoAuthError,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    RolledBackError,
)
from kazoo.protocol.states import KazooState
from kazoo.recipe.barrier import Barrier, DoubleBarrier
from kazoo.recipe.cache import TreeCache
from kazoo.security import make_digest_acl

hosts, pids = sys.argv[1], dict(pair.split("=") for pair in sys.argv[2].split(","))


def client(**options):
    one = KazooClient(hosts=hosts, timeout=10, **options)
    one.start(timeout=30)
    return one


def wait(condition, what):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(what)


def raises(error, call, *arguments, **options):
    try:
        call(*arguments, **options)
    except error:
        return
    raise AssertionError("%s expected" % error.__name__)


def crud(zk):
    assert zk.create("/kazoo/a/b", b"one", makepath=True) == "/kazoo/a/b"
    data, stat = zk.get("/kazoo/a/b")
    assert data == b"one" and stat.version == 0
    assert zk.set("/kazoo/a/b", b"two", version=0).version == 1
    raises(BadVersionError, zk.set, "/kazoo/a/b", b"three", version=0)
    raises(NodeExistsError, zk.create, "/kazoo/a/b")
    raises(NoNodeError, zk.get, "/kazoo/none")
    raises(NotEmptyError, zk.delete, "/kazoo/a")
    assert zk.create("/kazoo/s-", sequence=True) == "/kazoo/s-0000000001"
    path, stat = zk.create("/kazoo/e", b"x", ephemeral=True, include_data=True)
    assert stat.ephemeralOwner == zk.client_id[0]
    assert sorted(zk.get_children("/kazoo")) == ["a", "e", "s-0000000001"]
    zk.sync("/kazoo")
    zk.delete("/kazoo/a", recursive=True)
    assert zk.exists("/kazoo/a") is None
    print("ok create, read, update, delete")


def watches(zk, other):
    seen = []
    zk.ensure_path("/kazoo/watched")

    @zk.DataWatch("/kazoo/watched")
    def on_data(data, stat):
        seen.append(("data", data))

    @zk.ChildrenWatch("/kazoo/watched")
    def on_children(children):
        seen.append(("children", sorted(children)))

    other.set("/kazoo/watched", b"new")
    wait(lambda: ("data", b"new") in seen, "the data watch")
    other.create("/kazoo/watched/child")
    wait(lambda: ("children", ["child"]) in seen, "the children watch")
    once = threading.Event()
    assert zk.exists("/kazoo/later", watch=lambda event: once.set()) is None
    other.create("/kazoo/later")
    assert once.wait(20)
    print("ok watches")


def acls():
    acl = [make_digest_acl("bob", "secret", all=True)]
    owner = client(auth_data=[("digest", "bob:secret")])
    stranger = client()
    owner.create("/kazoo/bobs", b"x", acl=acl)
    # At another member, which may be behind.
    stranger.sync("/kazoo/bobs")
    raises(NoAuthError, stranger.get, "/kazoo/bobs")
    assert owner.get("/kazoo/bobs")[0] == b"x"
    stranger.add_auth("digest", "bob:secret")
    assert stranger.get("/kazoo/bobs")[0] == b"x"
    assert owner.get_acls("/kazoo/bobs")[0][0].id.id.startswith("bob:")
    for one in (owner, stranger):
        one.stop()
        one.close()
    print("ok ACLs and logins")


def transactions(zk):
    good = zk.transaction()
    good.create("/kazoo/t", b"1")
    good.set_data("/kazoo/t", b"2")
    good.check("/kazoo/t", 1)
    assert [type(result) for result in good.commit()][0] is str
    bad = zk.transaction()
    bad.create("/kazoo/u")
    bad.delete("/kazoo/none")
    bad.create("/kazoo/v")
    results = bad.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], NoNodeError), results
    assert zk.exists("/kazoo/u") is None
    print("ok transactions")


def recipes(clients):
    inside, most, total = [0], [0], [0]
    guard = threading.Lock()

    def locked(zk):
        for _ in range(5):
            with zk.Lock("/kazoo/lock"):
                with guard:
                    inside[0] += 1
                    most[0] = max(most[0], inside[0])
                time.sleep(0.01)
                with guard:
                    inside[0] -= 1
                    total[0] += 1

    threads = [threading.Thread(target=locked, args=(zk,)) for zk in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most[0], total[0]) == (1, 5 * len(clients)), (most, total)

    leaders = []

    def lead(name, zk):
        zk.Election("/kazoo/election", name).run(lambda: leaders.append(name))

    threads = [threading.Thread(target=lead, args=(str(n), zk)) for n, zk in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(leaders) == [str(n) for n in range(len(clients))], leaders

    counters = [zk.Counter("/kazoo/counter") for zk in clients]
    for counter in counters:
        counter += 2
    clients[0].sync("/kazoo/counter")
    assert counters[0].value == 2 * len(clients)

    queue = clients[0].Queue("/kazoo/queue")
    for item in (b"a", b"b"):
        queue.put(item)
    clients[1].sync("/kazoo/queue")
    assert [clients[1].Queue("/kazoo/queue").get() for _ in range(3)] == [b"a", b"b", None]

    barrier = Barrier(clients[0], "/kazoo/barrier")
    barrier.create()
    clients[1].sync("/kazoo/barrier")
    passed = threading.Thread(target=lambda: Barrier(clients[1], "/kazoo/barrier").wait(30))
    passed.start()
    barrier.remove()
    passed.join(30)
    assert not passed.is_alive()

    doubles = [DoubleBarrier(zk, "/kazoo/double", len(clients)) for zk in clients]
    threads = [threading.Thread(target=lambda one=one: (one.enter(), one.leave())) for one in doubles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()

    parties = [zk.Party("/kazoo/party", str(n)) for n, zk in enumerate(clients)]
    for party in parties:
        party.join()
    wait(lambda: sorted(parties[0]) == [str(n) for n in range(len(clients))], "the party")

    semaphore = clients[0].Semaphore("/kazoo/semaphore", max_leases=1)
    assert semaphore.acquire()
    clients[1].sync("/kazoo/semaphore")
    assert not clients[1].Semaphore("/kazoo/semaphore", max_leases=1).acquire(blocking=False)
    semaphore.release()

    cache = TreeCache(clients[0], "/kazoo/cached")
    clients[0].ensure_path("/kazoo/cached")
    cache.start()
    clients[1].create("/kazoo/cached/x", b"y")
    wait(lambda: cache.get_data("/kazoo/cached/x") is not None, "the cache")
    cache.close()
    print("ok locks, elections, counters, queues, barriers, parties, semaphores, caches")


def moves():
    zk = client()
    session = zk.client_id[0]
    states = []
    zk.add_listener(states.append)
    zk.create("/kazoo/mine", b"", ephemeral=True)
    seen = threading.Event()
    zk.sync("/kazoo/lock")
    zk.get("/kazoo/lock", watch=lambda event: seen.set())
    port = zk._connection._socket.getpeername()[1]
    os.kill(int(pids[str(port)]), signal.SIGKILL)
    wait(lambda: KazooState.CONNECTED in states, "the connection to another member")
    assert zk.client_id[0] == session and KazooState.LOST not in states, states
    # While another leader is elected, a member may cut its clients once more.
    assert zk.retry(zk.exists, "/kazoo/mine").ephemeralOwner == session
    zk.retry(zk.set, "/kazoo/lock", b"after")
    assert seen.wait(60)
    zk.stop()
    zk.close()
    rest = client()
    rest.retry(rest.sync, "/kazoo")
    assert rest.retry(rest.exists, "/kazoo/mine") is None
    rest.stop()
    rest.close()
    print("ok a session that moves to another member")


clients = [client() for _ in range(4)]
crud(clients[0])
watches(clients[0], clients[1])
acls()
transactions(clients[0])
recipes(clients)
for one in clients:
    one.stop()
    one.close()
moves()
print("done")
