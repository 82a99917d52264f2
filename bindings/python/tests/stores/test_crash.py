"""The documented example of `complete_in`, killed at every step: the effect happens exactly once."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import flask
import psycopg
import psycopg_pool
import pytest

from hookproof import Claim, Delivery, Receiver, Signer
from hookproof.flask import receive
from hookproof.stores.postgres import PostgresStore
from hookproof.stores.sqlite import SQLiteStore

SECRET = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM="
STEPS = ["after claim", "in the transaction", "after the effect", "after complete_in", "after commit", "never"]


def serve_once(store: Any, transaction: Callable[[], Any], insert: str, die: str) -> int:
    """Answers one delivery in a process of its own, which is killed at a step; the status, or the signal negated."""

    def step(name: str) -> None:
        if name == die:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]
        return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status) * 2
    made = store()
    receiver = Receiver("standard-webhooks", SECRET, store=made, lease=0.2)
    app = flask.Flask(__name__)

    @app.post("/")
    @receive(receiver)
    def on_delivery(delivery: Delivery, claim: Claim) -> None:
        step("after claim")
        with transaction() as own:
            step("in the transaction")
            own.execute(insert, (delivery.id,))
            step("after the effect")
            claim.complete_in(own)
            step("after complete_in")
        step("after commit")

    headers = Signer("standard-webhooks", SECRET).sign(b"{}", id="msg_1").headers
    answer = app.test_client().post("/", data=b"{}", headers=headers)
    os._exit(answer.status_code // 2)  # an exit code has eight bits


@pytest.mark.parametrize("die", STEPS)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_killed_at_every_step_the_effect_happens_exactly_once(
    database: str, die: str, tmp_path: Path, postgres_url: str
) -> None:
    path = tmp_path / "claims.db"
    if database == "sqlite":
        with closing(sqlite3.connect(path)) as own:
            own.execute("CREATE TABLE effects (event TEXT)")

        def sqlite_transaction() -> Any:
            return sqlite3.connect(path)  # as a context manager it commits or rolls back

        parts: tuple[Any, Any, str] = (
            lambda: SQLiteStore(path, scope="test"),
            sqlite_transaction,
            "INSERT INTO effects VALUES (?)",
        )
    else:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS effects, hookproof_claims")
            connection.execute("CREATE TABLE effects (event text)")
            PostgresStore(connection, scope="test").create()

        def pooled() -> PostgresStore:
            return PostgresStore(psycopg_pool.ConnectionPool(postgres_url, min_size=1), scope="test")

        parts = (pooled, lambda: psycopg.connect(postgres_url), "INSERT INTO effects VALUES (%s)")

    first = serve_once(*parts, die)
    assert first == (200 if die == "never" else -signal.SIGKILL)
    time.sleep(0.25)  # the lease ends
    # The sender tries again until it is acknowledged, and once more for good measure.
    assert [serve_once(*parts, "never"), serve_once(*parts, "never")] == [200, 200]

    if database == "sqlite":
        with closing(sqlite3.connect(path)) as own:
            effects = own.execute("SELECT event FROM effects").fetchall()
    else:
        with psycopg.connect(postgres_url) as connection:
            effects = connection.execute("SELECT event FROM effects").fetchall()
    assert effects == [("msg_1",)]
