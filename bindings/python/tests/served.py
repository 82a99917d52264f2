"""The applications that `test_servers.py` serves: each writes a line to a file for every delivery that it handles."""

from __future__ import annotations

import os
import time
from typing import Any

from sending import PROVIDER, SECRET

from hookproof import Delivery, Receiver, SQLiteStore

FOLDER = os.environ["HOOKPROOF_TEST_FOLDER"]


def receiver() -> Receiver:
    return Receiver(PROVIDER, SECRET, store=SQLiteStore(f"{FOLDER}/deliveries.db", scope="test"), lease=5)


def effect(delivery: Delivery) -> None:
    time.sleep(0.05)
    with open(f"{FOLDER}/effects", "a", encoding="ascii") as file:
        file.write(f"{delivery.id} {len(delivery.body)}\n")


def flask_app() -> Any:
    from flask import Flask, request

    from hookproof.flask import receive

    app = Flask(__name__)

    @app.post("/hook")
    @receive(receiver())
    def on_delivery(delivery: Delivery) -> str:
        effect(delivery)
        assert request.get_data() == delivery.body
        return "taken"

    @app.get("/ready")
    def ready() -> str:
        return "ready"

    return app


def fastapi_app() -> Any:
    from fastapi import FastAPI

    from hookproof.fastapi import receive

    app = FastAPI()

    @app.post("/hook")
    @receive(receiver())
    def on_delivery(delivery: Delivery) -> str:
        effect(delivery)
        return "taken"

    @app.get("/ready")
    async def ready() -> str:
        return "ready"

    return app


def _django() -> None:
    import django
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    from hookproof.django import receive

    settings.configure(ROOT_URLCONF="served", SECRET_KEY="of the tests", ALLOWED_HOSTS=["*"])
    django.setup()

    @receive(receiver())
    def on_delivery(request: HttpRequest, delivery: Delivery) -> HttpResponse:
        effect(delivery)
        return HttpResponse("taken")

    globals()["urlpatterns"] = [path("hook", on_delivery), path("ready", lambda request: HttpResponse("ready"))]


def django_wsgi() -> Any:
    _django()
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def django_asgi() -> Any:
    _django()
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


def wsgi_app() -> Any:
    from hookproof.wsgi import receive

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("content-type", "text/plain")])
        if environ["PATH_INFO"] == "/ready":
            return [b"ready"]
        effect(environ["hookproof.delivery"])
        return [b"taken"]

    return receive(receiver(), app, path="/hook")
