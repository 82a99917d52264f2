"""Bodies and headers of the rarer kinds, as what the engine reads: it calls these by name, for what it does not know.

Dicts, a WSGI environ included, lists of pairs of text, and bytes never come here.
"""

from __future__ import annotations

from hookproof._errors import VerificationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def plain(headers: Any) -> dict[str, Any] | list[tuple[Any, Any]]:
    """Headers as a WSGI environ, or as a list of names and values, each read once."""
    try:
        # werkzeug's headers of a request are a view of the environ, which is quicker to read
        environ = getattr(headers, "environ", headers)
        if isinstance(environ, dict) and "REQUEST_METHOD" in environ:
            return environ if type(environ) is dict else dict(environ)
        if hasattr(headers, "items"):
            found = headers.items()
        elif isinstance(headers, list | tuple):
            found = headers
        else:
            _unsupported(f"the headers are a `{_kind(headers)}`: pass a mapping, a list of pairs or a WSGI environ")
        return [(name.decode("latin-1") if isinstance(name, bytes) else name, value) for name, value in found]
    except VerificationError:
        raise
    except Exception as error:
        # A mapping of the caller's own failed: its exception is not ours to let out of a verification.
        _unsupported(f"the headers could not be read: reading them raised `{_kind(error)}`")


def name(given: Any) -> NoReturn:
    """What is said of a header's name that is no text."""
    _unsupported(f"the name of a header is a `{_kind(given)}`: text is expected")


def value(given: Any) -> str | None:
    """A header's value as text; several lines are joined as HTTP joins them, `None` is absent."""
    if given is None:
        return None
    if isinstance(given, list | tuple):
        lines = [line for line in map(_line, given) if line is not None]
        return ", ".join(lines) if lines else None
    return _line(given)


def _line(given: Any) -> str | None:
    if isinstance(given, str):
        # A lone surrogate stands for a byte that is not ASCII, which is all that the core needs to know of it.
        return given if given.isascii() else given.encode("utf-8", "surrogatepass").decode("latin-1")
    if isinstance(given, bytes):
        return given.decode("latin-1")
    if given is None:
        return None
    _unsupported(f"the value of a header is a `{_kind(given)}`: text is expected, as it came over the wire")


def body(given: Any) -> bytes:
    """A body as immutable bytes, copied once; text as its UTF-8."""
    if isinstance(given, bytearray):
        return bytes(given)
    if isinstance(given, str):
        try:
            return given.encode()
        except UnicodeEncodeError:
            _not_raw("text that has no UTF-8: pass the bytes of the request")
    try:
        view = memoryview(given)
        if view.itemsize == 1:
            return view.tobytes()
    except (TypeError, ValueError, BufferError):
        if isinstance(given, memoryview):
            _not_raw("a memoryview that was released")
    _not_raw(
        f"a `{_kind(given)}`: pass the bytes as they came, before anything parses them: `request.get_data()` in Flask, "
        "`await request.body()` in FastAPI, `request.body` in Django"
    )


def too_large(limit: int) -> VerificationError:
    """What is said of a body that is over the limit, wherever that is found out."""
    return VerificationError(f"the body is over the limit of {limit} bytes (`max_body`)", "body_too_large", 413)


def text(given: Any) -> NoReturn:
    """What is said of a method or a URL that is no text."""
    _incomplete(f"the method or the URL is a `{_kind(given)}`: pass the text that was requested")


def seconds(given: Any) -> NoReturn:
    """What is said of a time that is no whole number."""
    _incomplete("`now` is not whole Unix seconds, as `int(time.time())` gives them")


def _kind(given: Any) -> str:
    return type(given).__name__


def _unsupported(message: str) -> NoReturn:
    raise VerificationError(message, "headers_unsupported", 500)


def _not_raw(what: str) -> NoReturn:
    raise VerificationError(f"the body is {what}", "body_not_raw", 500)


def _incomplete(message: str) -> NoReturn:
    raise VerificationError(message, "request_incomplete", 500)
