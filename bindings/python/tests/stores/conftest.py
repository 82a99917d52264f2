"""Servers of the tests' own, and every store on them."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import psycopg_pool
import pytest
import redis
import redis.asyncio

from hookproof import MemoryStore
from hookproof.stores.postgres import AsyncPostgresStore, PostgresStore
from hookproof.stores.redis import AsyncRedisStore, RedisStore
from hookproof.stores.sqlite import AsyncSQLiteStore, SQLiteStore

SERVE = Path(__file__).parents[4] / "tests" / "stores" / "serve"


def serve(kind: str) -> Iterator[str]:
    # The end of its input stops it, so it ends with this process, however that ends.
    with subprocess.Popen([SERVE, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert url, f"{kind} did not start"
        yield url
        server.stdin.close()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    yield from serve("redis")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    yield from serve("postgres")


class Waited:
    """An async store whose steps are run to their end, on a loop of its own: what the suite sees is a store."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.loop = asyncio.new_event_loop()
        self._store = self.loop.run_until_complete(self._made(make))

    async def _made(self, make: Callable[[], Any]) -> Any:
        store = make()
        return await store if inspect.isawaitable(store) else store

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        return lambda *given: self.loop.run_until_complete(found(*given)) if callable(found) else found

    def race(self, key: bytes, tokens: list[bytes], lease_ms: int) -> list[Any]:
        async def claims() -> list[Any]:
            return await asyncio.gather(*(self._store.claim(key, token, b"\0" * 32, lease_ms) for token in tokens))

        return self.loop.run_until_complete(claims())


STORES = [
    "memory",
    "sqlite",
    "sqlite-async",
    "redis",
    "redis-text",
    "redis-async",
    "postgres",
    "postgres-connection",
    "postgres-async",
]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Each store in turn, on a database that is shared where it can be."""
    name = request.param
    url = request.getfixturevalue(f"{name.partition('-')[0]}_url") if name.startswith(("redis", "postgres")) else ""
    if name == "memory":
        yield MemoryStore(10_000)
    elif name == "sqlite":
        yield SQLiteStore(tmp_path / "claims.db", scope="contract")
    elif name == "sqlite-async":
        yield Waited(lambda: AsyncSQLiteStore(tmp_path / "claims.db", scope="contract"))
    elif name in ("redis", "redis-text"):
        with redis.Redis.from_url(url, decode_responses=name == "redis-text") as client:
            yield RedisStore(client, scope=f"contract {name}")
    elif name == "redis-async":
        waited = Waited(lambda: AsyncRedisStore(redis.asyncio.Redis.from_url(url), scope=f"contract {name}"))
        yield waited
        waited.loop.run_until_complete(waited._store._client.aclose())
    elif name == "postgres":
        with psycopg_pool.ConnectionPool(url, min_size=1, max_size=8) as pool:
            pooled = PostgresStore(pool, scope="contract")
            pooled.create()
            yield pooled
    elif name == "postgres-connection":
        with psycopg.connect(url, autocommit=True) as connection:
            single = PostgresStore(connection, scope="contract")
            single.create()
            yield single
    else:

        async def made() -> AsyncPostgresStore:
            pool = psycopg_pool.AsyncConnectionPool(url, min_size=1, max_size=8, open=False)
            await pool.open()
            return AsyncPostgresStore(pool, scope="contract")

        waited = Waited(made)
        waited.create()
        yield waited
        waited.loop.run_until_complete(waited._store._pool.close())
