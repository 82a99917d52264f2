from collections.abc import Sequence
from typing import Any, ClassVar, Literal, final

from typing_extensions import Self, disjoint_base

from hookproof._delivery import Item
from hookproof._outcome import Told
from hookproof.stores import ClaimAnswer

__all__ = [
    "ERRORS",
    "OPTIONS",
    "STORE_TEXTS",
    "VERSION",
    "Delivery",
    "Kernel",
    "MemoryStore",
    "Reception",
    "Scheme",
    "Verifier",
    "panic",
    "refuse",
    "sign",
]

ERRORS: dict[str, tuple[int, bool]]
OPTIONS: list[str]
STORE_TEXTS: dict[str, str]
VERSION: str

_Secret = tuple[bytes, str | None, int | None, int | None]
_Message = tuple[int, str | None, str | None, str, str | None, Sequence[tuple[str, str]]]
_Request = tuple[Any, Any, str | None, str | None]
_Command = (
    tuple[Literal["claim"], bytes, bytes, int, int]
    | tuple[Literal["run"], int, int, int]
    | tuple[Literal["complete"], int]
    | tuple[Literal["release"]]
    | tuple[Literal["answer"], int | None, list[tuple[str, str]], str, Told]
)

def panic() -> None: ...
def refuse(scheme: str, code: str, message: str) -> _Command: ...
def sign(
    scheme: Scheme, given: _Secret, json: str, body: bytes, parts: _Message
) -> tuple[list[tuple[str, str]], str | None, str]: ...

@disjoint_base
class Scheme:
    def __new__(cls, source: str, format: str) -> Self: ...
    @staticmethod
    def names() -> list[str]: ...
    def facts(self) -> tuple[list[str], list[str], list[str]]: ...

@disjoint_base
class Verifier:
    def __new__(cls, scheme: Scheme, secrets: Sequence[_Secret], json: str) -> Self: ...
    def verify(
        self, body: Any, headers: Any, *, method: str | None = None, url: str | None = None, now: int | None = None
    ) -> Delivery: ...
    def check(self, headers: Any, method: str | None, url: str | None) -> None: ...
    def facts(self) -> tuple[int, int, list[str], list[str]]: ...

@final
class Delivery:
    @property
    def provider(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def event_type(self) -> str | None: ...
    @property
    def timestamp(self) -> int | None: ...
    @property
    def secret_name(self) -> str | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def signed(self) -> bytes | None: ...
    def key(self, scope: str = "") -> bytes | None: ...
    def json(self, *, unsigned: bool = False) -> Any: ...
    def items(self, scope: str = "") -> list[Item]: ...
    def to_message(self) -> dict[str, Any]: ...

@final
class Kernel:
    def __new__(cls, verifier: Verifier, deduplicates: bool) -> Self: ...
    @property
    def warnings(self) -> list[str]: ...
    def begin(
        self, request: _Request, now: int, scope: str, token: bytes
    ) -> tuple[_Command, Delivery | None, Reception | None]: ...

@final
class Reception:
    def step(self, word: str, value: Any = None) -> _Command: ...

@final
class MemoryStore:
    blocking: ClassVar[bool]
    def __new__(cls, capacity: int = ..., *, scope: str = ...) -> Self: ...
    @property
    def scope(self) -> str: ...
    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> ClaimAnswer: ...
    def complete(self, key: bytes, token: bytes, retention_ms: int) -> bool: ...
    def release(self, key: bytes, token: bytes) -> bool: ...
    def extend(self, key: bytes, token: bytes, lease_ms: int) -> bool: ...
    def forget(self, key: bytes) -> bool: ...
