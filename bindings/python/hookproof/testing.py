"""For your own tests: sign as the provider does, and stop the clock.

    def test_a_delivery_is_taken(client):
        answer = post(client, "/webhooks/agentbot", "agentbot", "s3cret", {"event": "message.created"})
        assert answer.status_code == 200

`frozen_clock` is a pytest fixture: import it in a test or in `conftest.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hookproof._verifier import Signer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hookproof._receiver import Receiver
    from hookproof._scheme import Material, SchemeSource

__all__ = ["FrozenClock", "post", "sign"]


def sign(scheme: SchemeSource, secret: Material, body: bytes | str, **parts: Any) -> dict[str, str]:
    """The headers with which the provider would send this body; `parts` are those of `Signer.sign`.

    >>> sorted(sign("agentbot", "s3cret", b"{}", timestamp=1_700_000_000, id="d9e8"))
    ['X-Agentbot-Delivery-Id', 'X-Agentbot-Signature']
    """
    return Signer(scheme, secret).sign(body, **parts).headers


def post(
    client: Any,
    path: str,
    scheme: SchemeSource,
    secret: Material,
    body: bytes | str | Mapping[str, Any],
    *,
    headers: Mapping[str, str] | None = None,
    **parts: Any,
) -> Any:
    """Posts a signed delivery with a test client: Flask's, Starlette's (FastAPI's) or Django's.

    A mapping as body is sent as compact JSON. `parts` are those of `Signer.sign`.
    """
    if not isinstance(body, bytes | str):
        import json

        body = json.dumps(body, separators=(",", ":"))
    content = body.encode() if isinstance(body, str) else body
    signed = {"content-type": "application/json", **sign(scheme, secret, content, **parts), **(headers or {})}
    package = type(client).__module__.partition(".")[0]
    if package == "django":
        return client.post(path, data=content, content_type=signed.pop("content-type"), headers=signed)
    if package in ("starlette", "fastapi", "httpx"):
        return client.post(path, content=content, headers=signed)
    return client.post(path, data=content, headers=signed)


class FrozenClock:
    """A clock that stands, until it is set."""

    def __init__(self, now: float) -> None:
        self.now = now
        """Unix seconds."""

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Lets time pass."""
        self.now += seconds


def _frozen_clock() -> Iterator[Callable[..., FrozenClock]]:
    """Stops the clock of a receiver until the end of the test: `clock = frozen_clock(receiver, 1_700_000_000)`."""
    stopped: list[tuple[Receiver, Callable[[], float]]] = []

    def stop(receiver: Receiver, now: float) -> FrozenClock:
        stopped.append((receiver, receiver.clock))
        receiver.clock = clock = FrozenClock(now)
        return clock

    yield stop
    for receiver, clock in reversed(stopped):
        receiver.clock = clock


def __getattr__(name: str) -> Any:
    # pytest is only there in tests that use it
    if name != "frozen_clock":
        raise AttributeError(f"module `hookproof.testing` has no attribute `{name}`")
    import pytest

    fixture = globals()[name] = pytest.fixture(name="frozen_clock")(_frozen_clock)
    return fixture
