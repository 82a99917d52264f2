"""What a WSGI environ says of a request, for the adapters that have one."""

from __future__ import annotations

from hookproof._engine import read_announced
from hookproof._errors import VerificationError
from hookproof._input import too_large

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def url(environ: Mapping[str, Any]) -> str:
    """The address that was requested, as it was written: some providers sign it byte for byte.

    Servers keep the original in a variable of their own; where none does, it is put together as PEP 3333 says, and
    percent-encoding that the server has undone is done anew.
    """
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not isinstance(target, str):
        from urllib.parse import quote

        path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
        target = quote(path.encode("latin-1"), safe="/!$&'()*+,;=:@~-._") or "/"
        query = environ.get("QUERY_STRING")
        if query:
            target = f"{target}?{query}"
    if not target.startswith("/"):
        return target
    host = environ.get("HTTP_HOST")
    if not host:
        host = environ.get("SERVER_NAME", "")
        port = environ.get("SERVER_PORT", "")
        if port and port != {"http": "80", "https": "443"}.get(environ["wsgi.url_scheme"]):
            host = f"{host}:{port}"
    return f"{environ['wsgi.url_scheme']}://{host}{target}"


def read(environ: dict[str, Any], limit: int) -> bytes:
    """The body, up to `limit` bytes; raises `VerificationError` if it is longer, or not there any more."""
    body = read_announced(environ, limit, "a middleware in front read `wsgi.input`, which must put it back")
    if body is not None:
        return body
    if not environ.get("HTTP_TRANSFER_ENCODING"):
        return b""
    if has_no_end(environ):
        raise VerificationError(NO_END, "body_not_raw", 500)
    # One byte more than the limit shows that there is more.
    body = _upto(environ["wsgi.input"], limit + 1)
    if len(body) > limit:
        raise too_large(limit)
    return body


def rest(stream: Any, body: bytes, announced: int, culprit: str) -> bytes:
    """A body of which the server handed over only a part at once, read to its announced end."""
    body += _upto(stream, announced - len(body))
    if len(body) < announced:
        raise incomplete(body, announced, culprit)
    return body


def incomplete(body: bytes, announced: int, culprit: str) -> VerificationError:
    """What is said of a body of which only a part, or nothing, is left."""
    return VerificationError(
        f"the raw body is gone: only {len(body)} of its {announced} bytes were left. Either {culprit}; or the client left",
        "body_not_raw",
        500,
    )


def _upto(stream: Any, size: int) -> bytes:
    chunks = []
    while size and (chunk := stream.read(min(size, 1 << 16))):
        size -= len(chunk)
        chunks.append(chunk)
    return b"".join(chunks)


NO_END = (
    "the raw body cannot be read: it came in chunks, whose end this WSGI server does not tell. Use a server that sets "
    "`wsgi.input_terminated`, such as gunicorn, or a proxy that buffers requests"
)


def has_no_end(environ: Mapping[str, Any]) -> bool:
    """Whether the body comes in chunks, and the server does not say where they end."""
    return bool(environ.get("HTTP_TRANSFER_ENCODING")) and not environ.get("wsgi.input_terminated")
