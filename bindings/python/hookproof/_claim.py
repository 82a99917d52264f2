"""What a handler may hold of its claim."""

from __future__ import annotations

from hookproof._errors import ConfigurationError, LeaseLost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hookproof._engine import Reception
    from hookproof.stores import AsyncStore, Store


class _Held:
    """A claim in one process: what the engine knows of it, and what is known of the lease."""

    __slots__ = ("_reception", "_store", "completed", "lost")

    lost: bool
    """Whether another worker has taken the delivery over, as far as is known."""
    completed: bool
    """Whether it was completed inside the user's own transaction."""

    def __init__(self, store: Any, reception: Reception) -> None:
        self._store = store
        self._reception = reception
        self.lost = False
        self.completed = False

    @property
    def fence(self) -> int:
        """Higher than that of every earlier claim of this delivery: pass it to whatever must refuse a late worker."""
        return self._reception.fence

    def __repr__(self) -> str:
        return f"<{type(self).__name__} fence={self.fence}{' lost' if self.lost else ''}>"

    def _kept(self, held: bool) -> None:
        if not held:
            self.lost = True
            raise LeaseLost

    def _joining(self) -> Any:
        join = getattr(self._store, "complete_in", None)
        if join is None:
            raise ConfigurationError(
                f"`complete_in` needs a store that lives in your database: `{type(self._store).__name__}` does not",
                "option_invalid",
            )
        return join


class Claim(_Held):
    """That this worker, and no other, handles the delivery until its lease ends. It is renewed meanwhile."""

    __slots__ = ()

    _store: Store

    def extend(self) -> None:
        """Renews the lease now. Raises `LeaseLost` if another worker has taken the delivery over."""
        self._kept(self._store.extend(*self._reception.extending))

    def complete_in(self, transaction: Any) -> None:
        """Completes the claim inside your own transaction: the effect and the mark commit together, or neither does.

        Commit it before the handler returns; the store is asked for the mark before a 2xx leaves, and a transaction that
        was rolled back makes it a 500. Raises `LeaseLost` if another worker has taken the delivery over: let it leave the
        handler, so that the transaction is rolled back and the sender tries again.
        """
        try:
            self._joining()(transaction, *self._reception.completing)
        except LeaseLost:
            self.lost = True
            raise
        self.completed = True


class AsyncClaim(_Held):
    """A `Claim` on an `AsyncStore`, whose methods are awaited."""

    __slots__ = ()

    _store: AsyncStore

    async def extend(self) -> None:
        """Renews the lease now. Raises `LeaseLost` if another worker has taken the delivery over."""
        self._kept(await self._store.extend(*self._reception.extending))

    async def complete_in(self, transaction: Any) -> None:
        """Completes the claim inside your own transaction, as `Claim.complete_in` does."""
        try:
            await self._joining()(transaction, *self._reception.completing)
        except LeaseLost:
            self.lost = True
            raise
        self.completed = True


Claim.__module__ = AsyncClaim.__module__ = "hookproof"
