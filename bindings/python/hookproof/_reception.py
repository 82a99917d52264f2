"""One request on its way through a receiver: the kernel's commands, carried out.

The way is written once, as a generator that yields each call which may wait. One driver makes the calls, the other one
awaits them.
"""

from __future__ import annotations

import os
from contextlib import suppress
from time import perf_counter, sleep

from hookproof import _engine
from hookproof._claim import AsyncClaim, Claim
from hookproof._errors import ConfigurationError, LeaseLost, VerificationError
from hookproof._outcome import Outcome, log, logger
from hookproof._receiver import is_async
from hookproof._renewal import Renewal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Generator
    from typing import Any, Literal, Protocol, TypeAlias, TypeVar

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver

    Response = TypeVar("Response")
    # Who is called, the function, its arguments. The store may block; the user's functions may have to be awaited; what
    # the handler raises comes back as a `Raised`.
    Call: TypeAlias = tuple[Literal["store", "user", "handler", "sleep"], Callable[..., Any], tuple[Any, ...]]
    # What runs the handler: gives the framework's response and its status.
    Run: TypeAlias = Callable[[Delivery, Any], Any]

    class Renewing(Protocol):
        def stop(self) -> None: ...


class Incoming:
    """One request, as an adapter hands it over."""

    __slots__ = ("headers", "method", "original", "read", "url")

    def __init__(self, read: Callable[[int], Any], headers: Any, method: str, url: str | None, original: Any) -> None:
        self.read = read
        """Reads the raw body, up to a limit in bytes; raises `VerificationError` if it is gone, parsed or too large."""
        self.headers = headers
        self.method = method
        self.url = url
        self.original = original
        """The framework's own request: what a function gets that looks up secrets."""


class Answer:
    """An answer that the kernel decided on, for the adapter to send."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body.encode()


class Raised:
    """What a handler raised, as a value: some exceptions mean something to a generator that they pass through."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def _way(
    receiver: Receiver, incoming: Incoming, run: Run, claims: type[Any], renew: Callable[[Any, float, float], Renewing]
) -> Generator[Call, Any, Any]:
    """From a request to its answer: an `Answer` of the kernel's, the response that `run` gave, or what it `Raised`."""
    started = perf_counter()
    store = receiver.store
    token = os.urandom(16)
    delivery: Any = None
    reception: Any = None
    try:
        if receiver.single is not None:
            gate, tenant = receiver.single, ""
        else:
            gate, tenant = receiver.gate((yield "user", receiver.resolve, (incoming.original,)))  # type: ignore[misc]
        body = yield "user", incoming.read, (gate.verifier.max_body,)
        scope = getattr(store, "scope", "")
        if tenant:
            # Scopes are printable: no scope ends like another one and its tenant.
            scope = f"{scope}\n{tenant}"
        now = int(receiver.clock())
        request = body, incoming.headers, incoming.method, incoming.url
        command, delivery, reception = gate.kernel.begin(request, now, scope, token)
    except VerificationError as error:
        command = _engine.refuse(receiver.scheme.id, error.code, str(error))
    except ConfigurationError as error:
        # A tenant's secret is wrong: nobody outside can do anything about it.
        command = _engine.refuse(receiver.scheme.id, "internal_error", f"{error.code}: {error}")

    response: Any = None
    claim: Any = None
    key = b""
    while command[0] != "answer":
        event: str
        value: Any = None
        try:
            if command[0] == "claim":
                _, key, body_hash, lease_ms, retention_ms = command
                event, value = yield "store", store.claim, (key, token, body_hash, lease_ms)
                if receiver.store_warning is not None and (warning := receiver.store_warning(incoming.headers)):
                    logger().warning("%s: %s", receiver.scheme.id, warning)
            elif command[0] == "run":
                _, fence, every_ms, for_ms = command
                renewal = None
                if key:
                    claim = claims(store, key, token, lease_ms, retention_ms, fence)
                    renewal = renew(claim, every_ms / 1000, for_ms / 1000)
                response = yield "handler", run, (delivery, claim)
                if renewal is not None:
                    renewal.stop()
                if isinstance(response, Raised):
                    event = "lease_lost" if claim and isinstance(response.error, LeaseLost) else "raised"
                else:
                    event = "joined" if claim and claim.completed else "handled"
                    response, value = response
            elif command[0] == "complete":
                if command[1]:
                    yield "sleep", sleep, (command[1] / 1000,)
                event = "held" if (yield "store", store.complete, (key, token, retention_ms)) else "lost"
            else:
                event = "held" if (yield "store", store.release, (key, token)) else "lost"
            command = reception.step(event, value)
        except Exception as error:
            logger().warning("%s: the store failed to %s: %r", receiver.scheme.id, command[0], error)
            command = reception.step("store_failed")

    _, status, headers, text, told = command
    yield from _report(receiver, Outcome(told, (perf_counter() - started) * 1000))
    if isinstance(response, Raised) and not isinstance(response.error, LeaseLost):
        return response
    return response if status is None else Answer(status, headers, text)


def _report(receiver: Receiver, outcome: Outcome) -> Generator[Call, Any, None]:
    """Tells the log, OpenTelemetry and the user's hook, none of which can change the answer any more."""
    log(outcome)
    try:
        if receiver.meter is not None:
            receiver.meter(outcome)
        if receiver.on_outcome is not None:
            yield "user", receiver.on_outcome, (outcome,)
    except Exception:
        logger().exception("%s: telling the outcome failed", receiver.scheme.id)


def answer(receiver: Receiver, incoming: Incoming, run: Run) -> Any:
    """Answers a request, for sync frameworks."""
    way = _way(receiver, incoming, run, Claim, _renewed)
    try:
        call = next(way)
        while True:
            who, function, arguments = call
            try:
                result = function(*arguments)
            except BaseException as error:
                call = way.send(Raised(error)) if who == "handler" else way.throw(error)
            else:
                call = way.send(result)
    except StopIteration as done:
        return _ended(done.value)


def _ended(result: Any) -> Any:
    """What the framework gets: a response, or what its handler raised."""
    if isinstance(result, Raised):
        raise result.error
    return result


def _renewed(claim: Claim, every: float, lasting: float) -> Renewal:
    def extend() -> bool:
        try:
            claim.extend()
        except LeaseLost:
            _lost(claim)
            return False
        except Exception as error:
            logger().warning("the store failed to extend a lease, which is tried again: %r", error)
        return True

    return Renewal(extend, every, lasting)


def _lost(claim: Claim | AsyncClaim) -> None:
    logger().warning("%r: another worker has taken the delivery over while the handler runs", claim)


async def answer_async(receiver: Receiver, incoming: Incoming, run: Run) -> Any:
    """Answers a request, for async frameworks.

    What has begun is finished even if the request is cancelled, because its client went away: otherwise nobody would
    settle the claim.
    """
    import asyncio

    task = asyncio.ensure_future(_answer_async(receiver, incoming, run))
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    return await asyncio.shield(task)


# The event loop itself keeps only weak references to tasks.
_unfinished: set[asyncio.Task[Any]] = set()


async def _answer_async(receiver: Receiver, incoming: Incoming, run: Run) -> Any:
    import asyncio

    awaited = is_async(receiver.store)
    threads = not awaited and getattr(receiver.store, "blocking", True)

    async def call_store(function: Callable[..., Any], *arguments: Any) -> Any:
        if threads:
            return await asyncio.to_thread(function, *arguments)
        result = function(*arguments)
        return await result if awaited else result

    def renewed(claim: Any, every: float, lasting: float) -> _AsyncRenewal:
        return _AsyncRenewal(claim, lambda: call_store(claim.extend), every, lasting)

    way = _way(receiver, incoming, run, AsyncClaim if awaited else Claim, renewed)
    try:
        who, function, arguments = next(way)
        while True:
            try:
                if who == "store":
                    result = await call_store(function, *arguments)
                elif who == "sleep":
                    result = None
                    await asyncio.sleep(*arguments)
                else:
                    result = function(*arguments)
                    if hasattr(result, "__await__"):
                        result = await result
            except BaseException as error:
                who, function, arguments = way.send(Raised(error)) if who == "handler" else way.throw(error)
            else:
                who, function, arguments = way.send(result)
    except StopIteration as done:
        return _ended(done.value)


class _AsyncRenewal:
    """A claim that is extended by a task, which is only made when the first extension is due."""

    __slots__ = ("_claim", "_every", "_extend", "_stopped", "_task", "_timer", "_until")

    def __init__(self, claim: Any, extend: Callable[[], Awaitable[None]], every: float, lasting: float) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        self._claim = claim
        self._extend = extend
        self._every = every
        self._until = loop.time() + lasting
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._timer = loop.call_later(every, self._begin)

    def stop(self) -> None:
        # The task is not cancelled: it may be in the middle of a command to the store.
        self._timer.cancel()
        self._stopped.set()

    def _begin(self) -> None:
        import asyncio

        self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        while not self._stopped.is_set() and loop.time() < self._until:
            try:
                await self._extend()
            except LeaseLost:
                _lost(self._claim)
                return
            except Exception as error:
                logger().warning("the store failed to extend a lease, which is tried again: %r", error)
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), self._every)
