"""What a claim costs on each store, beside the least that the same client could do, in one run.

    python bindings/python/bench/stores.py

Starts its own servers. Every figure is the median over many new keys, the cases in turn; only the ratios count.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg_pool
import redis

from hookproof.stores.postgres import PostgresStore
from hookproof.stores.redis import RedisStore
from hookproof.stores.sqlite import SQLiteStore

SERVE = Path(__file__).parents[3] / "tests" / "stores" / "serve"
ROUNDS, EACH = 40, 100
TOKEN, BODY, LEASE = b"t" * 16, b"b" * 32, 10_000

# The bars of the project: a claim is at most this many times the least.
REDIS, SQL = 1.15, 1.3


@contextmanager
def served(kind: str) -> Iterator[str]:
    with subprocess.Popen([SERVE, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def medians(cases: dict[str, Callable[[bytes], object]]) -> dict[str, float]:
    """Microseconds for one call, each with a key that is new to its case."""
    for case in cases.values():
        for _ in range(EACH):
            case(os.urandom(32))
    times: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS):
        for name, case in cases.items():
            keys = [os.urandom(32) for _ in range(EACH)]
            for key in keys:
                began = time.perf_counter()
                case(key)
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(taken) * 1e6 for name, taken in times.items()}


def report(store: str, found: dict[str, float], bar: float) -> bool:
    names = list(found)
    ratio = found[names[0]] / found[names[1]]
    print(f"{store}: {ratio:.2f} of {names[1]} (bar {bar}){'' if ratio <= bar else '  OVER'}")
    for name, us in found.items():
        print(f"  {us:8.1f} us  {name}")
    return ratio <= bar


def on_redis(url: str) -> bool:
    client = redis.Redis.from_url(url)
    store = RedisStore(client, scope="bench")
    store.create()
    sha = client.script_load("return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])")
    return report(
        "Redis",
        medians(
            {
                "claim": lambda key: store.claim(key, TOKEN, BODY, LEASE),
                "EVALSHA that only sets": lambda key: client.evalsha(sha, 1, key.hex(), TOKEN.hex(), LEASE),
                "bare SET NX PX": lambda key: client.set(key, TOKEN, nx=True, px=LEASE),
                "complete, of a claim before": lambda key: store.complete(key, TOKEN, LEASE),
            }
        ),
        REDIS,
    )


UPSERT = """
INSERT INTO bare (key, token, ends) VALUES ({0}, {1}, {2})
ON CONFLICT (key) DO UPDATE SET token = excluded.token, ends = excluded.ends RETURNING token
"""


def on_postgres(url: str) -> bool:
    with psycopg_pool.ConnectionPool(url, min_size=1, max_size=1) as pool:
        store = PostgresStore(pool, scope="bench")
        store.create()
        with pool.connection() as connection:
            connection.execute("CREATE TABLE bare (key bytea PRIMARY KEY, token bytea NOT NULL, ends bigint NOT NULL)")
        upsert = UPSERT.format("%s", "%s", "%s")

        def bare(key: bytes) -> object:
            # As a store's step: a connection of the pool, in autocommit.
            with pool.connection() as connection:
                connection.autocommit = True
                row = connection.execute(upsert, (key, TOKEN, LEASE)).fetchone()
                connection.autocommit = False
            return row

        return report(
            "PostgreSQL",
            medians({"claim": lambda key: store.claim(key, TOKEN, BODY, LEASE), "the bare upsert": bare}),
            SQL,
        )


def on_sqlite(folder: Path) -> bool:
    store = SQLiteStore(folder / "claims.db", scope="bench")
    own = sqlite3.connect(folder / "bare.db", isolation_level=None)
    own.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
        "CREATE TABLE bare (key BLOB PRIMARY KEY, token BLOB NOT NULL, ends INTEGER NOT NULL) WITHOUT ROWID"
    )
    upsert = UPSERT.format("?", "?", "?")
    return report(
        "SQLite",
        medians(
            {
                "claim": lambda key: store.claim(key, TOKEN, BODY, LEASE),
                "the bare upsert": lambda key: own.execute(upsert, (key, TOKEN, LEASE)).fetchall(),
            }
        ),
        SQL,
    )


def main() -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        good = [
            on_redis(stack.enter_context(served("redis"))),
            on_postgres(stack.enter_context(served("postgres"))),
            on_sqlite(folder),
        ]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
