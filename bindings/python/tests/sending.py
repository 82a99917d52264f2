"""What the tests send: deliveries of Agentbot, which signs its body and the time, and no id."""

from __future__ import annotations

import json
from typing import Any

from hookproof import Signer

PROVIDER = "agentbot"
SECRET = "canary-7f3a9c-secret"
BODY = b'{"event":"message.created","data":{"n":1}}'


def headers(body: bytes = BODY, *, secret: str = SECRET, **parts: Any) -> dict[str, str]:
    parts.setdefault("id", "dlv_1")
    return {"content-type": "application/json", **Signer(PROVIDER, secret).sign(body, **parts).headers}


def event(n: int) -> bytes:
    return json.dumps({"event": "message.created", "data": {"n": n}}, separators=(",", ":")).encode()
