"""Four protocols that people write, each wrong: the torture must find every one of them. `wrong.mjs` has the same."""

from __future__ import annotations

import time
from typing import Any

import redis

SCOPE = "torture"
RETENTION_MS = 3_600_000


def fence() -> int:
    """Rises, so that what is found wrong is the protocol."""
    return time.monotonic_ns() // 1000


class CheckThenSet:
    """Looks whether the event is done, runs it, and then marks it: two copies at once both look first."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.scope = client, SCOPE

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> Any:
        return ("done", body_hash) if self.client.get(key.hex()) else ("claimed", fence())

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        return bool(self.client.set(key.hex(), "done", px=RETENTION_MS))

    def release(self, key: bytes, token: bytes) -> bool:
        return True

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        return True


class SetWithoutRelease:
    """Marks the event before it runs: what fails or dies afterwards never runs again."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.scope = client, SCOPE

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> Any:
        fresh = self.client.set(key.hex(), "done", nx=True, px=RETENTION_MS)
        return ("claimed", fence()) if fresh else ("done", body_hash)

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        return True

    def release(self, key: bytes, token: bytes) -> bool:
        return True

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        return True


class Leased:
    """A lease with a token, on which the two wrong ones below leave something out."""

    def __init__(self, client: redis.Redis) -> None:
        self.client, self.scope = client, SCOPE

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> Any:
        if self.client.set(key.hex(), token.hex(), nx=True, px=lease_ms):
            return "claimed", fence()
        return ("done", body_hash) if self.client.get(key.hex()) == b"done" else ("in_flight", 50)

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        return self.compared(key, token, "SET", "done", "PX", RETENTION_MS)

    def release(self, key: bytes, token: bytes) -> bool:
        return self.compared(key, token, "DEL")

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        return self.compared(key, token, "PEXPIRE", lease_ms)

    def compared(self, key: bytes, token: bytes, command: str, *given: str | int) -> bool:
        script = (
            "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
            "redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3)) return 1"
        )
        return bool(self.client.eval(script, 1, key.hex(), token.hex(), command, *given))


class LeaseWithoutToken(Leased):
    """Completes whatever claim is there: a worker whose lease has ended marks another's claim done."""

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        return bool(self.client.set(key.hex(), "done", px=RETENTION_MS))


class ReleaseWithoutToken(Leased):
    """Frees whatever claim is there: a worker whose lease has ended frees another's claim."""

    def release(self, key: bytes, token: bytes) -> bool:
        return bool(self.client.delete(key.hex()))


WRONG = {
    "check-then-set": CheckThenSet,
    "set-without-release": SetWithoutRelease,
    "lease-without-token": LeaseWithoutToken,
    "release-without-token": ReleaseWithoutToken,
}
