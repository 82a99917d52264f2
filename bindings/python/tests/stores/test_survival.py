"""What a store survives, on real servers: a crash, a failover, a partition, a worker whose clock is wrong."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from test_outage import Application, client, on_postgres, redis_server

from hookproof.stores.redis import RedisStore


class Link:
    """A way to a server, which can be cut without a word, as a network is, and lead to another server afterwards."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.forwards = threading.Event()
        self.forwards.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                near.close()
                continue
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                self.forwards.wait()
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()


def free_ports(many: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(many)]
    try:
        return [int(listener.getsockname()[1]) for listener in listeners]
    finally:
        for listener in listeners:
            listener.close()


def test_a_failover_of_redis_forgets_what_the_replica_had_not(tmp_path: Path) -> None:
    first, second = free_ports(2)
    with redis_server(second, tmp_path), redis_server(first, tmp_path) as primary:
        replication, way = Link(first), Link(first)
        replica = redis.Redis(port=second)
        replica.replicaof("127.0.0.1", replication.port)
        until = time.monotonic() + 20
        while replica.info("replication")["master_link_status"] != "up":
            assert time.monotonic() < until
            time.sleep(0.05)
        app = Application(RedisStore(client(way.port), scope="test"))
        assert app.send("msg_1").status_code == 200
        assert redis.Redis(port=first).wait(1, 5000) == 1, "the replica has it"

        replication.forwards.clear()
        assert app.send("msg_2").status_code == 200, "acknowledged by the primary alone"
        primary.kill()
        primary.wait()
        assert app.send("msg_3").status_code == 503, "between the two"
        replica.replicaof("NO", "ONE")
        way.target = second

        assert app.send("msg_1").headers.get("hookproof-outcome") == "duplicate"
        assert app.send("msg_3").status_code == 200
        # What the page on stores says of a failover: acknowledged, forgotten, and run once more.
        again = app.send("msg_2")
        assert (again.status_code, again.headers.get("hookproof-outcome")) == (200, None)
        assert app.effects == ["msg_1", "msg_2", "msg_3", "msg_2"]
        replica.close()


def test_redis_behind_a_partition_is_503_and_no_handler_runs(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    with redis_server(port, tmp_path):
        link = Link(port)
        app = Application(RedisStore(client(link.port), scope="test"))
        assert app.send("msg_1").status_code == 200
        link.forwards.clear()
        for event in ("msg_1", "msg_2"):
            answer = app.send(event)
            assert answer.status_code == 503
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert app.effects == ["msg_1"]
        link.forwards.set()
        until = time.monotonic() + 5
        # What was held back arrives late: a claim of msg_2 may be in flight, until its lease ends.
        while app.send("msg_2").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert app.send("msg_1").headers["hookproof-outcome"] == "duplicate"
        assert app.effects == ["msg_1", "msg_2"]


def test_redis_with_an_append_only_file_forgets_nothing_when_it_is_killed(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    durable = ("--appendonly", "yes", "--appendfsync", "always")
    app = Application(RedisStore(client(port), scope="test"))
    with redis_server(port, tmp_path, *durable):
        assert app.send("msg_1").status_code == 200
    with redis_server(port, tmp_path, *durable):
        assert app.send("msg_1").headers["hookproof-outcome"] == "duplicate"
    assert app.effects == ["msg_1"]


def test_postgres_that_crashes_forgets_nothing(postgres_url: str) -> None:
    with on_postgres(postgres_url) as (app, other):
        assert app.send("msg_1").status_code == 200
        # A process of the server that is killed takes all others with it, and the server recovers from its log.
        os.kill(other.info.backend_pid, signal.SIGKILL)
        with pytest.raises(psycopg.OperationalError):
            other.execute("SELECT pg_sleep(10)")
        until = time.monotonic() + 30
        while app.send("msg_2").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.02)
        assert app.send("msg_1").headers["hookproof-outcome"] == "duplicate"
        assert app.effects == ["msg_1", "msg_2"]


@pytest.mark.parametrize("wrong", [-86_400, 86_400])
def test_the_clock_of_a_worker_is_not_read(store: Any, wrong: int, monkeypatch: pytest.MonkeyPatch) -> None:
    key, mine, other, body = os.urandom(32), b"a" * 16, b"b" * 16, b"h" * 32
    right, right_ns = time.time, time.time_ns
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: right() + wrong)
        clock.setattr(time, "time_ns", lambda: right_ns() + wrong * 10**9)
        kind, fence = store.claim(key, mine, body, 300)
        assert kind == "claimed"
    kind, remaining = store.claim(key, other, body, 60_000)
    assert (kind, remaining <= 300) == ("in_flight", True)
    time.sleep(0.35)
    kind, later = store.claim(key, other, body, 60_000)
    assert (kind, later > fence) == ("claimed", True), "the lease has ended, by the store's clock"
