"""A Flask application on the shared Redis; what takes effect is a line in a file."""

from __future__ import annotations

import logging
import os

import flask
import redis
import werkzeug.serving

from hookproof import Delivery, Receiver
from hookproof.flask import receive
from hookproof.stores.redis import RedisStore

logging.getLogger("werkzeug").setLevel(logging.WARNING)
store = RedisStore(redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=5), scope="shared")
receiver = Receiver("standard-webhooks", os.environ["SECRET"], store=store)
effects = os.open(os.environ["EFFECTS"], os.O_WRONLY | os.O_APPEND)
app = flask.Flask(__name__)


@app.post("/")
@receive(receiver)
def on_delivery(delivery: Delivery) -> None:
    os.write(effects, f"flask {delivery.id}\n".encode())


if __name__ == "__main__":
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()
