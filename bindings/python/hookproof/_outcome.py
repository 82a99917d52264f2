"""What happened to one request, and who is told: the log, the user's hook, OpenTelemetry."""

from __future__ import annotations

import logging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from hookproof._engine import Reception

    Kind = Literal[
        "accepted", "duplicate", "in_flight", "refused", "failed", "lost_lease", "complete_failed", "handshake"
    ]
    Facts = tuple[tuple[Kind, int, str, str | None, str | None], str | None, str | None, str | None, str | None, int]


class Outcome:
    """What happened to one request. Holds neither a secret nor a body, so it may be logged and sent anywhere."""

    __slots__ = (
        "code",
        "duration_ms",
        "event_type",
        "fence",
        "id",
        "key_prefix",
        "kind",
        "message",
        "scheme",
        "secret_name",
        "status",
    )

    kind: Kind
    """accepted, duplicate, in_flight, refused, failed, lost_lease, complete_failed or handshake."""
    status: int
    """The HTTP status of the answer."""
    scheme: str
    code: str | None
    """Why it was refused: a code of `VerificationError`."""
    message: str | None
    """The same in words, for the developer."""
    id: str | None
    """The sender's delivery id, signed or not."""
    event_type: str | None
    key_prefix: str | None
    """The first 8 hex digits of the dedup key, enough to find it in a store."""
    secret_name: str | None
    """The name of the secret that matched: when the old one is no longer seen, it may go."""
    fence: int
    """The claim's fence; 0 without a claim."""
    duration_ms: float
    """From the request to the answer, the handler included."""

    def __init__(self, reception: Reception, duration_ms: float) -> None:
        verdict, self.id, self.event_type, self.key_prefix, self.secret_name, self.fence = reception.facts()
        self.kind, self.status, self.scheme, self.code, self.message = verdict
        self.duration_ms = duration_ms

    def __repr__(self) -> str:
        facts = ((name, getattr(self, name)) for name in self.__slots__)
        return f"Outcome({', '.join(f'{name}={value!r}' for name, value in facts if value is not None)})"


Outcome.__module__ = "hookproof"

logger = logging.getLogger("hookproof")


def warn(scheme: str, warning: str) -> None:
    """What a store in memory has to say: the engine calls this by name."""
    logger.warning("%s: %s", scheme, warning)


def log(outcome: Outcome, level: int) -> None:
    """One line for one outcome."""
    said = [outcome.kind if outcome.code is None else f"{outcome.kind} {outcome.code}", outcome.scheme]
    for label, value in (
        ("id", outcome.id),
        ("type", outcome.event_type),
        ("key", outcome.key_prefix),
        ("secret", outcome.secret_name),
    ):
        if value is not None:
            said.append(f"{label}={shown(value)}")
    said.append(f"status={outcome.status}")
    said.append(f"{outcome.duration_ms:.1f}ms")
    line = " ".join(said)
    logger.log(
        level,
        "%s",
        line if outcome.message is None else f"{line}: {outcome.message}",
        extra={"hookproof": outcome},
    )


def shown(value: str) -> str:
    """A value of the sender's, with nothing in it that could forge a line of the log."""
    text = value[:256]
    return text if text.isascii() and text.isprintable() and " " not in text else repr(text)


def meter(scheme: str) -> Callable[[Reception, float], None] | None:
    """Counts the outcomes of a scheme with OpenTelemetry, if `opentelemetry-api` is installed."""
    try:
        from opentelemetry import metrics, trace
    except ImportError:
        return None
    source = metrics.get_meter("hookproof")
    deliveries = source.create_counter(
        "hookproof.deliveries", unit="{delivery}", description="Webhook deliveries by outcome"
    )
    duration = source.create_histogram(
        "hookproof.duration", unit="ms", description="From the request to the answer, the handler included"
    )

    known: dict[tuple[str, str | None], dict[str, str]] = {}

    def labels(reception: Reception) -> dict[str, str]:
        made = {"hookproof.outcome": reception.kind, "hookproof.scheme": scheme}
        if reception.code is not None:
            made["hookproof.code"] = reception.code
        return made

    def record(reception: Reception, duration_ms: float) -> None:
        verdict = reception.kind, reception.code
        attributes = known.get(verdict) or known.setdefault(verdict, labels(reception))
        deliveries.add(1, attributes)
        duration.record(duration_ms, attributes)
        span = trace.get_current_span()
        if span.is_recording():
            outcome = Outcome(reception, duration_ms)
            found = (("id", outcome.id), ("event_type", outcome.event_type), ("key_prefix", outcome.key_prefix))
            named = {f"hookproof.{name}": value for name, value in found if value is not None}
            span.set_attributes({**attributes, **named})

    return record
