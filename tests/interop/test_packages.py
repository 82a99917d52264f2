"""hookproof and the packages that providers publish, in both directions."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
import standardwebhooks
import stripe
import svix
from conftest import Ask, sign, verifies

SECRETS = {
    "standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "stripe": "whsec_test_secret_do_not_use",
    "github": "It's a Secret to Everybody",
}
# the packages parse JSON after verifying, and take text: these are JSON in UTF-8
BODIES = [
    b"{}",
    b'{"type": "invoice.paid",  "amount": 1.0, "text": "1e2"}\n',
    '{"text":"\u00e9 \U0001f600 \u2028 \\/ \\u00e9"}'.encode(),
    b"[" + b'"x",' * 20_000 + b"1]",
]
ID = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"


def ours(provider: str, body: bytes, at: int) -> dict[str, str]:
    return sign(provider, SECRETS[provider], body, "--id", ID, "--timestamp", str(at))


@pytest.mark.parametrize("provider", list(SECRETS))
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_npm(node_packages: Ask, provider: str, body: bytes) -> None:
    secret, now = SECRETS[provider], int(time.time())
    question: dict[str, Any] = {"package": provider, "secret": secret, "body": body}
    signed = ours(provider, body, now)
    assert node_packages(do="verify", headers=signed, **question) == {"accepted": True}
    theirs = node_packages(do="sign", id=ID, timestamp=now, **question)["headers"]
    assert verifies(provider, secret, body, theirs)
    # and both refuse another body
    other = body + b" "
    assert not node_packages(do="verify", headers=signed, **{**question, "body": other})["accepted"]
    assert not verifies(provider, secret, other, theirs)


Accepts = Callable[[str, bytes, dict[str, str]], object]


def stripe_accepts(secret: str, body: bytes, headers: dict[str, str]) -> object:
    return stripe.WebhookSignature.verify_header(body.decode(), headers["stripe-signature"], secret, tolerance=300)


PYPI: dict[str, Accepts] = {
    "standard-webhooks": lambda secret, body, headers: standardwebhooks.Webhook(secret).verify(body, headers),
    "svix": lambda secret, body, headers: svix.Webhook(secret).verify(body, headers),
    "stripe": stripe_accepts,
}


@pytest.mark.parametrize("provider", list(PYPI))
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_pypi_accepts_ours(provider: str, body: bytes) -> None:
    signed = ours(provider, body, int(time.time()))
    PYPI[provider](SECRETS[provider], body, signed)
    with pytest.raises(Exception, match=r"(?i)no .*signature"):
        PYPI[provider](SECRETS[provider], body + b" ", signed)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_ours_accepts_pypi(body: bytes) -> None:
    now = datetime.now(timezone.utc)
    for provider, prefix, webhook in (
        ("standard-webhooks", "webhook", standardwebhooks.Webhook),
        ("svix", "svix", svix.Webhook),
    ):
        signature = webhook(SECRETS[provider]).sign(ID, now, body.decode())
        headers = {
            f"{prefix}-id": ID,
            f"{prefix}-timestamp": str(int(now.timestamp())),
            f"{prefix}-signature": signature,
        }
        assert verifies(provider, SECRETS[provider], body, headers)
        assert not verifies(provider, SECRETS[provider], body + b" ", headers)
    at = int(now.timestamp())
    signature = stripe.WebhookSignature._compute_signature(f"{at}.{body.decode()}", SECRETS["stripe"])
    assert verifies("stripe", SECRETS["stripe"], body, {"Stripe-Signature": f"t={at},v1={signature}"})
