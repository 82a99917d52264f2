"""Claims in PostgreSQL, through psycopg 3: one statement for each step, on the database's clock.

```python
pool = psycopg_pool.ConnectionPool(dsn)
store = PostgresStore(pool, scope="crm")
store.create()  # or put the output of `hookproof store sql postgres` into your migrations
```

With `complete_in` the effect and the mark commit together, so the effect happens exactly once:

```python
@receive(receiver)
def on_delivery(delivery, claim):
    with pool.connection() as connection:  # psycopg commits at the end of the block
        connection.execute("UPDATE accounts SET ...")
        claim.complete_in(connection)
```
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from hookproof._engine import STORE_TEXTS
from hookproof._errors import LeaseLost

from ._scope import checked_scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import psycopg_pool
    from typing_extensions import LiteralString

    from . import ClaimAnswer

__all__ = ["AsyncPostgresStore", "PostgresStore"]

_CREATE = STORE_TEXTS["postgres.create"]
_CLAIM = STORE_TEXTS["postgres.claim"]
_COMPLETE = STORE_TEXTS["postgres.complete"]
_RELEASE = STORE_TEXTS["postgres.release"]
_EXTEND = STORE_TEXTS["postgres.extend"]
_FORGET = STORE_TEXTS["postgres.forget"]
_PURGE = STORE_TEXTS["postgres.purge"]
_COMPLETE_IN = STORE_TEXTS["postgres.complete_in"]

#: How often a claim is run again because another one committed while it ran.
_RACES = 4
#: What is said of a row that a transaction holds: nobody knows when it ends.
_LOCKED: ClaimAnswer = ("in_flight", 1000)


class PostgresStore:
    """Claims in PostgreSQL; `scope` keeps this application's events apart from those of others.

    Args:
        pool: a `psycopg_pool.ConnectionPool`, or one `psycopg.Connection` that is used for nothing else.
        scope: the endpoint or tenant, 1 to 255 printable characters; it is part of every key.
    """

    def __init__(self, pool: psycopg_pool.ConnectionPool[Any] | psycopg.Connection[Any], *, scope: str) -> None:
        self._pool = pool
        self.scope = checked_scope(scope)

    def __repr__(self) -> str:
        return f"PostgresStore(scope={self.scope!r})"

    def create(self) -> None:
        """Makes the table, if it is not there."""
        with self._connection() as connection:
            connection.execute(_CREATE)

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        parameters = (key, token, body_hash, lease_ms, self.scope)
        with self._connection() as connection:
            for _ in range(_RACES):
                try:
                    row = _cursor(connection).execute(_CLAIM, parameters).fetchone()
                except psycopg.errors.LockNotAvailable:
                    break
                if row is not None:
                    return _answer(row)
        return _LOCKED

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        return self._change(_COMPLETE, (key, token, retention_ms)) == 1

    def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        return self._change(_RELEASE, (key, token)) == 1

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        return self._change(_EXTEND, (key, token, lease_ms)) == 1

    def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        return self._change(_FORGET, (key,)) == 1

    def purge(self, limit: int = 1000) -> int:
        """Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left."""
        return self._change(_PURGE, (limit,))

    def complete_in(self, transaction: psycopg.Connection[Any], key: bytes, token: bytes, retention_ms: int) -> bool:
        """Completes inside the caller's transaction; raises `LeaseLost`, and the transaction can only roll back."""
        _must_be_open(transaction)
        try:
            _cursor(transaction).execute(_COMPLETE_IN, (key, token, retention_ms))
        except psycopg.errors.InvalidTextRepresentation as error:
            raise LeaseLost from error
        return True

    def _change(self, text: LiteralString, parameters: tuple[object, ...]) -> int:
        with self._connection() as connection:
            return _cursor(connection).execute(text, parameters).rowcount

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        if isinstance(self._pool, psycopg.Connection):
            with _autocommit(self._pool):
                yield self._pool
        else:
            with self._pool.connection() as connection, _autocommit(connection):
                yield connection


class AsyncPostgresStore:
    """`PostgresStore` for asyncio, on a `psycopg_pool.AsyncConnectionPool` or a `psycopg.AsyncConnection`."""

    def __init__(
        self, pool: psycopg_pool.AsyncConnectionPool[Any] | psycopg.AsyncConnection[Any], *, scope: str
    ) -> None:
        self._pool = pool
        self.scope = checked_scope(scope)

    def __repr__(self) -> str:
        return f"AsyncPostgresStore(scope={self.scope!r})"

    async def create(self) -> None:
        """Makes the table, if it is not there."""
        async with self._connection() as connection:
            await connection.execute(_CREATE)

    async def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        parameters = (key, token, body_hash, lease_ms, self.scope)
        async with self._connection() as connection:
            for _ in range(_RACES):
                try:
                    row = await (await _async_cursor(connection).execute(_CLAIM, parameters)).fetchone()
                except psycopg.errors.LockNotAvailable:
                    break
                if row is not None:
                    return _answer(row)
        return _LOCKED

    async def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        return await self._change(_COMPLETE, (key, token, retention_ms)) == 1

    async def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        return await self._change(_RELEASE, (key, token)) == 1

    async def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        return await self._change(_EXTEND, (key, token, lease_ms)) == 1

    async def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        return await self._change(_FORGET, (key,)) == 1

    async def purge(self, limit: int = 1000) -> int:
        """Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left."""
        return await self._change(_PURGE, (limit,))

    async def complete_in(
        self, transaction: psycopg.AsyncConnection[Any], key: bytes, token: bytes, retention_ms: int
    ) -> bool:
        """Completes inside the caller's transaction; raises `LeaseLost`, and the transaction can only roll back."""
        _must_be_open(transaction)
        try:
            await _async_cursor(transaction).execute(_COMPLETE_IN, (key, token, retention_ms))
        except psycopg.errors.InvalidTextRepresentation as error:
            raise LeaseLost from error
        return True

    async def _change(self, text: LiteralString, parameters: tuple[object, ...]) -> int:
        async with self._connection() as connection:
            return (await _async_cursor(connection).execute(text, parameters)).rowcount

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        if isinstance(self._pool, psycopg.AsyncConnection):
            async with _async_autocommit(self._pool):
                yield self._pool
        else:
            async with self._pool.connection() as connection, _async_autocommit(connection):
                yield connection


# The core's texts number their parameters ($1), as the server itself does: only raw cursors pass them on unchanged.
# The row factory is the connection owner's choice elsewhere, and ours here.
_Row: TypeAlias = tuple[Any, ...]


def _cursor(connection: psycopg.Connection[Any]) -> psycopg.RawCursor[_Row]:
    return psycopg.RawCursor(connection, row_factory=tuple_row)


def _async_cursor(connection: psycopg.AsyncConnection[Any]) -> psycopg.AsyncRawCursor[_Row]:
    return psycopg.AsyncRawCursor(connection, row_factory=tuple_row)


# A step is one round trip: BEGIN and COMMIT would make three of it, and hold the row for all of them.
@contextmanager
def _autocommit(connection: psycopg.Connection[Any]) -> Iterator[None]:
    before = connection.autocommit
    if before:
        yield
        return
    connection.autocommit = True
    try:
        yield
    finally:
        if not connection.closed:
            connection.autocommit = before


@asynccontextmanager
async def _async_autocommit(connection: psycopg.AsyncConnection[Any]) -> AsyncIterator[None]:
    before = connection.autocommit
    if before:
        yield
        return
    await connection.set_autocommit(True)
    try:
        yield
    finally:
        if not connection.closed:
            await connection.set_autocommit(before)


def _must_be_open(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> None:
    # In autocommit the mark would be committed before the effect, and a crash between them would lose the event.
    if connection.autocommit and connection.info.transaction_status == TransactionStatus.IDLE:
        raise ValueError("`complete_in` needs an open transaction: use `with connection.transaction():` around it")


def _answer(row: _Row) -> ClaimAnswer:
    state, fence, body_hash, remaining_ms = row
    if state == 0:
        return "claimed", fence
    if state == 2:
        return "done", bytes(body_hash)
    return "in_flight", remaining_ms
