"""One authentic Agentbot delivery, signed here with nothing but the standard library."""

from __future__ import annotations

import hashlib
import hmac
import json
import time

SECRET = "an agentbot secret of a test"
BODY = json.dumps({"event": "message.created", "text": "ü"}, ensure_ascii=False).encode()


def signed(body: bytes = BODY, *, at: int | None = None, id: str = "dlv_1") -> dict[str, str]:
    """Headers for a body; `at` is the signed time in Unix seconds."""
    at = int(time.time()) if at is None else at
    tag = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-Agentbot-Signature": f"t={at},v1={tag}",
        "X-Agentbot-Event": "message.created",
        "X-Agentbot-Delivery-Id": id,
    }
