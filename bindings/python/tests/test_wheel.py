"""What a user does: install the wheel where there is neither Rust nor a compiler, copy the README's example, serve it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = ROOT / "target/release/hookproof"
SECRET = "a secret that only this test knows"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    manifest = ["--manifest-path", "bindings/python/Cargo.toml"]
    subprocess.run(
        [sys.executable, "-m", "maturin", "build", "--quiet", "--release", *manifest, "--out", folder],
        cwd=ROOT,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program() -> Path:
    subprocess.run(["cargo", "build", "--quiet", "--release", "-p", "hookproof-cli"], cwd=ROOT, check=True)
    return PROGRAM


@pytest.fixture(scope="module")
def clean(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel, Flask and gunicorn."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    subprocess.run(
        [
            folder / "bin/python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--only-binary=:all:",
            f"{wheel}[flask]",
            "gunicorn",
        ],
        env={**os.environ, "PATH": str(folder / "bin")},
        check=True,
    )
    return folder / "bin"


@pytest.fixture
def served(clean: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The README's Flask example, as it stands, under gunicorn with 4 workers: its address, and what it prints."""
    (example,) = re.findall(r"^```python\n(from|import)(.*?)^```", (ROOT / "README.md").read_text(), re.S | re.M)
    (tmp_path / "app.py").write_text("".join(example))
    printed = tmp_path / "printed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [clean / "gunicorn", "--no-control-socket", "--workers", "4", "--threads", "8", "--bind"]
    with printed.open("wb") as output:
        server = subprocess.Popen(
            [*command, f"127.0.0.1:{port}", "app:app"],
            cwd=tmp_path,
            env={"PATH": str(clean), "AGENTBOT_SECRET": SECRET, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=(tmp_path / "log").open("wb"),
            start_new_session=True,
        )
    try:
        for _ in range(100):
            assert server.poll() is None, (tmp_path / "log").read_text()
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/webhooks/agentbot", printed
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < 2_000_000
    assert "-cp310-abi3-" in wheel.name


def test_two_hundred_copies_at_once_have_one_effect(program: Path, served: tuple[str, Path]) -> None:
    url, printed = served

    def send(secret: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [program, "send", "--provider", "agentbot", "--secret-env", "SECRET", "--event", "message.created"]
        return subprocess.run(
            [*command, "--plain", *more, url], env={"SECRET": secret}, capture_output=True, text=True, check=False
        )

    def lines() -> list[str]:
        return printed.read_text().splitlines()

    sent = send(SECRET)
    assert sent.returncode == 0, sent.stdout + sent.stderr
    assert len(lines()) == 1
    assert lines()[0].startswith("message.created ")

    # The sample holds the time in seconds, and Agentbot's identity is the body: within one second it is the same event.
    time.sleep(1.1)
    sent = send(SECRET, "--fault", "copies=200")
    assert len(lines()) == 2, sent.stdout

    assert send("another secret").returncode != 0
    assert len(lines()) == 2
