"""Plain WSGI: a middleware around an application, or a part of one.

application = receive(receiver, application, path="/webhooks/agentbot")
"""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any

from hookproof import _environ
from hookproof._handler import check_framework
from hookproof._reception import Answer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

__all__ = ["receive"]


def receive(receiver: Receiver, app: WSGIApplication, *, path: str | None = None) -> WSGIApplication:
    """Lets only deliveries that are authentic, fresh and new through to `app`.

    It finds the delivery in `environ["hookproof.delivery"]`, its claim in `environ["hookproof.claim"]`, and the body in
    `wsgi.input` as if nobody had read it. With `path`, requests for other paths go to `app` as they are.

    Raises `ConfigurationError` with `option_invalid`.
    """
    check_framework(receiver, awaits=False)

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if path is not None and environ.get("PATH_INFO") != path:
            return app(environ, start_response)
        result = answer(receiver, to_request(environ), lambda *held: _run(app, environ, *held))
        status, headers, body = to_response(result)
        start_response(status, headers)
        return [body]

    return application


def to_request(environ: WSGIEnvironment) -> Incoming:
    """A request, as a reception takes it."""
    return (_read, environ, environ["REQUEST_METHOD"], _environ.url, environ)


def _read(environ: WSGIEnvironment, limit: int) -> bytes:
    body = _environ.read(environ, limit)
    environ["wsgi.input"] = BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return body


_Response = tuple[str, list[tuple[str, str]], bytes]


def to_response(given: Answer | _Response) -> _Response:
    """What the application answered, or the kernel, as WSGI sends it."""
    if not isinstance(given, Answer):
        return given
    headers = [*given.headers, ("content-length", str(len(given.body)))]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain"))
    return f"{given.status} {HTTPStatus(given.status).phrase}", headers, given.body


def _run(app: WSGIApplication, environ: WSGIEnvironment, delivery: Delivery, claim: Any) -> tuple[_Response, int]:
    environ["hookproof.delivery"] = delivery
    environ["hookproof.claim"] = claim
    started: list[tuple[str, list[tuple[str, str]]]] = []
    body: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((status, headers))
        return body.append

    # Read to its end before anything is sent: an answer that breaks off is a failure, which a sender must hear of.
    chunks = app(environ, start_response)
    try:
        body.extend(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    status, headers = started[-1]
    return (status, headers, b"".join(body)), int(status[:3])
