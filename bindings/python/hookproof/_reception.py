"""One request on its way through a receiver: the kernel's commands, carried out.

Two functions carry them out: `answer` makes the calls that may wait, `answer_async` awaits them.
"""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from os import urandom
from time import perf_counter, sleep

from hookproof import _engine
from hookproof._claim import AsyncClaim, Claim
from hookproof._errors import ConfigurationError, LeaseLost, VerificationError
from hookproof._outcome import LEVELS, Outcome, log, logger
from hookproof._receiver import is_async
from hookproof._renewal import renewals, say_failed, say_lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    from hookproof._engine import Delivery, Told
    from hookproof._receiver import Gate, Receiver

    # One request, as an adapter hands it over: what reads the raw body, up to a limit in bytes, and raises
    # `VerificationError` if it is gone, parsed or too large; the headers; the method; what puts the address together, where
    # the scheme looks at it; the framework's own request, which a function gets that looks up secrets. No class: this is
    # made for every request.
    Incoming: TypeAlias = tuple[Callable[[int], Any], Any, str, Callable[[], str | None], Any]
    # What runs the handler: gives the framework's response and its status.
    Run: TypeAlias = Callable[[Delivery, Any], Any]
    # The command, and for a delivery that and its reception.
    Begun: TypeAlias = tuple[Any, Delivery | None, Any]

    class Renewing(Protocol):
        def add(self, claim: Any, every: float, lasting: float) -> None: ...


class Answer:
    """An answer that the kernel decided on, for the adapter to send."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body.encode()


def answer(receiver: Receiver, incoming: Incoming, run: Run) -> Any:
    """Answers a request, for sync frameworks."""
    started = perf_counter()
    response: Any = None
    claim: Any = None
    raised: BaseException | None = None
    try:
        gate, tenant = receiver.single, ""
        if gate is None:
            gate, tenant = receiver.gate(receiver.resolve(incoming[4]))  # type: ignore[misc, arg-type]
        command, delivery, reception = _begin(receiver, gate, tenant, incoming, incoming[0](gate.verifier.max_body))
    except (VerificationError, ConfigurationError) as error:
        command, delivery, reception = _refused(receiver, error)
    while command[0] != "answer":
        if command[0] == "run":
            claim = _hold(receiver, incoming, command, Claim, renewals)
            try:
                response, status = run(delivery, claim)  # type: ignore[arg-type]
            except BaseException as error:
                raised = error
                command = reception.step("lease_lost" if claim and isinstance(error, LeaseLost) else "raised")
            else:
                command = _handled(receiver, reception, claim, status)
            finally:
                if claim is not None:
                    renewals.end(claim)
            continue
        word, arguments, pause = command
        try:
            if pause:
                sleep(pause)
            command = _heard(reception, word, getattr(receiver.store, word)(*arguments))
        except Exception as error:
            command = _failed(receiver, reception, word, error)
    outcome = _tell(receiver, command[4], started)
    if receiver.on_outcome is not None:
        try:
            receiver.on_outcome(outcome)  # type: ignore[arg-type]
        except Exception:
            _say_hook_failed(receiver)
    if raised is None or isinstance(raised, LeaseLost):
        _, own, headers, text, _ = command
        return response if own is None else Answer(own, headers, text)
    try:
        raise raised
    finally:
        # The exception holds this frame, which must not hold the exception.
        raised = None


def _begin(receiver: Receiver, gate: Gate, tenant: str, incoming: Incoming, body: Any) -> Begun:
    """Has a request judged. Raises `VerificationError` where it is not even one."""
    _, headers, method, url, _ = incoming
    # Scopes are printable: no scope ends like another one and its tenant.
    scope = f"{receiver.scope}\n{tenant}" if tenant else receiver.scope
    request = body, headers, method, url() if gate.reads_url else None
    # A store in memory tells only this process's own claims apart: there a number does, and costs no system call.
    token = urandom(16) if receiver.shares else next(_numbers).to_bytes(16, "big")
    return gate.kernel.begin(request, int(receiver.clock()), scope, token)


_numbers = count(1)


def _refused(receiver: Receiver, error: VerificationError | ConfigurationError) -> Begun:
    """What is begun with a request that cannot be judged."""
    code, message = error.code, str(error)
    if isinstance(error, ConfigurationError):
        # A tenant's secret is wrong: nobody outside can do anything about it.
        code, message = "internal_error", f"{code}: {message}"
    return _engine.refuse(receiver.scheme.id, code, message), None, None


def _hold(receiver: Receiver, incoming: Incoming, command: Any, claims: type[Any], renewing: Renewing) -> Any:
    """The claim under which the handler runs, and which is renewed from now on; `None` without a store."""
    _, held, (every, lasting), warning = command
    if receiver.alone:
        receiver.look_around(incoming[1])
    if warning is not None:
        logger.warning("%s: %s", receiver.scheme.id, warning)
    if held is None:
        return None
    claim = claims(receiver.store, *held)
    renewing.add(claim, every, lasting)
    return claim


def _handled(receiver: Receiver, reception: Any, claim: Any, status: Any) -> Any:
    try:
        return reception.step("joined" if claim is not None and claim.completed else "handled", status)
    except VerificationError as error:
        return _failed(receiver, reception, "run", error)


def _heard(reception: Any, word: str, answer: Any) -> Any:
    if word == "claim":
        return reception.step(*answer)
    return reception.step("held" if answer else "lost")


def _failed(receiver: Receiver, reception: Any, word: str, error: Exception) -> Any:
    logger.warning("%s: the store failed to %s: %r", receiver.scheme.id, word, error)
    return reception.step("store_failed")


def _tell(receiver: Receiver, told: Told, started: float) -> Outcome | None:
    """Tells the log and OpenTelemetry, neither of which can change the answer any more.

    Mostly nobody wants to know more than that there was an outcome: then it is not even made.
    """
    hook, meter = receiver.on_outcome, receiver.meter
    logged = logger.isEnabledFor(LEVELS[told.kind])
    if hook is None and meter is None and not logged:
        return None
    duration_ms = (perf_counter() - started) * 1000
    outcome = Outcome(told, duration_ms) if logged or hook is not None else None
    if outcome is not None:
        log(outcome)
    if meter is not None:
        try:
            meter(told, duration_ms)
        except Exception:
            logger.exception("%s: OpenTelemetry failed", receiver.scheme.id)
    return outcome


def _say_hook_failed(receiver: Receiver) -> None:
    logger.exception("%s: `on_outcome` failed", receiver.scheme.id)


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

    started = perf_counter()
    response: Any = None
    claim: Any = None
    raised: BaseException | None = None
    steps = _AsyncSteps(receiver.store)
    renewal = _AsyncRenewal(steps)
    try:
        gate, tenant = receiver.single, ""
        if gate is None:
            gate, tenant = receiver.gate(await _awaited(receiver.resolve(incoming[4])))  # type: ignore[misc]
        body = await _awaited(incoming[0](gate.verifier.max_body))
        command, delivery, reception = _begin(receiver, gate, tenant, incoming, body)
    except (VerificationError, ConfigurationError) as error:
        command, delivery, reception = _refused(receiver, error)
    while command[0] != "answer":
        if command[0] == "run":
            claim = _hold(receiver, incoming, command, AsyncClaim if steps.awaited else Claim, renewal)
            try:
                response, status = await _awaited(run(delivery, claim))  # type: ignore[arg-type]
            except BaseException as error:
                raised = error
                command = reception.step("lease_lost" if claim and isinstance(error, LeaseLost) else "raised")
            else:
                command = _handled(receiver, reception, claim, status)
            finally:
                if claim is not None:
                    renewal.end()
            continue
        word, arguments, pause = command
        try:
            if pause:
                await asyncio.sleep(pause)
            command = _heard(reception, word, await steps.call(getattr(receiver.store, word), *arguments))
        except Exception as error:
            command = _failed(receiver, reception, word, error)
    outcome = _tell(receiver, command[4], started)
    if receiver.on_outcome is not None:
        try:
            await _awaited(receiver.on_outcome(outcome))  # type: ignore[arg-type]
        except Exception:
            _say_hook_failed(receiver)
    if raised is None or isinstance(raised, LeaseLost):
        _, own, headers, text, _ = command
        return response if own is None else Answer(own, headers, text)
    try:
        raise raised
    finally:
        raised = None


async def _awaited(result: Any) -> Any:
    return await result if hasattr(result, "__await__") else result


class _AsyncSteps:
    """Calls the steps of a store from an event loop: a blocking one in a thread."""

    __slots__ = ("awaited", "blocking")

    def __init__(self, store: Any) -> None:
        self.awaited = is_async(store)
        self.blocking = not self.awaited and getattr(store, "blocking", True)

    async def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self.blocking:
            import asyncio

            return await asyncio.to_thread(function, *arguments)
        result = function(*arguments)
        return await result if self.awaited else result


class _AsyncRenewal:
    """Extends a claim in a task, which is only made when the first extension is due."""

    __slots__ = ("_stopped", "_store", "_task", "_timer")

    def __init__(self, store: _AsyncSteps) -> None:
        self._store = store

    def add(self, claim: Any, every: float, lasting: float) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._timer = loop.call_later(every, self._begin, claim, every, loop.time() + lasting)

    def end(self) -> None:
        # The task is not cancelled: it may be in the middle of a command to the store.
        self._timer.cancel()
        self._stopped.set()

    def _begin(self, claim: Any, every: float, until: float) -> None:
        import asyncio

        self._task: asyncio.Task[None] = asyncio.ensure_future(self._run(claim, every, until))

    async def _run(self, claim: Any, every: float, until: float) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        while not self._stopped.is_set() and loop.time() < until:
            try:
                await self._store.call(claim.extend)
            except LeaseLost:
                say_lost(claim)
                return
            except Exception as error:
                say_failed(error)
            with suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), every)
