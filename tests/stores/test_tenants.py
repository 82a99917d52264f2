"""A tenant's key is the same in Python and in JavaScript, so that applications in both may share one store."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import flask
import pytest

from hookproof import Delivery, Receiver, Signer, Verifier
from hookproof.flask import receive

ROOT = Path(__file__).resolve().parents[2]
SECRET = "whsec_c2hhcmVkIHNoYXJlZCBzaGFyZWQgc2hhcmVkIHM="
BODY = b'{"type":"order.paid"}'

JAVASCRIPT = """
import { readFileSync } from "node:fs";
import { Receiver } from "hookproof";
import { receive } from "hookproof/fetch";
const { secret, tenant, body, headers } = JSON.parse(readFileSync(0, "utf8"));
const claim = (key) => {
  console.log(Buffer.from(key).toString("hex"));
  return { kind: "claimed", fence: 1 };
};
const store = { scope: "crm", claim, complete: () => true, release: () => true, extend: () => true, forget: () => true };
const receiver = new Receiver("standard-webhooks", () => ({ tenant, secret }), { store });
const answer = await receive(receiver, () => {})(new Request("https://example.com/", { method: "POST", headers, body }));
if (answer.status !== 200) throw new Error(`${answer.status}`);
"""


class Recording:
    """A store that remembers nothing but the keys that it was asked for."""

    scope = "crm"

    def __init__(self) -> None:
        self.keys: list[bytes] = []

    def claim(self, key: bytes, token: bytes, body_hash: bytes, lease_ms: int) -> tuple[str, int]:
        self.keys.append(bytes(key))
        return ("claimed", 1)

    def complete(self, *_: Any) -> bool:
        return True

    release = extend = forget = complete


@pytest.mark.parametrize("tenant", ["shop-1", "Käse & Co.", ""])
def test_a_tenants_key_is_the_same_in_both_languages(tenant: str) -> None:
    headers = Signer("standard-webhooks", SECRET).sign(BODY, id="msg_1").headers
    store = Recording()
    receiver = Receiver("standard-webhooks", lambda _request: (tenant, SECRET), store=store)
    app = flask.Flask(__name__)

    @app.post("/")
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> None:
        pass

    assert app.test_client().post("/", data=BODY, headers=headers).status_code == 200
    given = {"secret": SECRET, "tenant": tenant, "body": BODY.decode(), "headers": headers}
    command = ["node", "--input-type=module", "--eval", JAVASCRIPT]
    done = subprocess.run(command, input=json.dumps(given), cwd=ROOT, capture_output=True, text=True, check=True)
    scope = f"crm\n{tenant}" if tenant else "crm"
    key = Verifier("standard-webhooks", SECRET).verify(BODY, headers).key(scope)
    assert key is not None
    assert [store.keys[0].hex(), done.stdout.strip()] == [key.hex()] * 2
