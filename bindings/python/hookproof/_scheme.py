"""Schemes and secrets, as users write them."""

from __future__ import annotations

from hookproof import _engine
from hookproof._errors import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeAlias

    Material: TypeAlias = "str | bytes | Secret"
    Secrets: TypeAlias = "Material | Sequence[Material]"
    SchemeSource: TypeAlias = "str | Scheme | Mapping[str, Any]"


class Scheme(_engine.Scheme):
    """How one provider signs: the id of a built-in scheme, or your own as a dict or a file.

    Raises `ConfigurationError` with `scheme_unknown`, which names the closest id, or `scheme_invalid`, which names the
    field, its value and what is allowed.

    >>> Scheme("agentbot").title
    'Agentbot'
    >>> Scheme({"id": "acme", "signature": {"algorithm": "hmac-sha256", "header": "X-Acme"}}).coverage
    'body'
    """

    __slots__ = ()

    def __new__(cls, source: SchemeSource) -> Scheme:
        if isinstance(source, str):
            return super().__new__(cls, _encodable(source), "name")
        if isinstance(source, _engine.Scheme):
            return source
        if not hasattr(source, "items"):
            kind = type(source).__name__
            raise ConfigurationError(
                f"a scheme is a `{kind}`: an id, a dict or a `Scheme` is expected", "scheme_invalid"
            )
        return super().__new__(cls, to_json(source, "scheme_invalid"), "json")

    @staticmethod
    def names() -> list[str]:
        """The ids of all built-in schemes, in alphabetical order."""
        return list(_engine.SCHEMES)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Scheme:
        """The scheme in a TOML file, or in a JSON file whose name ends so."""
        from os import fspath

        place = fspath(path)
        try:
            with open(place, encoding="utf-8") as file:
                text = file.read()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{place}: the file is not UTF-8", "scheme_invalid") from None
        try:
            return super().__new__(cls, text, "json" if place.endswith(".json") else "toml")
        except ConfigurationError as error:
            raise ConfigurationError(f"{place}: {error}", error.code) from None

    @property
    def id(self) -> str:
        """The id: part of every dedup key."""
        return self.facts()[0][0]

    @property
    def title(self) -> str:
        """The provider's name."""
        return self.facts()[0][1]

    @property
    def docs(self) -> str:
        """Where the format comes from: a URL, or a document's name."""
        return self.facts()[0][2]

    @property
    def note(self) -> str:
        """One sentence that a user should know; may be empty."""
        return self.facts()[0][3]

    @property
    def evidence(self) -> str:
        """Where its vectors come from: `published`, `third-party`, `computed`, `none`."""
        return self.facts()[0][4]

    @property
    def coverage(self) -> str:
        """What the signature covers: `body`, `partial` or `none`."""
        return self.facts()[0][5]

    @property
    def exposure(self) -> list[str]:
        """What somebody who captured one request could still change, one sentence each."""
        return self.facts()[1]

    @property
    def handshake_methods(self) -> list[str]:
        """The HTTP methods with which the provider asks an endpoint to prove itself."""
        return self.facts()[2]

    def __repr__(self) -> str:
        return f"Scheme({self.id!r})"


class Secret:
    """Key material, with an optional name and window of validity in Unix seconds, both ends inclusive.

    >>> Secret("s3cret", name="2026-11", not_after=1_800_000_000)
    Secret([redacted])
    """

    __slots__ = ("_material", "name", "not_after", "not_before")

    def __init__(
        self,
        material: str | bytes,
        *,
        name: str | None = None,
        not_before: int | None = None,
        not_after: int | None = None,
    ) -> None:
        self._material = _material(material)
        for what, second in (("not_before", not_before), ("not_after", not_after)):
            if second is not None and (type(second) is not int or abs(second) >= 1 << 62):
                raise ConfigurationError(f"`{what}` of a secret is not whole Unix seconds", "option_invalid")
        if name is not None and not isinstance(name, str):
            raise ConfigurationError("`name` of a secret is not text", "option_invalid")
        self.name = None if name is None else _encodable(name)
        """What `Delivery.secret_name` and `Outcome.secret_name` report."""
        self.not_before = not_before
        self.not_after = not_after

    def __repr__(self) -> str:
        return "Secret([redacted])"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: it would leave its material somewhere else")


def engine_secrets(given: Any) -> list[tuple[bytes, str | None, int | None, int | None]]:
    """One secret or several, as the engine takes them."""
    return [engine_secret(one) for one in (given if isinstance(given, list | tuple) else (given,))]


def engine_secret(given: Any) -> tuple[bytes, str | None, int | None, int | None]:
    """One secret, as the engine takes it."""
    if isinstance(given, Secret):
        return given._material, given.name, given.not_before, given.not_after
    return _material(given), None, None, None


def _material(given: Any) -> bytes:
    if given is None:
        raise ConfigurationError("a secret is `None`: is its environment variable set?", "secret_missing")
    if isinstance(given, str):
        try:
            return given.encode()
        except UnicodeEncodeError:
            raise ConfigurationError("a secret is text that has no UTF-8", "secret_malformed") from None
    if isinstance(given, bytes | bytearray):
        return bytes(given)
    kind = type(given).__name__
    raise ConfigurationError(f"a secret is a `{kind}`: text or bytes are expected", "secret_malformed")


def to_json(structure: Mapping[str, Any], code: str) -> str:
    """A structure as the core reads it."""
    # Imported late: `import hookproof` should not pay for it.
    from json import dumps

    fields = []
    name = ""
    try:
        # Field by field, so that an error names the one that is wrong.
        for name, value in structure.items():
            fields.append(f"{dumps(str(name))}:{dumps(value, allow_nan=False, default=_plain)}")
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"`{name}` holds what has no place there: {error}", code) from None
    return f"{{{','.join(fields)}}}"


def _plain(value: Any) -> Any:
    """Mappings and sequences of other kinds; whatever else has no place in a scheme or an option."""
    if hasattr(value, "keys"):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"a `{type(value).__name__}`")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


Scheme.__module__ = Secret.__module__ = "hookproof"
