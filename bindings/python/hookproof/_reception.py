"""One request on its way through a receiver: the kernel's commands, carried out.

Two functions carry them out: `answer` makes the calls that may wait, `answer_async` awaits them.
"""

from __future__ import annotations

from contextlib import suppress
from time import perf_counter, sleep

from hookproof import _engine
from hookproof._claim import AsyncClaim, Claim
from hookproof._errors import ConfigurationError, LeaseLost, VerificationError
from hookproof._outcome import Outcome, log, logger
from hookproof._receiver import is_async
from hookproof._renewal import renewals, say_failed, say_lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable
    from typing import Any, Protocol, TypeAlias

    from hookproof._engine import Delivery, Reception
    from hookproof._receiver import Receiver

    # One request, as an adapter hands it over: what reads the raw body of a request, up to a limit in bytes, and raises
    # `VerificationError` if it is gone, parsed or too large; the headers; the method; what puts the address of a request
    # together, where the scheme looks at it; the framework's own request, which these two get, and a function that looks
    # up secrets. No class, and mostly no closures: this is made for every request.
    Incoming: TypeAlias = tuple[Callable[[Any, int], Any], Any, str, Callable[[Any], str | None], Any]
    # What runs the handler: gives the framework's response and its status.
    Run: TypeAlias = Callable[[Delivery, Any], Any]

    class Renewing(Protocol):
        def add(self, claim: Any, every: float, lasting: float) -> None: ...


class Answer:
    """An answer that the kernel decided on, for the adapter to send."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[str, str]], body: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body.encode()


def answer(receiver: Receiver, incoming: Incoming, run: Run, takes_claim: bool = True) -> Any:
    """Answers a request, for sync frameworks."""
    started = perf_counter()
    response: Any = None
    claim: Any = None
    raised: BaseException | None = None
    try:
        gate, tenant = receiver.single, ""
        if gate is None:
            gate, tenant = receiver.gate(receiver.resolve(incoming[4]))  # type: ignore[misc, arg-type]
        body = incoming[0](incoming[4], gate.max_body)
        reception = gate.kernel.begin(body, incoming, receiver.clock, tenant)
    except (VerificationError, ConfigurationError) as error:
        reception = _refused(receiver, error)
    word = reception.word
    while word != "answer":
        if word == "run":
            if takes_claim or receiver.renews or receiver.alone:
                claim = _hold(receiver, incoming, reception, Claim, takes_claim, renewals)
            try:
                response, status = run(reception.delivery, claim)
            except BaseException as error:
                raised = error
                word = reception.step(_went_wrong(reception, error))
            else:
                word = _handled(receiver, reception, claim, status)
            finally:
                if claim is not None:
                    renewals.end(claim)
            continue
        try:
            if reception.pause:
                sleep(reception.pause)
            word = _heard(reception, word, getattr(receiver.store, word)(*reception.arguments))
        except Exception as error:
            word = _failed(receiver, reception, word, error)
    # Mostly nobody wants to know more than that there was an outcome: then it is not even made.
    hook, outcome = receiver.on_outcome, None
    if hook is not None or receiver.meter is not None or logger.isEnabledFor(reception.level):
        outcome = _tell(receiver, reception, started)
    if hook is not None:
        try:
            hook(outcome)  # type: ignore[arg-type]
        except Exception:
            _say_hook_failed(receiver)
    if raised is None or isinstance(raised, LeaseLost):
        own = reception.answer
        return response if own is None else Answer(*own)
    try:
        raise raised
    finally:
        # The exception holds this frame, which must not hold the exception.
        raised = None


def _refused(receiver: Receiver, error: VerificationError | ConfigurationError) -> Reception:
    """What is begun with a request that cannot be judged."""
    code, message = error.code, str(error)
    if isinstance(error, ConfigurationError):
        # A tenant's secret is wrong: nobody outside can do anything about it.
        code, message = "internal_error", f"{code}: {message}"
    return _engine.refuse(receiver.scheme.id, code, message)


def _hold(
    receiver: Receiver,
    incoming: Incoming,
    reception: Reception,
    claims: type[Any],
    takes_claim: bool,
    renewing: Renewing,
) -> Any:
    """The claim under which the handler runs, and which is renewed from now on; `None` where nobody looks at it."""
    if receiver.alone:
        receiver.look_around(incoming[1])
    renewal = reception.renewal
    if renewal is None and not (takes_claim and reception.claimed):
        return None
    claim = claims(receiver.store, reception)
    if renewal is not None:
        renewing.add(claim, *renewal)
    return claim


def _went_wrong(reception: Reception, error: BaseException) -> str:
    return "lease_lost" if reception.claimed and isinstance(error, LeaseLost) else "raised"


def _handled(receiver: Receiver, reception: Reception, claim: Any, status: Any) -> str:
    try:
        return reception.step("joined" if claim is not None and claim.completed else "handled", status)
    except VerificationError as error:
        return _failed(receiver, reception, "run", error)


def _heard(reception: Reception, word: str, answer: Any) -> str:
    if word == "claim":
        return reception.step(*answer)
    return reception.step("held" if answer else "lost")


def _failed(receiver: Receiver, reception: Reception, word: str, error: Exception) -> str:
    logger.warning("%s: the store failed to %s: %r", receiver.scheme.id, word, error)
    return reception.step("store_failed")


def _tell(receiver: Receiver, reception: Reception, started: float) -> Outcome | None:
    """Tells the log and OpenTelemetry, neither of which can change the answer any more."""
    meter, level = receiver.meter, reception.level
    logged = logger.isEnabledFor(level)
    duration_ms = (perf_counter() - started) * 1000
    outcome = Outcome(reception, duration_ms) if logged or receiver.on_outcome is not None else None
    if outcome is not None and logged:
        log(outcome, level)
    if meter is not None:
        try:
            meter(reception, duration_ms)
        except Exception:
            logger.exception("%s: OpenTelemetry failed", receiver.scheme.id)
    return outcome


def _say_hook_failed(receiver: Receiver) -> None:
    logger.exception("%s: `on_outcome` failed", receiver.scheme.id)


async def answer_async(receiver: Receiver, incoming: Incoming, run: Run, takes_claim: bool = True) -> Any:
    """Answers a request, for async frameworks.

    What has begun is finished even if the request is cancelled, because its client went away: otherwise nobody would
    settle the claim.
    """
    import asyncio

    task = asyncio.ensure_future(_answer_async(receiver, incoming, run, takes_claim))
    _unfinished.add(task)
    task.add_done_callback(_unfinished.discard)
    return await asyncio.shield(task)


# The event loop itself keeps only weak references to tasks.
_unfinished: set[asyncio.Task[Any]] = set()


async def _answer_async(receiver: Receiver, incoming: Incoming, run: Run, takes_claim: bool) -> Any:
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
        body = await _awaited(incoming[0](incoming[4], gate.max_body))
        reception = gate.kernel.begin(body, incoming, receiver.clock, tenant)
    except (VerificationError, ConfigurationError) as error:
        reception = _refused(receiver, error)
    word = reception.word
    while word != "answer":
        if word == "run":
            if takes_claim or receiver.renews or receiver.alone:
                claims = AsyncClaim if steps.awaited else Claim
                claim = _hold(receiver, incoming, reception, claims, takes_claim, renewal)
            try:
                response, status = await _awaited(run(reception.delivery, claim))
            except BaseException as error:
                raised = error
                word = reception.step(_went_wrong(reception, error))
            else:
                word = _handled(receiver, reception, claim, status)
            finally:
                if claim is not None:
                    renewal.end()
            continue
        try:
            if reception.pause:
                await asyncio.sleep(reception.pause)
            word = _heard(reception, word, await steps.call(getattr(receiver.store, word), *reception.arguments))
        except Exception as error:
            word = _failed(receiver, reception, word, error)
    # Mostly nobody wants to know more than that there was an outcome: then it is not even made.
    hook, outcome = receiver.on_outcome, None
    if hook is not None or receiver.meter is not None or logger.isEnabledFor(reception.level):
        outcome = _tell(receiver, reception, started)
    if hook is not None:
        try:
            await _awaited(hook(outcome))  # type: ignore[arg-type]
        except Exception:
            _say_hook_failed(receiver)
    if raised is None or isinstance(raised, LeaseLost):
        own = reception.answer
        return response if own is None else Answer(*own)
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

    _timer: asyncio.TimerHandle | None

    def __init__(self, store: _AsyncSteps) -> None:
        self._store = store
        self._timer = None

    def add(self, claim: Any, every: float, lasting: float) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        self._stopped = asyncio.Event()
        self._timer = loop.call_later(every, self._begin, claim, every, loop.time() + lasting)

    def end(self) -> None:
        # The task is not cancelled: it may be in the middle of a command to the store.
        if self._timer is not None:
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
