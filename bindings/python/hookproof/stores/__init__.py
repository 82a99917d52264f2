"""Stores: where a receiver remembers which deliveries it has seen.

A store takes the client that you already have. Each lives in a module of its own, which imports its client and nothing
else of the package: `hookproof.stores.redis`, `hookproof.stores.postgres`, `hookproof.stores.sqlite`. `MemoryStore` is
part of the engine.

What a store must do is `Store`, or `AsyncStore` for a client that is awaited. Three rules hold in every store:

1. A claim that repeats the token of the claim in flight is the same claim: same fence, new lease.
2. `complete`, `release` and `extend` answer `True` while the token is the newest one, also after its lease ended.
3. The fence of a key only rises, over takeovers, releases and `forget`.

A receiver calls a store from several threads at once, and `extend` from a thread of its own.
"""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from hookproof._engine import MemoryStore

__all__ = ["AsyncStore", "ClaimAnswer", "MemoryStore", "Store"]

ClaimAnswer = tuple[Literal["claimed"], int] | tuple[Literal["done"], bytes] | tuple[Literal["in_flight"], int]
"""What `claim` answers.

- `("claimed", fence)`: the key is the caller's until the lease ends. The fence is higher than that of every earlier
  claim of this key; pass it to whatever must refuse a late worker.
- `("done", body_hash)`: the key was completed before; SHA-256 of the body that was, or zeros where its receiver did not
  ask for conflicts.
- `("in_flight", remaining_ms)`: another token holds the key for that many more milliseconds.
"""


@runtime_checkable
class Store(Protocol):
    """The four atomic steps of a claim, on one store.

    A key is the 32 bytes of `delivery.key()`, a token 16 random bytes, a body hash SHA-256; all durations are
    milliseconds and relative to the store's own clock. A step raises when the store cannot give an answer that holds:
    the delivery is then refused with 503, because a handler never runs without a claim.

    A store that can complete a claim inside the user's own transaction also has
    `complete_in(transaction, key, token, retention_ms)`, which raises `LeaseLost` from a statement that fails, so that
    the transaction can only abort. One that never waits for anything outside of the process says `blocking = False`,
    and is then called directly from async frameworks.
    """

    @property
    def scope(self) -> str:
        """What the store keeps apart: the user's endpoint or tenant. It goes into every key."""
        ...

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer:
        """Takes `key` for `lease_ms`, unless it is done or in flight elsewhere."""
        ...

    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool:
        """Marks the claim done for `retention_ms`; `False` if the token is no longer the newest one."""
        ...

    def release(self, key: bytes, token: bytes) -> bool:
        """Frees the claim, so that the sender's next try runs; `False` if the token is no longer the newest one."""
        ...

    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool:
        """Lets the lease end `lease_ms` from now; `False` if the token is no longer the newest one."""
        ...

    def forget(self, key: bytes) -> bool:
        """Forgets that `key` is done, so that the same event runs once more; `False` if it was not done."""
        ...


@runtime_checkable
class AsyncStore(Protocol):
    """A `Store` whose steps are awaited; for the async frameworks."""

    @property
    def scope(self) -> str: ...

    async def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer: ...

    async def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool: ...

    async def release(self, key: bytes, token: bytes) -> bool: ...

    async def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool: ...

    async def forget(self, key: bytes) -> bool: ...
