"""The demo is a test, and it must be able to fail."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from demo import PROGRAM

from receivers import ROOT, fresh_secrets, started


def play(environment: dict[str, str], urls: dict[str, str]) -> subprocess.CompletedProcess[str]:
    receivers = [part for name, url in urls.items() for part in ("--receiver", f"{name}={url}")]
    return subprocess.run(
        [PROGRAM, "demo", *receivers, "--plain"],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_flask_express_and_the_worker_agree_with_what_is_expected() -> None:
    environment = fresh_secrets()
    with started(environment) as urls:
        done = play(environment, urls)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\x1b" not in done.stdout, "--plain has no colours"
    for secret in environment.values():
        assert secret not in done.stdout + done.stderr


class Believer(BaseHTTPRequestHandler):
    """Takes everything, every time."""

    def do_GET(self) -> None:
        self.answer(b"{}")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"")

    def answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is the demo's."""


@pytest.fixture
def believer() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Believer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_receiver_that_takes_everything_is_caught(believer: str) -> None:
    done = play(fresh_secrets(), {"believer": believer})
    assert done.returncode == 1, done.stdout + done.stderr


def test_a_receiver_with_other_secrets_is_caught() -> None:
    with started(fresh_secrets()) as urls:
        done = play(fresh_secrets(), urls)
    assert done.returncode == 1, done.stdout + done.stderr
