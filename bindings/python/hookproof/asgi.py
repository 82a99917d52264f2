"""Plain ASGI: a middleware around an application, or a part of one.

application = receive(receiver, application, path="/webhooks/agentbot")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hookproof import _asgi_scope
from hookproof._errors import VerificationError
from hookproof._handler import check_framework
from hookproof._input import too_large
from hookproof._reception import Answer, answer_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import TypeAlias

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

    Message: TypeAlias = MutableMapping[str, Any]
    Scope: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]
    Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

__all__ = ["receive"]


def receive(receiver: Receiver, app: Application, *, path: str | None = None) -> Application:
    """Lets only deliveries that are authentic, fresh and new through to `app`.

    It finds the delivery in `scope["hookproof.delivery"]`, its claim in `scope["hookproof.claim"]`, and the body as if
    nobody had read it. With `path`, requests for other paths go to `app` as they are.

    Raises `ConfigurationError` with `option_invalid`.
    """
    check_framework(receiver, awaits=True)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (path is not None and scope["path"] != path):
            return await app(scope, receive, send)
        body = Body(receive)

        async def run(delivery: Delivery, claim: Any) -> tuple[list[Message], int]:
            scope["hookproof.delivery"] = delivery
            scope["hookproof.claim"] = claim
            sent: list[Message] = []

            # Kept until the end before anything is sent: an answer that breaks off is a failure, which a sender must
            # hear of.
            async def keep(message: Message) -> None:
                sent.append(message)

            await app(scope, body.again, keep)
            starts = [message["status"] for message in sent if message["type"] == "http.response.start"]
            if not starts:
                raise RuntimeError("the application returned without an answer")
            return sent, starts[0]

        for message in to_response(await answer_async(receiver, to_request(scope, body), run)):
            await send(message)

    return application


def to_request(scope: Scope, body: Body) -> Incoming:
    """A request, as a reception takes it."""

    async def read(scope: Scope, limit: int) -> bytes:
        announced = _asgi_scope.content_length(scope)
        if announced is not None and announced > limit:
            raise too_large(limit)
        return await body.read(limit)

    return (read, scope["headers"], scope["method"], _asgi_scope.url, scope)


def to_response(given: Answer | list[Message]) -> list[Message]:
    """What the application answered, or the kernel, as ASGI sends it."""
    if not isinstance(given, Answer):
        return given
    headers = [*given.headers, ("content-length", str(len(given.body)))]
    return [
        {
            "type": "http.response.start",
            "status": given.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        },
        {"type": "http.response.body", "body": given.body},
    ]


class Body:
    """A request's body, read once and handed on as if nobody had."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: bytes | None = None

    async def read(self, limit: int) -> bytes:
        chunks = []
        length = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise VerificationError(
                    "the raw body is gone: either a middleware in front read it, which must hand it on, or the client "
                    "went away",
                    "body_not_raw",
                    500,
                )
            chunk = message.get("body", b"")
            length += len(chunk)
            if length > limit:
                raise too_large(limit)
            chunks.append(chunk)
            if not message.get("more_body", False):
                self._kept = b"".join(chunks)
                return self._kept

    async def again(self) -> Message:
        if self._kept is None:
            return await self._receive()
        body, self._kept = self._kept, None
        return {"type": "http.request", "body": body, "more_body": False}
