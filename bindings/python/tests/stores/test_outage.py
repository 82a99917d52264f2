"""A store that is down, slow, or restarted in the middle: 503 with Retry-After, and no handler without a claim."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flask
import psycopg
import psycopg_pool
import pytest
import redis
from werkzeug.test import TestResponse

from hookproof import Delivery, Receiver, Signer
from hookproof.flask import receive
from hookproof.stores.postgres import PostgresStore
from hookproof.stores.redis import RedisStore

SECRET = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM="


class Application:
    """A Flask application on a store, and what took effect in it."""

    def __init__(self, store: Any, lease: float = 0.5) -> None:
        self.effects: list[str] = []
        receiver = Receiver("standard-webhooks", SECRET, store=store, lease=lease)
        app = flask.Flask(__name__)

        @app.post("/")
        @receive(receiver)
        def on_delivery(delivery: Delivery) -> None:
            assert delivery.id is not None
            self.effects.append(delivery.id)

        self._app = app

    def send(self, event: str) -> TestResponse:
        headers = Signer("standard-webhooks", SECRET).sign(b"{}", id=event).headers
        return self._app.test_client().post("/", data=b"{}", headers=headers)


@contextmanager
def redis_server(port: int, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            with redis.Redis(port=port) as client:
                for _ in range(200):
                    try:
                        client.ping()
                        break
                    except redis.ConnectionError:
                        time.sleep(0.02)
            yield server
        finally:
            server.kill()


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def client(port: int) -> redis.Redis:
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return redis.Redis(port=port, socket_timeout=0.3, socket_connect_timeout=0.3, retry=Retry(NoBackoff(), 0))


def test_redis_down_and_back(port: int, tmp_path: Path) -> None:
    app = Application(RedisStore(client(port), scope="test"))
    for event in ("msg_1", "msg_2"):
        answer = app.send(event)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert app.effects == []
    with redis_server(port, tmp_path):
        assert app.send("msg_1").status_code == 200
        assert app.send("msg_1").headers["hookproof-outcome"] == "duplicate"
    assert app.send("msg_2").status_code == 503, "down again"
    # Started anew without persistence, it has forgotten: what the page on stores says of Redis.
    with redis_server(port, tmp_path):
        assert app.send("msg_2").status_code == 200
        assert app.send("msg_1").status_code == 200
    assert app.effects == ["msg_1", "msg_2", "msg_1"]


def test_redis_restarted_in_the_middle_loses_nothing(port: int, tmp_path: Path) -> None:
    app = Application(RedisStore(client(port), scope="test"))
    acknowledged: list[str] = []
    over = threading.Event()

    def send_until_acknowledged(sender: int) -> None:
        number = 0
        while not over.is_set():
            event = f"msg_{sender}_{number}"
            status = app.send(event).status_code
            if status == 200:
                acknowledged.append(event)
                number += 1
            else:
                assert status in (409, 503)
                time.sleep(0.01)

    senders = [threading.Thread(target=send_until_acknowledged, args=(n,)) for n in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(3):
        with redis_server(port, tmp_path):
            time.sleep(0.4)
        time.sleep(0.2)
    over.set()
    for sender in senders:
        sender.join()
    assert len(acknowledged) > 20
    assert set(acknowledged) <= set(app.effects)


class Slow:
    """Between a client and a server, and as slow as it is told."""

    def __init__(self, port: int) -> None:
        self._server = port
        self.delay = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._server))
            threading.Thread(target=self._pump, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, delayed: bool) -> None:
        try:
            while data := source.recv(65536):
                if delayed:
                    time.sleep(self.delay)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            sink.close()


def test_redis_slow_is_refused_in_time_and_converges(port: int, tmp_path: Path) -> None:
    with redis_server(port, tmp_path):
        proxy = Slow(port)
        app = Application(RedisStore(client(proxy.port), scope="test"), lease=0.5)
        assert app.send("msg_1").status_code == 200
        proxy.delay = 2.0
        before = time.monotonic()
        answer = app.send("msg_2")
        assert answer.status_code == 503
        assert time.monotonic() - before < 1.5
        assert app.effects == ["msg_1"], "the claim may have been taken, but nobody heard so"
        proxy.delay = 0.0
        until = time.monotonic() + 5
        while app.send("msg_2").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert app.effects == ["msg_1", "msg_2"]


@contextmanager
def on_postgres(url: str) -> Iterator[tuple[Application, psycopg.Connection[Any]]]:
    """An application whose claims are in PostgreSQL, and a connection of one's own to the same database."""
    with (
        psycopg_pool.ConnectionPool(url, min_size=1, max_size=4, timeout=1) as pool,
        psycopg.connect(url, autocommit=True) as other,
    ):
        other.execute("DROP TABLE IF EXISTS hookproof_claims")
        store = PostgresStore(pool, scope="test")
        store.create()
        yield Application(store), other


def test_postgres_that_cuts_its_connections_loses_nothing(postgres_url: str) -> None:
    with on_postgres(postgres_url) as (app, other):
        refused = 0
        for number in range(40):
            if number % 4 == 0:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            while app.send(f"msg_{number}").status_code != 200:
                refused += 1
                time.sleep(0.02)
        assert refused > 0
        assert app.effects == [f"msg_{number}" for number in range(40)]


def test_postgres_down_is_503() -> None:
    with psycopg_pool.ConnectionPool("postgresql://127.0.0.1:1/none", min_size=0, max_size=1, timeout=0.3) as pool:
        app = Application(PostgresStore(pool, scope="test"))
        answer = app.send("msg_1")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
    assert app.effects == []
