"""Webhooks of four providers in Flask: what `make demo` sends to, and a start for your own.

gunicorn --threads 8 app:app
"""

import hashlib
import os
from collections import Counter
from threading import Lock

from flask import Flask, jsonify

from hookproof import Delivery, MemoryStore, Receiver, Secret
from hookproof.flask import receive

app = Flask(__name__)
effects: Counter[str] = Counter()
failed: set[str] = set()
lock = Lock()


def secrets(provider: str) -> list[Secret]:
    """The secret in use, and the old one while it is rotated out."""
    name = f"HOOKPROOF_DEMO_{provider.upper().replace('-', '_')}"
    old = os.environ.get(f"{name}_OLD_SECRET")
    return [Secret(os.environ[f"{name}_SECRET"], name="current")] + ([Secret(old, name="old")] if old else [])


def on_delivery(delivery: Delivery) -> None:
    event = f"{delivery.provider}:{delivery.id or hashlib.sha256(delivery.body).hexdigest()}"
    with lock:
        if b'"hookproof_demo":"fail-once"' in delivery.body and event not in failed:
            failed.add(event)
            raise RuntimeError("asked to fail once")
        effects[event] += 1


for provider in ("get-a-team", "my-gpt-assistants", "agentbot", "standard-webhooks"):
    receiver = Receiver(provider, secrets(provider), store=MemoryStore())
    app.add_url_rule(f"/webhooks/{provider}", provider, receive(receiver, on_delivery), methods=["POST"])


@app.get("/effects")
def show_effects():
    with lock:
        return jsonify(effects)
