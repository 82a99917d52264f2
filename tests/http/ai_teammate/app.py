"""The receiving half of AI Teammate in Flask: two tokens, either of which may call."""

import os

from flask import Flask

from hookproof import Delivery, Receiver, Secret
from hookproof.flask import receive

app = Flask(__name__)
tokens = [Secret(token) for token in os.environ["TOKENS"].split(",")]
receiver = Receiver("ai-teammate", tokens, store=None)


@app.post("/api/webhook/<token>")
@receive(receiver)
def on_message(delivery: Delivery, token: str) -> dict[str, object]:
    message = delivery.json()["message"]
    return {"response": f"You said: {message}", "conversation_id": "conv_1", "credits_used": 1}
