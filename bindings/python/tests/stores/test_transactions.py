"""The effect and the mark commit together, or neither does; and what a store refuses."""
# A transaction is a block, and what it raises comes from inside.
# ruff: noqa: PT012

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
import redis

from hookproof import ConfigurationError, LeaseLost
from hookproof.stores.postgres import AsyncPostgresStore, PostgresStore
from hookproof.stores.redis import RedisStore
from hookproof.stores.sqlite import SQLiteStore

KEY, A, B, BODY = b"k" * 32, b"a" * 16, b"b" * 16, b"h" * 32


def lost_and_taken_over(store: Any, key: bytes = KEY) -> None:
    """A claims, its lease ends, B takes over."""
    assert store.claim(key, A, BODY, 1)[0] == "claimed"
    time.sleep(0.02)
    assert store.claim(key, B, BODY, 60_000)[0] == "claimed"


@pytest.fixture
def pool(postgres_url: str) -> Iterator[psycopg_pool.ConnectionPool[Any]]:
    with psycopg_pool.ConnectionPool(postgres_url, min_size=1, max_size=4) as pool:
        with pool.connection() as connection:
            connection.execute("DROP TABLE IF EXISTS hookproof_claims, effects")
            connection.execute("CREATE TABLE effects (by text)")
        PostgresStore(pool, scope="test").create()
        yield pool


def test_postgres_commits_both_or_neither(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    store = PostgresStore(pool, scope="test")
    lost_and_taken_over(store)
    with pytest.raises(LeaseLost), pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES ('a')")
        store.complete_in(connection, KEY, A, 60_000)
    with pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES ('b')")
        assert store.complete_in(connection, KEY, B, 60_000)
    # The same effect once more, because the answer to COMMIT was lost: the mark is there, so it must not happen.
    with pytest.raises(LeaseLost), pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES ('b again')")
        store.complete_in(connection, KEY, B, 60_000)
    with pool.connection() as connection:
        assert connection.execute("SELECT by FROM effects").fetchall() == [("b",)]
    assert store.claim(KEY, A, BODY, 1000) == ("done", BODY)
    assert store.complete(KEY, B, 60_000), "what the receiver does after the handler"


def test_postgres_transaction_stays_aborted_when_lease_lost_is_swallowed(
    pool: psycopg_pool.ConnectionPool[Any],
) -> None:
    store = PostgresStore(pool, scope="test")
    lost_and_taken_over(store)
    with pool.connection() as connection:
        connection.execute("INSERT INTO effects VALUES ('a')")
        with pytest.raises(LeaseLost):
            store.complete_in(connection, KEY, A, 60_000)
        connection.commit()  # of a transaction that failed: PostgreSQL rolls back
    with pool.connection() as connection:
        assert connection.execute("SELECT count(*) FROM effects").fetchone() == (0,)


def test_postgres_row_that_is_being_completed_is_in_flight_and_waits_no_longer_than_it_may(
    pool: psycopg_pool.ConnectionPool[Any],
) -> None:
    store = PostgresStore(pool, scope="test")
    assert store.claim(KEY, A, BODY, 1)[0] == "claimed"
    time.sleep(0.02)
    with pool.connection() as connection:
        store.complete_in(connection, KEY, A, 60_000)
        before = time.monotonic()
        assert store.claim(KEY, B, BODY, 1000) == ("in_flight", 1000)
        assert 1.5 < time.monotonic() - before < 4
    assert store.claim(KEY, B, BODY, 1000) == ("done", BODY)


def test_postgres_leaves_connections_as_they_were(pool: psycopg_pool.ConnectionPool[Any]) -> None:
    store = PostgresStore(pool, scope="test")
    store.claim(KEY, A, BODY, 1000)
    with pool.connection() as connection:
        assert not connection.autocommit
        assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_complete_in_outside_of_a_transaction_is_refused(postgres_url: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        store = PostgresStore(connection, scope="test")
        with pytest.raises(ValueError, match="open transaction"):
            store.complete_in(connection, KEY, A, 60_000)
        with connection.transaction(), pytest.raises(LeaseLost):
            store.complete_in(connection, b"x" * 32, A, 60_000)
    files = SQLiteStore(tmp_path / "claims.db", scope="test")
    own = sqlite3.connect(tmp_path / "claims.db", isolation_level=None)
    with closing(own), pytest.raises(ValueError, match="open transaction"):
        files.complete_in(own, KEY, A, 60_000)


def test_sqlite_commits_both_or_neither(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "claims.db", scope="test")
    lost_and_taken_over(store)
    with closing(sqlite3.connect(tmp_path / "claims.db")) as own:
        own.execute("CREATE TABLE effects (by TEXT)")
        with pytest.raises(LeaseLost), own:
            own.execute("INSERT INTO effects VALUES ('a')")
            store.complete_in(own, KEY, A, 60_000)
        with own:
            own.execute("INSERT INTO effects VALUES ('b')")
            assert store.complete_in(own, KEY, B, 60_000)
        with pytest.raises(LeaseLost), own:
            own.execute("INSERT INTO effects VALUES ('b again')")
            store.complete_in(own, KEY, B, 60_000)
        assert own.execute("SELECT by FROM effects").fetchall() == [("b",)]
        with pytest.raises(sqlite3.OperationalError, match="no such table"), own:
            own.execute("DROP TABLE hookproof_claims")
            store.complete_in(own, KEY, B, 60_000)


def test_sqlite_waits_for_a_writer_and_then_gives_up(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "claims.db", scope="test", timeout=0.2)
    store.create()
    with closing(sqlite3.connect(tmp_path / "claims.db", isolation_level=None, check_same_thread=False)) as own:
        own.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            store.claim(KEY, A, BODY, 1000)
        threading.Timer(0.05, own.execute, ["ROLLBACK"]).start()
        assert store.claim(KEY, A, BODY, 1000)[0] == "claimed"


def test_purge_deletes_what_has_ended_and_no_more_than_it_is_told(
    pool: psycopg_pool.ConnectionPool[Any], tmp_path: Path
) -> None:
    for store in (PostgresStore(pool, scope="test"), SQLiteStore(tmp_path / "claims.db", scope="test")):
        for n in range(5):
            store.claim(bytes([n]) * 32, A, BODY, 1000)
            store.complete(bytes([n]) * 32, A, 1)
        store.claim(b"f" * 32, A, BODY, 1)
        store.claim(b"d" * 32, A, BODY, 1000)
        store.complete(b"d" * 32, A, 60_000)
        time.sleep(0.02)
        assert [store.purge(3), store.purge(3), store.purge(3)] == [3, 2, 0]
        assert store.complete(b"f" * 32, A, 1000), "a claim outlives its lease by a day"


def test_redis_keys_expire_by_themselves_and_hold_no_secret(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
        store = RedisStore(client, scope="crm")
        store.claim(KEY, A, BODY, 10_000)
        name = f"hookproof:crm:{KEY.hex()}"
        assert client.keys() == [name.encode()]
        day = 24 * 60 * 60 * 1000
        assert day < client.pttl(name) <= day + 10_000
        store.complete(KEY, A, 5_000)
        assert 0 < client.pttl(name) <= 5_000


def test_redis_sends_the_script_again_when_the_server_forgot_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        store = RedisStore(client, scope="crm")
        store.create()
        client.script_flush()
        assert store.claim(b"n" * 32, A, BODY, 1000)[0] == "claimed"
        assert client.info("commandstats")["cmdstat_eval"]["calls"] >= 1


@pytest.mark.parametrize("scope", ["", "x" * 256, "tab\t", "ü", None, 7])
def test_scope_is_required_and_printable(scope: Any, tmp_path: Path) -> None:
    for make in (
        lambda: SQLiteStore(tmp_path / "claims.db", scope=scope),
        lambda: RedisStore(redis.Redis(), scope=scope),
        lambda: AsyncPostgresStore(object(), scope=scope),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError) as caught:
            make()
        assert caught.value.code == "option_invalid"


def test_sqlite_in_memory_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="MemoryStore"):
        SQLiteStore(":memory:", scope="test")


def test_sqlite_store_survives_a_fork(tmp_path: Path) -> None:
    import os

    store = SQLiteStore(tmp_path / "claims.db", scope="test")
    assert store.claim(KEY, A, BODY, 60_000)[0] == "claimed"
    child = os.fork()
    if child == 0:
        os._exit(0 if store.claim(KEY, B, BODY, 1000)[0] == "in_flight" and store.release(KEY, A) else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.claim(KEY, B, BODY, 1000)[0] == "claimed"
