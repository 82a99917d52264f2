"""The sample of 003_753f4f2622d1a992.txt as it stands there, line breaks restored; the secret is ours."""

import hashlib
import hmac
import os

from flask import Flask, request

app = Flask(__name__)
WEBHOOK_SECRET = os.environ["HOOKPROOF_SECRET"]

# fmt: off


def verify_webhook(payload: bytes, signature: str, secret: str) -> bool:
    expected = hmac.new(
        secret.encode(),
        payload,
        hashlib.sha256
    ).hexdigest()

    return hmac.compare_digest(f"sha256={expected}", signature)


@app.route('/webhook', methods=['POST'])
def handle_webhook():
    signature = request.headers.get('X-MGA-Signature')
    payload = request.get_data()

    if not verify_webhook(payload, signature, WEBHOOK_SECRET):
        return 'Invalid signature', 401

    event = request.json
    print(f"Received {event['type']}")

    return 'OK', 200
