"""What an ASGI scope says of a request, for the adapters that have one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


def url(scope: Mapping[str, Any]) -> str:
    """The address that was requested, as it was written: some providers sign it byte for byte."""
    raw = scope.get("raw_path")
    target = raw.decode("latin-1") if raw else quote(scope["path"], safe="/!$&'()*+,;=:@~-._")
    query = scope.get("query_string", b"")
    if query and "?" not in target:
        target = f"{target}?{query.decode('latin-1')}"
    host = header(scope, b"host")
    if host is None:
        name, port = scope.get("server") or ("", None)
        host = name if port is None else f"{name}:{port}"
    return f"{scope.get('scheme', 'http')}://{host}{target}"


def header(scope: Mapping[str, Any], wanted: bytes) -> str | None:
    """The value of a header, whose name is in lower case."""
    for name, value in scope["headers"]:
        if name.lower() == wanted:
            text: str = value.decode("latin-1")
            return text
    return None


def content_length(scope: Mapping[str, Any]) -> int | None:
    """The announced length of the body; `None` where it comes in chunks or is not announced."""
    text = header(scope, b"content-length") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
