"""A Flask application with failpoints: it kills itself, stops itself, and fails, at named places."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import sqlite3
import time
from contextlib import closing
from typing import Any

import flask
import psycopg_pool
import redis
import werkzeug.serving
from journal import Journal, now_ms
from wrong import WRONG

from hookproof import Claim, Delivery, LeaseLost, Receiver
from hookproof.flask import receive
from hookproof.stores.postgres import PostgresStore
from hookproof.stores.redis import RedisStore
from hookproof.stores.sqlite import SQLiteStore

SCOPE = "torture"


class Nemesis:
    """Decides by a seed what goes wrong where."""

    def __init__(self, config: dict[str, Any], journal: Journal) -> None:
        self._chance = random.Random(f"{config['seed']} {config['instance']}")
        self._kill: float = config["kill"]
        self._pause: float = config["pause"]
        self._fail: float = config["fail"]
        self._journal = journal

    def at(self, place: str, key: bytes, pauses: bool = False) -> None:
        """May kill the process here, or stop it for longer than a lease; then the handler fails more often."""
        if self._chance.random() < self._kill:
            self._journal.write("kill", place=place, key=key.hex())
            os.kill(os.getpid(), signal.SIGKILL)
        if pauses and self._chance.random() < self._pause:
            self._journal.write("pause", place=place, key=key.hex())
            os.kill(os.getpid(), signal.SIGSTOP)
            if self._chance.random() < 0.5:
                raise RuntimeError(f"fails after a pause {place}")

    def fails(self) -> bool:
        return self._chance.random() < self._fail

    def work(self) -> None:
        time.sleep(self._chance.uniform(0.002, 0.02))


class Watched:
    """A store whose steps are written down, with the failpoints around them."""

    def __init__(self, store: Any, journal: Journal, nemesis: Nemesis) -> None:
        self._store, self._journal, self._nemesis = store, journal, nemesis
        self.scope = SCOPE
        if hasattr(store, "complete_in"):
            self.complete_in = store.complete_in

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> Any:
        self._nemesis.at("after verify", key)
        answer = self._step("claim", key, token, body_hash, lease_ms)
        if answer[0] == "claimed":
            self._nemesis.at("after claim", key)
        return answer

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> Any:
        self._nemesis.at("before complete", key)
        held = self._step("complete", key, token, retention_ms)
        self._nemesis.at("before the answer", key)
        return held

    def release(self, key: bytes, token: bytes) -> Any:
        self._nemesis.at("during release", key)
        held = self._step("release", key, token)
        self._nemesis.at("during release", key)
        return held

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> Any:
        return self._step("extend", key, token, lease_ms)

    def forget(self, key: bytes) -> Any:
        return self._store.forget(key)

    def _step(self, step: str, key: bytes, token: bytes, *given: Any) -> Any:
        began = now_ms()
        if step in ("complete", "release"):
            # Said before: a process that is killed in the middle may have given the claim up.
            self._journal.write("settling", key=key.hex(), token=token.hex())
        answer = getattr(self._store, step)(key, token, *given)
        if step == "claim":
            kind, value = answer
            value = value if isinstance(value, int) else None
        else:
            kind, value = ("held" if answer else "lost"), None
        self._journal.write(step, began=began, key=key.hex(), token=token.hex(), answer=kind, value=value)
        return answer


def main(config: dict[str, Any]) -> None:
    """Serves until it is killed."""
    logging.disable()
    journal = Journal(config["journal"], config["instance"])
    nemesis = Nemesis(config, journal)
    store, inside = connect(config)
    watched = Watched(store, journal, nemesis)
    receiver = Receiver(
        "standard-webhooks", config["secret"], store=watched, tolerance=86_400, lease=config["lease_ms"] / 1000
    )
    app = flask.Flask(__name__)

    @app.post("/")
    @receive(receiver)
    def on_delivery(delivery: Delivery, claim: Claim) -> None:
        key = delivery.key(SCOPE)
        assert key is not None
        event = delivery.json()["event"]
        facts = {"key": key.hex(), "event": event, "fence": claim.fence}
        nemesis.at("before the effect", key, pauses=True)
        nemesis.work()
        if nemesis.fails():
            raise RuntimeError("fails before the effect")
        if config["inside"]:
            with inside() as transaction:
                transaction.execute(config["insert"], (event,))
                nemesis.at("after the effect", key, pauses=True)
                try:
                    claim.complete_in(transaction)
                except LeaseLost:
                    journal.write("lost", **facts)
                    raise
                nemesis.at("before commit", key)
            journal.write("committed", **facts)
            nemesis.at("after commit", key)
        else:
            journal.write("effect", **facts)
            nemesis.at("after the effect", key, pauses=True)
        if nemesis.fails():
            journal.write("fails", **facts)
            raise RuntimeError("fails after the effect")

    listener = socket.socket(fileno=config["listener"])
    host, port = listener.getsockname()
    werkzeug.serving.make_server(host, port, app, threaded=True, fd=listener.fileno()).serve_forever()


def connect(config: dict[str, Any]) -> tuple[Any, Any]:
    """The store, and a function that opens a transaction for the effect."""
    kind, url = config["store"], config["url"]
    if kind == "redis":
        return RedisStore(redis.Redis.from_url(url, socket_timeout=2), scope=SCOPE), None
    if kind == "postgres":
        pool = psycopg_pool.ConnectionPool(url, min_size=1, max_size=8, timeout=2)
        return PostgresStore(pool, scope=SCOPE), pool.connection
    if kind == "sqlite":
        return SQLiteStore(url, scope=SCOPE), lambda: SQLiteTransaction(url)
    return WRONG[kind](redis.Redis.from_url(url, socket_timeout=2)), None


class SQLiteTransaction:
    """The application's own transaction on the store's file."""

    def __init__(self, path: str) -> None:
        self._own = sqlite3.connect(path, timeout=2, isolation_level=None)

    def __enter__(self) -> sqlite3.Connection:
        self._own.execute("BEGIN IMMEDIATE")
        return self._own

    def __exit__(self, kind: Any, *_: Any) -> None:
        with closing(self._own):
            self._own.execute("ROLLBACK" if kind else "COMMIT")
