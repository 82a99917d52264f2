"""Starts the receivers of examples/ on free ports of 127.0.0.1, with fresh secrets, and stops them."""

from __future__ import annotations

import base64
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOGS = ROOT / ".build/demo"
# workerd and gunicorn need a second or two; ten times that on a busy machine
READY_WITHIN_S = 30


def random_text() -> str:
    return secrets.token_hex(24)


def random_whsec() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


PROVIDERS = {
    "get-a-team": random_text,
    "my-gpt-assistants": random_text,
    "agentbot": random_text,
    "standard-webhooks": random_whsec,
}


def fresh_secrets() -> dict[str, str]:
    """The environment of one demo: a secret in use and one about to be rotated out, for each provider."""
    environment = {}
    for provider, draw in PROVIDERS.items():
        name = f"HOOKPROOF_DEMO_{provider.upper().replace('-', '_')}"
        environment[f"{name}_SECRET"] = draw()
        environment[f"{name}_OLD_SECRET"] = draw()
    return environment


@dataclass(frozen=True)
class Kind:
    """How one receiver is started; `{port}` stands for its port."""

    name: str
    command: list[str]
    folder: str = "."


KINDS = (
    Kind(
        "flask",
        [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            "127.0.0.1:{port}",
            "--workers",
            "1",
            "--threads",
            "32",
            "--no-control-socket",
            "--log-level",
            "warning",
            "app:app",
        ],
        "examples/flask",
    ),
    Kind("express", ["node", "examples/express/app.mjs"]),
    Kind("worker", ["node", "examples/worker/serve.mjs"]),
)


class ReceiverFailed(Exception):
    """A receiver that did not start: its name and the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends a receiver and what it started itself (gunicorn's workers, workerd): they are one process group."""
    signal_group(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(5)
    signal_group(process, signal.SIGKILL)
    process.wait()


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def wait_until_ready(kind: Kind, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/effects", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    why = f"exit code {process.returncode}" if process.poll() is not None else f"not ready after {READY_WITHIN_S} s"
    end = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
    raise ReceiverFailed(f"the {kind.name} receiver did not start ({why}), the end of {log.relative_to(ROOT)}:\n{end}")


@contextmanager
def started(environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Runs all receivers; gives the URL of each by its name, once all of them answer."""
    LOGS.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        running = []
        for kind in KINDS:
            port = free_port()
            url = f"http://127.0.0.1:{port}"
            log = LOGS / f"{kind.name}.log"
            output = stack.enter_context(log.open("wb"))
            process = subprocess.Popen(
                [part.format(port=port) for part in kind.command],
                cwd=ROOT / kind.folder,
                env={**os.environ, **environment, "HOST": "127.0.0.1", "PORT": str(port)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            stack.callback(stop, process)
            running.append((kind, url, process, log))
        for kind, url, process, log in running:
            wait_until_ready(kind, url, process, log)
        yield {kind.name: url for kind, url, _, _ in running}
