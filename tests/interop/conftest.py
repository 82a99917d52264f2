"""The program, and what the tests in this folder run beside it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "target/release/hookproof"
SECRET = "interop-secret-do-not-use"

Ask = Callable[..., dict[str, Any]]


def hookproof(*arguments: str, secret: str = SECRET, body: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs the program; a body goes in over standard input (`--body-file -`)."""
    environment = {**os.environ, "HOOKPROOF_SECRET": secret}
    return subprocess.run([PROGRAM, *arguments], env=environment, input=body, capture_output=True, check=False)


def sign(provider: str, secret: str, body: bytes, *arguments: str) -> dict[str, str]:
    done = hookproof("sign", provider, "--json", "--body-file", "-", *arguments, secret=secret, body=body)
    assert done.returncode == 0, done.stderr
    headers = json.loads(done.stdout)["headers"]
    return {name.lower(): value for name, value in headers.items()}


def verifies(provider: str, secret: str, body: bytes, headers: dict[str, str]) -> bool:
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    done = hookproof("verify", provider, "--body-file", "-", *given, secret=secret, body=body)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.fixture(scope="session")
def samples() -> Iterator[str]:
    """The documents' Node samples behind HTTP; gives their URL."""
    environment = {**os.environ, "HOOKPROOF_SECRET": SECRET}
    with subprocess.Popen(
        ["node", HERE / "documents/serve.mjs"], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.fixture(scope="session")
def node_packages() -> Iterator[Ask]:
    """Asks the npm packages to sign or to verify."""
    installed = HERE / "node_modules/.package-lock.json"
    assert installed.exists(), "the packages are not installed: npm ci --prefix tests/interop"
    with subprocess.Popen(
        ["node", HERE / "packages.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def ask(**question: Any) -> dict[str, Any]:
            question["body"] = question["body"].hex()
            print(json.dumps(question), file=process.stdin, flush=True)
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            return answer

        yield ask
        process.stdin.close()
