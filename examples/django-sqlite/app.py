"""Deliveries of GitHub in Django, remembered in an SQLite file on the same machine. The whole project is this file.

GITHUB_SECRET=... gunicorn --workers 4 app:application
"""

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from hookproof import Delivery, Receiver, SQLiteStore
from hookproof.django import receive

DATA = Path(os.environ.get("DATA", "."))

settings.configure(
    SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", os.urandom(32).hex()),
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
    LOGGING={
        "version": 1,
        "handlers": {"console": {"class": "logging.StreamHandler"}},
        "loggers": {"hookproof": {"level": "INFO", "handlers": ["console"]}},
    },
)

receiver = Receiver(
    "github",
    os.environ["GITHUB_SECRET"],
    store=SQLiteStore(DATA / "deliveries.db", scope="ci"),
    # GitHub signs neither the event's name nor an id: only the names that are expected count towards the identity.
    events=["push", "pull_request"],
)


@receive(receiver)
def on_github(request: HttpRequest, delivery: Delivery) -> None:
    with (DATA / "events.log").open("a") as log:
        log.write(f"{delivery.event_type} {delivery.json()['repository']['full_name']}\n")


def events(request: HttpRequest) -> JsonResponse:
    log = DATA / "events.log"
    return JsonResponse(log.read_text().splitlines() if log.exists() else [], safe=False)


urlpatterns = [path("webhooks/github", on_github), path("events", events)]
application = get_wsgi_application()
