"""Claims in an SQLite file, for the processes of one machine.

```python
store = SQLiteStore("deliveries.db", scope="crm")
```

The table is made when the file is first opened. Put it into the application's own database file, and `complete_in`
commits the effect and the mark together, so the effect happens exactly once:

```python
@receive(receiver)
def on_delivery(delivery, claim):
    with closing(sqlite3.connect("deliveries.db")) as connection, connection:  # commits at the end of the block
        connection.execute("UPDATE accounts SET ...")
        claim.complete_in(connection)
```
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from hookproof._engine import STORE_TEXTS
from hookproof._errors import ConfigurationError, LeaseLost

from ._scope import checked_scope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from . import ClaimAnswer

__all__ = ["AsyncSQLiteStore", "SQLiteStore"]

_CREATE = STORE_TEXTS["sqlite.create"]
_CLAIM = STORE_TEXTS["sqlite.claim"]
_COMPLETE = STORE_TEXTS["sqlite.complete"]
_RELEASE = STORE_TEXTS["sqlite.release"]
_EXTEND = STORE_TEXTS["sqlite.extend"]
_FORGET = STORE_TEXTS["sqlite.forget"]
_PURGE = STORE_TEXTS["sqlite.purge"]
_COMPLETE_IN = STORE_TEXTS["sqlite.complete_in"]


class SQLiteStore:
    """Claims in an SQLite file; `scope` keeps this application's events apart from those of others.

    The file is opened in WAL mode with `synchronous=FULL`: what was answered survives a crash of the machine. It must
    be on a local disk; SQLite's locks do not hold on network file systems.

    Args:
        path: the file; made if it is not there.
        scope: the endpoint or tenant, 1 to 255 printable characters; it is part of every key.
        timeout: how long to wait for another process that is writing, in seconds; after it the step fails, and the
            delivery is refused with 503.
    """

    def __init__(self, path: str | os.PathLike[str], *, scope: str, timeout: float = 2.0) -> None:
        self._path = os.fspath(path)
        if not self._path or self._path.startswith((":memory:", "file:")):
            # Each thread has a connection of its own, and each connection would have a memory of its own.
            raise ConfigurationError(
                "`path` is the path of a file; for one process use `MemoryStore`", "option_invalid"
            )
        self._timeout = timeout
        # One connection and a fair lock: SQLite has one writer at a time, and its own waiting is not fair, so that of
        # thirty threads the last would give up.
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inherited: list[sqlite3.Connection] = []
        self.scope = checked_scope(scope)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=partial(_forked, weakref.ref(self)))

    def __repr__(self) -> str:
        return f"SQLiteStore({self._path!r}, scope={self.scope!r})"

    def create(self) -> None:
        """Makes the file and the table, if they are not there; the first step does it, too."""
        with self._connected():
            pass

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        with self._connected() as connection:
            # All rows are fetched: a statement that is not finished holds the write lock.
            [(state, fence, done, remaining_ms)] = connection.execute(
                _CLAIM, (key, token, body_hash, lease_ms, self.scope)
            ).fetchall()
        if state == 0:
            return "claimed", fence
        if state == 2:
            return "done", done
        return "in_flight", remaining_ms

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

    def complete_in(self, transaction: sqlite3.Connection, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Completes inside the caller's transaction; raises `LeaseLost`, and the caller must roll back.

        `transaction` is the caller's own connection to the same file.
        """
        # In autocommit the mark would be committed before the effect, and a crash between them would lose the event.
        if not transaction.in_transaction and transaction.isolation_level is None:
            raise ValueError("`complete_in` needs an open transaction: run `BEGIN IMMEDIATE` before it")
        try:
            transaction.execute(_COMPLETE_IN, (key, token, retention_ms))
        except sqlite3.OperationalError as error:
            if "malformed JSON" not in str(error):
                raise
            raise LeaseLost from error
        return True

    def close(self) -> None:
        """Closes the file; the next step opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _change(self, text: str, parameters: tuple[object, ...]) -> int:
        with self._connected() as connection:
            return connection.execute(text, parameters).rowcount

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._timeout, isolation_level=None, check_same_thread=False)
        try:
            _use_wal(connection, self._timeout)
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_CREATE)
        except BaseException:
            connection.close()
            raise
        return connection


def _use_wal(connection: sqlite3.Connection, timeout: float) -> None:
    # Two processes that switch a new file at the same time do not wait for each other: SQLite says `locked` at once.
    until = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return
        except sqlite3.OperationalError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.01)


def _forked(reference: weakref.ref[SQLiteStore]) -> None:
    store = reference()
    if store is not None and store._connection is not None:
        # A connection must not be used, nor closed, in a process that was forked from its own.
        store._inherited.append(store._connection)
        store._connection = None
    if store is not None:
        store._lock = threading.Lock()


class AsyncSQLiteStore:
    """`SQLiteStore` for asyncio: each step runs on a thread, so that the loop does not wait for the disk."""

    def __init__(self, path: str | os.PathLike[str], *, scope: str, timeout: float = 2.0) -> None:
        self._store = SQLiteStore(path, scope=scope, timeout=timeout)
        self.scope = self._store.scope

    def __repr__(self) -> str:
        return f"Async{self._store!r}"

    async def create(self) -> None:
        """Makes the file and the table, if they are not there; the first step does it, too."""
        await asyncio.to_thread(self._store.create)

    async def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        return await asyncio.to_thread(self._store.claim, key, token, body_hash, lease_ms)

    async def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        return await asyncio.to_thread(self._store.complete, key, token, retention_ms)

    async def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        return await asyncio.to_thread(self._store.release, key, token)

    async def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        return await asyncio.to_thread(self._store.extend, key, token, lease_ms)

    async def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        return await asyncio.to_thread(self._store.forget, key)

    async def purge(self, limit: int = 1000) -> int:
        """Deletes at most `limit` rows that have ended, and answers how many; fewer than `limit`: none is left."""
        return await asyncio.to_thread(self._store.purge, limit)

    async def complete_in(self, transaction: sqlite3.Connection, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Completes inside the caller's transaction; raises `LeaseLost`, and the caller must roll back."""
        return self._store.complete_in(transaction, key, token, retention_ms)
