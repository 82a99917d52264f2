"""What the engine makes of Python's own objects for a delivery: it calls these by name."""

from __future__ import annotations

import json

from hookproof._errors import VerificationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hookproof._engine import Delivery


class Item:
    """One event of a batch, with a key of its own."""

    __slots__ = ("_text", "id", "key")

    def __init__(self, key: bytes | None, id: str | None, text: str) -> None:
        self.id = id
        """The event's own id, where the provider gives one."""
        self.key = key
        """Its dedup key, in the scope that was asked for; `None` where it has no id."""
        self._text = text

    def json(self) -> Any:
        """The event itself."""
        return parsed(self._text)

    def __repr__(self) -> str:
        return f"<Item id={self.id!r}>"


Item.__module__ = "hookproof"


def parsed(text: str) -> Any:
    """JSON as Python's objects; the core has looked at what is a whole body, but not at its numbers."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or a number of thousands of digits
        raise VerificationError("the body is not JSON that Python reads", "body_malformed", 400) from None


def items(found: Iterable[tuple[bytes | None, str | None, str]]) -> list[Item]:
    return [Item(*parts) for parts in found]


def shown(delivery: Delivery) -> str:
    return f"<Delivery {delivery.provider} id={delivery.id} event_type={delivery.event_type}>"


def message(delivery: Delivery) -> dict[str, Any]:
    """A delivery as plain data, for a queue: the body as text, or in base64 where it is not UTF-8."""
    plain = {
        "provider": delivery.provider,
        "id": delivery.id,
        "event_type": delivery.event_type,
        "timestamp": delivery.timestamp,
    }
    try:
        return {**plain, "body": delivery.body.decode()}
    except UnicodeDecodeError:
        from base64 import b64encode

        return {**plain, "body_base64": b64encode(delivery.body).decode()}
