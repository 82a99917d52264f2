"""For any input: a verdict or an error from the table, and never anything else."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hookproof import (
    ConfigurationError,
    Delivery,
    MemoryStore,
    Receiver,
    Scheme,
    Secret,
    Signer,
    VerificationError,
    Verifier,
)
from hookproof._engine import ERRORS, OPTIONS

Refusal = TypeVar("Refusal", VerificationError, ConfigurationError)
NOW = 1_700_000_000
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
KEYS = {"agentbot": "s3cret", "github": "s3cret", "standard-webhooks": WHSEC, "slack": "s3cret", "stripe": "s3cret"}
VERIFIERS = {scheme: Verifier(scheme, secret) for scheme, secret in KEYS.items()}

text = st.text(st.characters(), max_size=60)
scalar = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    text,
    st.binary(max_size=60),
    st.just(object()),
    st.just("\udcff"),
)
anything = st.recursive(
    scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.tuples(inner, inner),
        st.dictionaries(st.one_of(text, scalar.filter(lambda key: key.__hash__ is not None)), inner, max_size=4),
    ),
    max_leaves=8,
)
NAMES = sorted({name for verifier in VERIFIERS.values() for name in verifier.header_names})
signature = st.one_of(
    text,
    st.from_regex(r"\At=[0-9]{0,14},v1=[0-9a-fA-F]{0,70}(,v[01]=[0-9a-f]{64})?\Z"),
    st.from_regex(r"\A(v1a?,[A-Za-z0-9+/=_-]{0,50}[ ]?){0,20}\Z"),
    st.from_regex(r"\A(sha256=|v0=)?[0-9a-f]{0,70}\Z"),
)
value = st.one_of(signature, st.binary(max_size=40), st.lists(signature, max_size=3), anything)
headers = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), value, max_size=6),
    st.lists(st.tuples(st.one_of(st.sampled_from(NAMES), text, anything), value), max_size=8),
    st.dictionaries(st.sampled_from([f"HTTP_{name.upper().replace('-', '_')}" for name in NAMES]), value).map(
        lambda environ: {"REQUEST_METHOD": "POST", **environ}
    ),
    anything,
)
body = st.one_of(st.binary(max_size=200), text, st.binary(max_size=50).map(memoryview), anything)


def refusal(kind: type[Refusal], call: Callable[[], Any]) -> Refusal | None:
    """What a call says no with; anything else that it raises is let through, and fails the test."""
    try:
        call()
    except kind as error:
        return error
    return None


many = settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(st.sampled_from(sorted(VERIFIERS)), body, headers, anything, anything, anything)
def test_verify_says_no_in_its_own_words(scheme: str, body: Any, headers: Any, method: Any, url: Any, now: Any) -> None:
    verify = VERIFIERS[scheme].verify
    error = refusal(VerificationError, lambda: verify(body, headers, method=method, url=url, now=now))
    if error is not None:
        assert (error.status, False) == ERRORS[error.code]
        assert str(error).isprintable()
        assert len(str(error)) < 400


@many
@given(
    st.one_of(st.sampled_from(sorted(Scheme.names())), anything),
    anything,
    st.dictionaries(
        st.one_of(
            st.sampled_from(OPTIONS),
            text.filter(str.isidentifier).filter(lambda name: name not in ("scheme", "secret", "self", "cls")),
        ),
        st.one_of(anything, st.integers(-10, 100_000), st.sampled_from(["auto", "id", "https://example.com"])),
        max_size=3,
    ),
)
@pytest.mark.parametrize("make", [Verifier, lambda *parts, **options: Receiver(*parts, store=MemoryStore(), **options)])
def test_constructors_say_no_in_their_own_words(
    make: Callable[..., Any], scheme: Any, secret: Any, options: dict[str, Any]
) -> None:
    assume("store" not in options)
    error = refusal(ConfigurationError, lambda: make(scheme, secret, **options))
    if error is not None:
        assert ERRORS[error.code][1]
        assert not (isinstance(secret, str) and len(secret) > 8 and secret in str(error)) or scheme == secret


@many
@given(anything, anything, anything, anything)
def test_a_secret_is_none_or_one(material: Any, name: Any, before: Any, after: Any) -> None:
    made: list[Secret] = []
    given = {"name": name, "not_before": before, "not_after": after}
    error = refusal(ConfigurationError, lambda: made.append(Secret(material, **given)))
    assert ERRORS[error.code][1] if error else repr(made[0]) == "Secret([redacted])"


@many
@given(st.sampled_from(sorted(KEYS)), st.binary(max_size=300), st.from_regex(r"\Amsg_[A-Za-z0-9]{1,40}\Z"))
def test_what_is_signed_verifies(scheme: str, body: bytes, id: str) -> None:
    sent = Signer(scheme, KEYS[scheme]).sign(body, id=id, timestamp=NOW).headers
    verify = VERIFIERS[scheme].verify
    delivery = verify(body, sent, now=NOW)
    assert delivery.body == body
    turned: Any = [(name.swapcase(), f" \t{value} ") for name, value in reversed(sent.items())]
    again = verify(bytearray(body), turned, now=NOW)
    assert facts(again) == facts(delivery)


def facts(delivery: Delivery) -> tuple[Any, ...]:
    return delivery.id, delivery.event_type, delivery.timestamp, delivery.key(), delivery.body


@many
@given(st.sampled_from(sorted(KEYS)), st.binary(min_size=1, max_size=100), st.data())
def test_a_flipped_bit_is_refused(scheme: str, body: bytes, data: st.DataObject) -> None:
    sent = Signer(scheme, KEYS[scheme]).sign(body, id="msg_1", timestamp=NOW).headers
    flipped = bytearray(body)
    flipped[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(VerificationError) as raised:
        VERIFIERS[scheme].verify(bytes(flipped), sent, now=NOW)
    assert raised.value.code == "signature_mismatch"


@many
@given(st.binary(min_size=32, max_size=32))
def test_no_other_signature_verifies(mac: bytes) -> None:
    sent = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(NOW),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }
    with pytest.raises(VerificationError) as raised:
        VERIFIERS["standard-webhooks"].verify(b"{}", sent, now=NOW)
    assert raised.value.code == "signature_mismatch"


@many
@given(st.binary(max_size=400), st.booleans())
def test_json_is_json_or_body_malformed(body: bytes, unsigned: bool) -> None:
    delivery = VERIFIERS["github"].verify(body, Signer("github", "s3cret").sign(body).headers)
    error = refusal(VerificationError, lambda: delivery.json(unsigned=unsigned))
    assert error is None or error.code == "body_malformed"
    assert delivery.key() is not None
