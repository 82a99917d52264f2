"""AI Teammate is the other way round: our client calls, and the SDK's token scheme answers, in three runtimes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo import PROGRAM

from receivers import free_port, stop

HERE = Path(__file__).resolve().parent / "ai_teammate"
COMMANDS = {
    "flask": [sys.executable, "-m", "gunicorn", "--no-control-socket", "--bind", "127.0.0.1:{port}", "app:app"],
    "express": ["node", "express.mjs"],
    "worker": ["node", "serve_worker.mjs"],
}


class Receiver:
    """One running receiver and the tokens that it knows."""

    def __init__(self, url: str, tokens: list[str]) -> None:
        self.url = url
        self.tokens = tokens

    def at(self, token: str) -> str:
        return f"{self.url}/api/webhook/{token}"

    def post(self, token: str, body: bytes) -> tuple[int, str | None]:
        """The status, and what `Retry-After` says."""
        request = urllib.request.Request(self.at(token), body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.headers["Retry-After"]
        except urllib.error.HTTPError as error:
            return error.code, error.headers["Retry-After"]


@pytest.fixture(scope="module", params=list(COMMANDS))
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    tokens = [f"whk_{secrets.token_urlsafe(18)}" for _ in range(2)]
    port = free_port()
    process = subprocess.Popen(
        [part.format(port=port) for part in COMMANDS[request.param]],
        cwd=HERE,
        env={**os.environ, "TOKENS": ",".join(tokens), "PORT": str(port)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        receiver = Receiver(f"http://127.0.0.1:{port}", tokens)
        deadline = time.monotonic() + 30
        while True:
            try:
                receiver.post("not-yet", b"{}")
                break
            except OSError:
                assert process.poll() is None, f"{request.param} ended with {process.returncode}"
                assert time.monotonic() < deadline, f"{request.param} does not answer"
                time.sleep(0.1)
        yield receiver
    finally:
        stop(process)


MESSAGE = b'{"message":"hi"}'


def test_unknown_tokens_are_not_found(receiver: Receiver) -> None:
    for token in ("whk_unknown", receiver.tokens[0][:-1], receiver.tokens[0] + "x", receiver.tokens[0].swapcase()):
        assert receiver.post(token, MESSAGE)[0] == 404


def test_a_call_without_a_message_is_400(receiver: Receiver) -> None:
    for body in (b"{}", b'{"text":"hi"}', b"not json", b""):
        assert receiver.post(receiver.tokens[0], body)[0] == 400


def test_either_token_may_call_and_the_eleventh_call_in_a_minute_waits(receiver: Receiver) -> None:
    first, second = receiver.tokens
    done = subprocess.run(
        [PROGRAM, "send", "--provider", "ai-teammate", receiver.at(first), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    attempt = json.loads(done.stdout)["deliveries"][0]["attempts"][0]
    assert json.loads(attempt["body"])["response"] == "You said: Summarize today's sales report"
    for token in receiver.tokens:
        assert token not in done.stdout + done.stderr
    for _ in range(9):
        assert receiver.post(first, MESSAGE)[0] == 200
    assert receiver.post(first, MESSAGE) == (429, "60")
    # the limit is each token's own
    assert receiver.post(second, MESSAGE)[0] == 200
