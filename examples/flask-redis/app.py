"""Deliveries of Agentbot in Flask, remembered in Redis, so that any number of machines may receive them.

AGENTBOT_SECRET=... REDIS_URL=redis://localhost gunicorn --workers 4 --threads 8 app:app
"""

import os

import redis
from flask import Flask, jsonify

from hookproof import Delivery, Receiver, Secret
from hookproof.flask import receive
from hookproof.stores.redis import RedisStore

# Without a timeout a server that hangs would hold the request, instead of having it sent again.
client = redis.Redis.from_url(os.environ["REDIS_URL"], socket_timeout=1, decode_responses=True)

# While a secret is rotated out, deliveries under the old one count, too. The log says which one matched.
secrets = [Secret(os.environ["AGENTBOT_SECRET"], name="current")]
if "AGENTBOT_OLD_SECRET" in os.environ:
    secrets.append(Secret(os.environ["AGENTBOT_OLD_SECRET"], name="old"))

receiver = Receiver("agentbot", secrets, store=RedisStore(client, scope="support"))
app = Flask(__name__)


@app.post("/webhooks/agentbot")
@receive(receiver)
def on_delivery(delivery: Delivery) -> None:
    event = delivery.json()
    if delivery.event_type == "message.created":
        client.hincrby("messages", event["data"]["conversation_id"], 1)


@app.get("/messages")
def messages():
    return jsonify(client.hgetall("messages"))
