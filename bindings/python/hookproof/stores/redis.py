"""Claims on Redis or Valkey, through a redis-py client: one script, one round trip for each step.

```python
store = RedisStore(redis.Redis.from_url(url, socket_timeout=1), scope="crm")
```

Give the client a `socket_timeout`: without one a server that hangs holds the request instead of refusing it with 503.
Set the server's `maxmemory-policy` to `noeviction`: an evicted claim is forgotten, and a copy of the delivery runs.
Redis replicates asynchronously, so a failover can forget the last writes; see the page on stores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import NoScriptError

from hookproof._engine import STORE_TEXTS

from ._scope import checked_scope

if TYPE_CHECKING:
    import redis
    import redis.asyncio

    from . import ClaimAnswer

__all__ = ["AsyncRedisStore", "RedisStore"]

_SCRIPT = STORE_TEXTS["redis.script"]
_SHA1 = STORE_TEXTS["redis.sha1"]


class RedisStore:
    """Claims on Redis or Valkey; `scope` keeps this application's events apart from those of others.

    Args:
        client: a `redis.Redis` or `redis.RedisCluster`, whatever it decodes.
        scope: the endpoint or tenant, 1 to 255 printable characters; it is part of every key.
    """

    def __init__(self, client: redis.Redis | redis.RedisCluster, *, scope: str) -> None:
        self._client: Any = client
        self.scope = checked_scope(scope)

    def __repr__(self) -> str:
        return f"RedisStore(scope={self.scope!r})"

    def create(self) -> None:
        """Loads the script, so that the first delivery does not have to. Redis needs no tables."""
        self._client.script_load(_SCRIPT)

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        return _answer(self._run(key, "claim", token.hex(), lease_ms, body_hash.hex()))

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        return bool(self._run(key, "complete", token.hex(), retention_ms))

    def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        return bool(self._run(key, "release", token.hex()))

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        return bool(self._run(key, "extend", token.hex(), lease_ms))

    def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        return bool(self._run(key, "forget"))

    def purge(self, limit: int = 1000) -> int:
        """Nothing to do: Redis lets keys expire by itself."""
        return 0

    def _run(self, key: bytes, *arguments: str | int) -> Any:
        name = _name(self.scope, key)
        try:
            return self._client.evalsha(_SHA1, 1, name, *arguments)
        except NoScriptError:
            return self._client.eval(_SCRIPT, 1, name, *arguments)


class AsyncRedisStore:
    """`RedisStore` for asyncio, on a `redis.asyncio` client."""

    def __init__(self, client: redis.asyncio.Redis | redis.asyncio.RedisCluster, *, scope: str) -> None:
        self._client: Any = client
        self.scope = checked_scope(scope)

    def __repr__(self) -> str:
        return f"AsyncRedisStore(scope={self.scope!r})"

    async def create(self) -> None:
        """Loads the script, so that the first delivery does not have to. Redis needs no tables."""
        await self._client.script_load(_SCRIPT)

    async def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        return _answer(await self._run(key, "claim", token.hex(), lease_ms, body_hash.hex()))

    async def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        return bool(await self._run(key, "complete", token.hex(), retention_ms))

    async def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        return bool(await self._run(key, "release", token.hex()))

    async def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        return bool(await self._run(key, "extend", token.hex(), lease_ms))

    async def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        return bool(await self._run(key, "forget"))

    async def purge(self, limit: int = 1000) -> int:
        """Nothing to do: Redis lets keys expire by itself."""
        return 0

    async def _run(self, key: bytes, *arguments: str | int) -> Any:
        name = _name(self.scope, key)
        try:
            return await self._client.evalsha(_SHA1, 1, name, *arguments)
        except NoScriptError:
            return await self._client.eval(_SCRIPT, 1, name, *arguments)


def _name(scope: str, key: bytes) -> str:
    return f"hookproof:{scope}:{key.hex()}"


def _answer(reply: int | str | bytes) -> ClaimAnswer:
    if isinstance(reply, int):
        return ("claimed", reply) if reply > 0 else ("in_flight", -reply)
    return "done", bytes.fromhex(reply if isinstance(reply, str) else reply.decode())
