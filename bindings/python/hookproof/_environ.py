"""What a WSGI environ says of a request, for the adapters that have one."""

from __future__ import annotations

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


def content_length(environ: Mapping[str, Any]) -> int | None:
    """The announced length of the body; `None` where it comes in chunks or is not announced."""
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    text = environ.get("CONTENT_LENGTH") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
