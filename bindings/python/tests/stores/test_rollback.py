"""A handler that answers 2xx although its transaction with `complete_in` was not committed: nothing is lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import flask
import psycopg
import psycopg_pool
import pytest

from hookproof import Claim, Delivery, Outcome, Receiver, Signer
from hookproof.flask import receive
from hookproof.stores.postgres import PostgresStore
from hookproof.stores.sqlite import SQLiteStore

SECRET = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM="

# The store, and the application's own connection to the same database.
Parts = tuple[Any, Callable[[], Any], str]


@pytest.fixture(params=["sqlite", "postgres"])
def parts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Parts]:
    if request.param == "sqlite":
        path = tmp_path / "claims.db"
        with closing(sqlite3.connect(path)) as own:
            own.execute("CREATE TABLE effects (event TEXT)")
        # It waits less than one would for a writer that is still at it.
        store = SQLiteStore(path, scope="test", timeout=0.2)
        yield store, lambda: sqlite3.connect(path, check_same_thread=False), "INSERT INTO effects VALUES (?)"
        return
    url = request.getfixturevalue("postgres_url")
    with psycopg_pool.ConnectionPool(url, min_size=1, max_size=4) as pool:
        with pool.connection() as connection:
            connection.execute("DROP TABLE IF EXISTS hookproof_claims, effects")
            connection.execute("CREATE TABLE effects (event text)")
        pooled = PostgresStore(pool, scope="test")
        pooled.create()
        yield pooled, lambda: psycopg.connect(url), "INSERT INTO effects VALUES (%s)"


def play(parts: Parts, ends: list[Callable[[Any], object]]) -> tuple[list[int], list[Outcome], list[Any]]:
    """One delivery and its retries, of which each ends its transaction another way: statuses, outcomes, effects."""
    store, connect, insert = parts
    outcomes: list[Outcome] = []
    receiver = Receiver("standard-webhooks", SECRET, store=store, on_outcome=outcomes.append)
    app = flask.Flask(__name__)
    opened = []

    @app.post("/")
    @receive(receiver)
    def on_delivery(delivery: Delivery, claim: Claim) -> None:
        own = connect()
        opened.append(own)
        own.execute(insert, (delivery.id,))
        claim.complete_in(own)
        ends[len(opened) - 1](own)

    headers = Signer("standard-webhooks", SECRET).sign(b"{}", id="msg_1").headers
    statuses = []
    for _ in range(3):
        statuses.append(app.test_client().post("/", data=b"{}", headers=headers).status_code)
        # What a handler has left open is committed at last.
        for own in opened:
            own.commit()
    for own in opened:
        own.close()
    with closing(connect()) as own:
        effects = own.execute("SELECT event FROM effects").fetchall()
    return statuses, outcomes, effects


def test_rolled_back_is_a_500_and_the_next_try_runs(parts: Parts) -> None:
    statuses, outcomes, effects = play(parts, [lambda own: own.rollback(), lambda own: own.commit()])
    assert statuses == [500, 200, 200]
    assert [outcome.kind for outcome in outcomes] == ["failed", "accepted", "duplicate"]
    assert outcomes[0].message is not None
    assert "not committed" in outcomes[0].message
    assert effects == [("msg_1",)]


def test_still_open_is_no_2xx_and_the_next_try_finds_out(parts: Parts) -> None:
    statuses, _, effects = play(parts, [lambda own: None])
    # In flight, or a store that is busy: either way the sender comes again.
    assert statuses[0] in (409, 503)
    assert statuses[1:] == [200, 200]
    assert effects == [("msg_1",)]
