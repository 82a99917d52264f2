"""Four Flask applications that do the same with one delivery: unverified, verified, received, and as it is done today."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, request

# A Flask application has OpenTelemetry only if somebody adds it, and then pays for that, too.
sys.modules["opentelemetry"] = None  # type: ignore[assignment]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def bare() -> Flask:
    app = Flask(__name__)

    @app.post("/hook")
    def hook() -> str:
        return str(len(request.get_data()))

    return app


def verified() -> Flask:
    from hookproof import Verifier

    app = Flask(__name__)
    verifier = Verifier("standard-webhooks", SECRET)

    @app.post("/hook")
    def hook() -> str:
        return str(len(verifier.verify(request.get_data(), request.environ).body))

    return app


def received() -> Flask:
    from hookproof import Delivery, MemoryStore, Receiver
    from hookproof.flask import receive

    app = Flask(__name__)

    @app.post("/hook")
    @receive(Receiver("standard-webhooks", SECRET, store=MemoryStore()))
    def hook(delivery: Delivery) -> str:
        return str(len(delivery.body))

    return app


def today() -> Any:
    import standardwebhooks

    app = Flask(__name__)
    webhook = standardwebhooks.Webhook(SECRET)

    @app.post("/hook")
    def hook() -> str:
        body = request.get_data()
        webhook.verify(body, dict(request.headers))
        return str(len(body))

    return app
