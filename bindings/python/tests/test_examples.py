"""The examples, as they stand: each is served as its first lines say, and receives what its provider sends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from hookproof import Signer

ROOT = Path(__file__).parents[3]
EXAMPLES = [ROOT / "examples" / name for name in ("flask", "flask-redis", "fastapi-postgres", "django-sqlite")]
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_an_example_is_short(folder: Path) -> None:
    assert len((folder / "app.py").read_text().splitlines()) < 60


@contextmanager
def database(kind: str) -> Iterator[str]:
    command = [ROOT / "tests/stores/serve", kind]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


@contextmanager
def served(name: str, command: list[str], log: Path, **environment: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                *command,
                *(["--bind", f"127.0.0.1:{port}"] if "gunicorn" in command else ["--port", str(port)]),
            ],
            cwd=ROOT / "examples" / name,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        for _ in range(200):
            assert process.poll() is None, log.read_text()
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def send(url: str, body: bytes, headers: dict[str, str]) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return json.load(answer)


def copies(url: str, body: bytes, headers: dict[str, str]) -> set[int]:
    with ThreadPoolExecutor(20) as pool:
        return set(pool.map(lambda _: send(url, body, headers), range(40)))


GUNICORN = ["gunicorn", "--no-control-socket", "--workers", "4", "--threads", "8"]


def test_flask_and_redis(tmp_path: Path) -> None:
    body = b'{"event":"message.created","data":{"conversation_id":"conv_1"}}'
    environment = {"AGENTBOT_SECRET": "new one", "AGENTBOT_OLD_SECRET": "old one"}
    command = [*GUNICORN, "app:app"]
    with (
        database("redis") as url,
        served("flask-redis", command, tmp_path / "log", REDIS_URL=url, **environment) as base,
    ):
        hook = f"{base}/webhooks/agentbot"
        assert copies(hook, body, Signer("agentbot", "new one").sign(body).headers) <= {200, 409}
        assert send(hook, body, Signer("agentbot", "old one").sign(body).headers) == 200
        assert send(hook, body, Signer("agentbot", "no one").sign(body).headers) == 401
        assert read(f"{base}/messages") == {"conv_1": "1"}


def test_fastapi_and_postgres(tmp_path: Path) -> None:
    body = b'{"type":"payment","data":{"account":"a","cents":250}}'
    with (
        database("postgres") as url,
        served(
            "fastapi-postgres", ["uvicorn", "app:app"], tmp_path / "log", DATABASE_URL=url, WEBHOOK_SECRET=WHSEC
        ) as base,
    ):
        hook = f"{base}/webhooks/payments"
        headers = Signer("standard-webhooks", WHSEC).sign(body, id="msg_1").headers
        assert copies(hook, body, headers) <= {200, 409}
        assert read(f"{base}/balances/a") == 250
        assert send(hook, body, Signer("standard-webhooks", WHSEC).sign(body, id="msg_2").headers) == 200
        assert read(f"{base}/balances/a") == 500


def test_django_and_sqlite(tmp_path: Path) -> None:
    body = b'{"repository":{"full_name":"octo/cat"}}'
    command = [*GUNICORN, "app:application"]
    with served("django-sqlite", command, tmp_path / "log", DATA=str(tmp_path), GITHUB_SECRET="s3cret") as base:
        hook = f"{base}/webhooks/github"
        for event in ("push", "pull_request"):
            headers = Signer("github", "s3cret").sign(body, id="a", event_type=event).headers
            assert copies(hook, body, headers) <= {200, 409}
            # a captured request under a new id is still the same
            assert send(hook, body, {**headers, "X-GitHub-Delivery": "b"}) == 200
        assert sorted(read(f"{base}/events")) == ["pull_request octo/cat", "push octo/cat"]
    assert "accepted github" in (tmp_path / "log").read_text()
