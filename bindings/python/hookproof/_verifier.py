"""The verifier and the signer, with the arguments that users write."""

from __future__ import annotations

from time import time

from hookproof import _engine
from hookproof._input import body, plain, too_large
from hookproof._scheme import Scheme, engine_secret, engine_secrets, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, TypedDict

    from typing_extensions import Unpack

    from hookproof._engine import Delivery
    from hookproof._scheme import Material, SchemeSource, Secrets

    class VerifierOptions(TypedDict, total=False):
        """The options of a `Verifier`; what they mean is written there."""

        tolerance: int
        max_body: int
        public_url: str
        config: Mapping[str, str]
        allow_legacy: bool
        identity: Literal["auto", "id", "body"]
        events: Sequence[str]
        explain_failures: bool


class Verifier(_engine.Verifier):
    """A scheme with its secrets: decides whether a request is authentic and fresh. Immutable, for any thread.

    `scheme` is the id of a built-in scheme, a `Scheme`, or your own scheme as a dict; `secret` is text, bytes, a
    `Secret`, or a list of them, any of which may match. The options are those of `Receiver` that are about
    verification. Raises `ConfigurationError`.

    >>> verifier = Verifier("github", "It's a Secret to Everybody")
    >>> signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    >>> delivery = verifier.verify(b"Hello, World!", {"X-Hub-Signature-256": signature})
    >>> delivery.body
    b'Hello, World!'

    Where a request does not verify, `explain` says why, as far as it can be found out:

    >>> verifier = Verifier("github", "It's a Secret to Everybody", explain_failures=True)
    >>> why = verifier.explain(b"Hello, World!\\n", {"X-Hub-Signature-256": signature})
    >>> why.cause, why.confidence
    ('body_newline', 'certain')
    """

    __slots__ = ("header_names", "max_body", "scheme", "tolerance", "warnings")

    scheme: Scheme
    max_body: int
    """The most bytes that a body may have."""
    tolerance: int
    """How far a signed time may be from now, in seconds."""
    header_names: list[str]
    """The headers that are read, in lower case."""
    warnings: list[str]
    """What you should know of the secrets, such as quotes around one."""

    def __new__(cls, scheme: SchemeSource, secret: Secrets, **options: Unpack[VerifierOptions]) -> Verifier:
        found = Scheme(scheme)
        json = to_json(options, "option_invalid") if options else "{}"
        self = super().__new__(cls, found, engine_secrets(secret), json)
        self.scheme = found
        self.max_body, self.tolerance, self.header_names, self.warnings = self.facts()
        return self

    def start(self, headers: Any, *, method: str | None = None, url: str | None = None) -> Stream:
        """Starts a verification whose body arrives in pieces. Header errors come now, before any of it is read."""
        kept = plain(headers) if not isinstance(headers, dict) else dict(headers)
        self.check(kept, method, url)
        return Stream(self, kept, method, url)

    def __repr__(self) -> str:
        return f"<Verifier {self.scheme.id}>"


class Stream:
    """A verification whose body arrives in pieces.

    >>> stream = Verifier("github", "It's a Secret to Everybody").start(
    ...     {"X-Hub-Signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}
    ... )
    >>> stream.update(b"Hello, ")
    >>> stream.update(b"World!")
    >>> stream.finish().body
    b'Hello, World!'
    """

    __slots__ = ("_chunks", "_head", "_left", "_verifier")

    def __init__(self, verifier: Verifier, headers: Any, method: str | None, url: str | None) -> None:
        self._verifier = verifier
        self._head = headers, method, url
        self._chunks: list[bytes] = []
        self._left = verifier.max_body

    def update(self, chunk: Any) -> None:
        """Takes the next piece. Raises `VerificationError` as soon as the limit is passed: stop reading there."""
        piece = chunk if isinstance(chunk, bytes) else body(chunk)
        self._left -= len(piece)
        if self._left < 0:
            raise too_large(self._verifier.max_body)
        self._chunks.append(piece)

    def finish(self, *, now: int | None = None) -> Delivery:
        """Judges the request, as `Verifier.verify` does."""
        headers, method, url = self._head
        return self._verifier.verify(b"".join(self._chunks), headers, method=method, url=url, now=now)


class Signed:
    """What a signer adds to a request."""

    __slots__ = ("headers", "signature", "url")

    def __init__(self, headers: dict[str, str], url: str | None, signature: str) -> None:
        self.headers = headers
        """In the provider's own case: the signature's first."""
        self.url = url
        """The URL to call, where the signature or a token stands in it."""
        self.signature = signature
        """By itself: where a scheme carries it in the body, you put it there."""


class Signer:
    """The inverse of a `Verifier`: signs as the provider does, for senders and for tests.

    >>> signed = Signer("get-a-team", "s3cret").sign(b"{}")
    >>> list(signed.headers)
    ['X-Webhook-Signature']
    """

    __slots__ = ("_options", "_secret", "scheme")

    def __init__(self, scheme: SchemeSource, secret: Material, **options: Unpack[VerifierOptions]) -> None:
        self.scheme = Scheme(scheme)
        self._secret = engine_secret(secret)
        self._options = to_json(options, "option_invalid") if options else "{}"

    def sign(
        self,
        body: bytes | str,
        *,
        timestamp: int | None = None,
        id: str | None = None,
        event_type: str | None = None,
        method: str = "POST",
        url: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Signed:
        """Signs a body, sent at `timestamp` (Unix seconds; now). Raises `VerificationError` if something is missing."""
        content = body.encode() if isinstance(body, str) else bytes(body)
        now = int(time()) if timestamp is None else timestamp
        further: list[Any] = list(headers.items()) if headers else []
        parts = now, id, event_type, method, url, further
        signed = _engine.sign(self.scheme, self._secret, self._options, content, parts)
        return Signed(dict(signed[0]), signed[1], signed[2])

    def __repr__(self) -> str:
        return f"<Signer {self.scheme.id}>"


Verifier.__module__ = Stream.__module__ = Signed.__module__ = Signer.__module__ = "hookproof"
