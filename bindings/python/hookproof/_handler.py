"""What a handler takes, judged when it is decorated."""

from __future__ import annotations

from hookproof._errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Signature
    from typing import Any

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver


class Handler:
    """A user's function that takes a delivery, or the receiver's `enqueue` in its place."""

    __slots__ = ("function", "name", "signature", "takes_claim")

    def __init__(self, receiver: Receiver, function: Callable[..., Any] | None, *, awaits: bool) -> None:
        from inspect import Parameter, signature

        check_framework(receiver, awaits=awaits)
        if receiver.enqueue is not None:
            if function is not None:
                raise never_runs(function)
            enqueue = receiver.enqueue
            function = lambda delivery: enqueue(delivery)  # noqa: E731
        if not callable(function):
            raise _wrong(f"a `{type(function).__name__}` was decorated: a handler is expected")
        self.function: Callable[..., Any] = function
        self.name = _name(function)
        self.signature: Signature = signature(function)
        delivery = self.signature.parameters.get("delivery")
        if delivery is None or delivery.kind is Parameter.POSITIONAL_ONLY:
            raise _wrong(f"`{self.name}` has no parameter `delivery`: a handler takes what was verified")
        if delivery.default is not Parameter.empty:
            raise _wrong(f"`delivery` of `{self.name}` has a default: it could then run without one")
        self.takes_claim = "claim" in self.signature.parameters
        if self.takes_claim and receiver.store is None:
            raise _wrong(f"`{self.name}` takes a `claim`, which there is none of without a store")

    def arguments(self, delivery: Delivery, claim: Any) -> dict[str, Any]:
        """What of the receiver's the handler takes."""
        return {"delivery": delivery, "claim": claim} if self.takes_claim else {"delivery": delivery}


def check_framework(receiver: Receiver, *, awaits: bool) -> None:
    """Raises `ConfigurationError` if the receiver needs to be awaited and the framework does not."""
    if not awaits and receiver.needs_async is not None:
        raise _wrong(f"{receiver.needs_async} is async, which this framework does not await")


def never_runs(function: Any) -> ConfigurationError:
    """What is said of a handler that stands beside `enqueue`."""
    return _wrong(f"the receiver has `enqueue`, so `{_name(function)}` would never run: pass no handler")


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)


def _wrong(message: str) -> ConfigurationError:
    return ConfigurationError(message, "option_invalid")
