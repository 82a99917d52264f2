"""The receiver: a verifier, a store and limits."""

from __future__ import annotations

import os
from time import time

from hookproof._engine import Kernel, MemoryStore
from hookproof._errors import ConfigurationError, VerificationError
from hookproof._outcome import logger, meter
from hookproof._scheme import Scheme, engine_secrets
from hookproof._verifier import Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any, Literal, TypeAlias

    from typing_extensions import Required, Unpack

    from hookproof._engine import Delivery
    from hookproof._outcome import Outcome
    from hookproof._scheme import SchemeSource, Secrets
    from hookproof._verifier import VerifierOptions
    from hookproof.stores import AsyncStore, Store

    Found: TypeAlias = tuple[str, Secrets] | Secrets | None
    Resolver: TypeAlias = Callable[[Any], Found | Awaitable[Found]]

    class ReceiverOptions(VerifierOptions, total=False):
        """The options of a `Receiver`; what they mean is written there."""

        store: Required[Store | AsyncStore | None]
        retention: int
        lease: float
        max_handler: float
        conflict: bool
        handshake: bool
        rate_limit: Mapping[Literal["limit", "per"], int | str]
        clock: Callable[[], float] | None
        on_outcome: Callable[[Outcome], Any] | None
        enqueue: Callable[[Delivery], Any] | None


class Gate:
    """A verifier, and the receiving kernel around it."""

    __slots__ = ("kernel", "max_body", "verifier")

    def __init__(self, verifier: Verifier, store: Any) -> None:
        self.verifier = verifier
        self.kernel = Kernel(verifier, store, getattr(store, "scope", ""))
        self.max_body = self.kernel.max_body


# How many tenants' verifiers are kept: building one costs as much as a dozen verifications.
_TENANTS = 256

_MISSING: Any = object()


class Receiver:
    """A verifier, a store and limits: what the adapters take.

    `scheme` is the id of a built-in scheme, a `Scheme`, or your own scheme as a dict. `secret` is text, bytes, a
    `Secret`, a list of them (rotation), or a function of the framework's request that returns the secrets, or a tenant
    and its secrets, or `None` if it knows none; it may be async where the framework is.

    Options:

    - `store` (required): where deliveries are remembered; `None` switches dedup off in so many words.
    - `tolerance`: how far a signed time may be from now, 1 to 86,400 whole seconds; the scheme's, mostly 300.
    - `retention`: how long a delivery is remembered, in seconds; the sender's retry horizon plus a margin.
    - `lease`: how long a claim holds unless it is renewed, in seconds; 10.
    - `max_handler`: how long a handler's claim is renewed, in seconds; 900.
    - `max_body`: the most bytes that a body may have; the scheme's, mostly 1 MiB.
    - `events`: the closed list of event types that are expected; an unsigned type then counts towards the identity.
    - `identity`: what makes two deliveries the same: `"auto"`, `"id"` or `"body"`.
    - `conflict`: answers 409 if the same identity comes with another body; `False`.
    - `handshake`: answers the provider's handshakes; `False`.
    - `public_url`: the address that the provider calls, where a proxy hides it.
    - `config`: values that the scheme needs besides the secret.
    - `rate_limit`: `{"limit": 10, "per": "60s"}`, for each secret; the scheme's, mostly none.
    - `allow_legacy`: takes a scheme whose signature is a bare digest; `False`.
    - `explain_failures`: says in the log why a signature does not match, as far as it can be found out; `False`.
    - `clock`: the time in Unix seconds; `time.time`.
    - `on_outcome`: called with the `Outcome` of each request.
    - `enqueue`: store, answer, work later: called with the delivery instead of the handler; when it returns, the
      delivery counts as handled.

    Raises `ConfigurationError`, when it is built and never at the first request.

    >>> from hookproof import MemoryStore
    >>> Receiver("agentbot", "s3cret", store=MemoryStore())
    <Receiver agentbot>
    """

    def __init__(self, scheme: SchemeSource, secret: Secrets | Resolver, **options: Unpack[ReceiverOptions]) -> None:
        given: dict[str, Any] = dict(options)
        self.store: Any = _store(given.pop("store", _MISSING))
        self.alone = isinstance(self.store, MemoryStore)
        # A claim in memory dies with its process, so it is never renewed.
        self.renews = self.store is not None and not self.alone
        self.clock: Callable[[], float] = _function(given, "clock") or time
        self.on_outcome: Callable[[Outcome], Any] | None = _function(given, "on_outcome")
        self.enqueue: Callable[[Delivery], Any] | None = _function(given, "enqueue")
        self.scheme = Scheme(scheme)
        self.meter = meter(self.scheme.id)
        self._secret = secret
        self._options = given
        self._tenants: dict[Any, Gate] = {}
        self.resolve: Resolver | None = secret if callable(secret) else None
        self.single: Gate | None = None
        if self.resolve is None:
            self.single = self._gate(secret)
            for warning in self.single.kernel.warnings:
                logger.warning("%s: %s", self.scheme.id, warning)
        else:
            self._try_options()

    def __repr__(self) -> str:
        return f"<Receiver {self.scheme.id}>"

    def look_around(self, headers: Any) -> None:
        """Says, after the first delivery, that the server has several processes, where a memory store is one of many."""
        # A WSGI environ tells. The engine itself sees only those that were forked after the store was used.
        if self.alone and type(headers) is dict and headers.get("wsgi.multiprocess"):
            logger.warning(
                "%s: the server runs several processes, and each has a memory store of its own, so a delivery may run "
                "once in each; use a shared store",
                self.scheme.id,
            )
        self.alone = False

    @property
    def verifier(self) -> Verifier:
        """The verifier, where the secret is not a function of the request."""
        if self.single is None:
            raise AttributeError("a receiver whose secret is a function has a verifier for each tenant")
        return self.single.verifier

    @property
    def methods(self) -> list[str]:
        """The HTTP methods that a route for this receiver takes: more than POST where it answers handshakes."""
        return sorted({"POST", *(self.scheme.handshake_methods if self._options.get("handshake") else ())})

    @property
    def needs_async(self) -> str | None:
        """What of it must be awaited, which only an async framework does; `None` if nothing."""
        if is_async(self.store):
            return f"the store `{type(self.store).__name__}`"
        for name in ("secret", "enqueue", "on_outcome"):
            if _is_coroutine_function(self.resolve if name == "secret" else getattr(self, name)):
                return f"the function for `{name}`"
        return None

    def without_store(self) -> Receiver:
        """The same receiver, for what verifies and claims nothing."""
        options: dict[str, Any] = {**self._options, "store": None, "clock": lambda: self.clock()}
        return Receiver(self.scheme, self._secret, **options, on_outcome=self.on_outcome)

    def gate(self, found: Found) -> tuple[Gate, str]:
        """What judges a request whose secret the function of the request has found, and the tenant."""
        if found is None:
            raise VerificationError("the function for `secret` knows none for this request", "signature_mismatch", 401)
        secrets: Any
        if isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], str):
            tenant, secrets = found[0], found[1]
        else:
            tenant, secrets = "", found
        key = tuple(engine_secrets(secrets))
        gate = self._tenants.get(key)
        if gate is None:
            gate = self._gate(secrets)
            while len(self._tenants) >= _TENANTS:
                self._tenants.pop(next(iter(self._tenants)), None)
            self._tenants[key] = gate
        return gate, tenant

    def _gate(self, secret: Any) -> Gate:
        gate = Gate(Verifier(self.scheme, secret, **self._options), self.store)
        if isinstance(self.store, MemoryStore):
            self.store.remember_at_least(gate.kernel.least_retention * 1000)
        return gate

    def _try_options(self) -> None:
        """Judges the options before there is a secret: with one that fits most schemes, and that nobody can know."""
        try:
            self._gate(os.urandom(32).hex())
        except ConfigurationError as error:
            if not error.code.startswith("secret_"):
                raise


def _store(store: Any) -> Any:
    if store is _MISSING:
        raise ConfigurationError(
            "`store` is missing: `MemoryStore()` for one process, `SQLiteStore(path, scope=...)` for one machine, "
            "`hookproof.stores.redis` or `.postgres` for more, `None` for no dedup at all",
            "option_invalid",
        )
    if store is not None:
        for step in ("claim", "complete", "release", "extend"):
            if not callable(getattr(store, step, None)):
                raise ConfigurationError(
                    f"`store` is a `{type(store).__name__}`, which has no `{step}`: a store is expected",
                    "option_invalid",
                )
    return store


def _function(options: dict[str, Any], name: str) -> Any:
    function = options.pop(name, None)
    if function is not None and not callable(function):
        raise ConfigurationError(f"`{name}` is a `{type(function).__name__}`: a function is expected", "option_invalid")
    return function


def is_async(store: Any) -> bool:
    """Whether the steps of a store are awaited."""
    return store is not None and _is_coroutine_function(store.claim)


def _is_coroutine_function(function: Any) -> bool:
    from inspect import iscoroutinefunction

    return iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


Receiver.__module__ = "hookproof"
