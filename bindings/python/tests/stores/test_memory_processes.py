"""A memory store in several processes: what it notices, and says once."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from hookproof import Signer

SECRET = "whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM="
APPLICATION = f"""
from flask import Flask
from hookproof import MemoryStore, Receiver
from hookproof.flask import receive

app = Flask(__name__)

@app.post("/")
@receive(Receiver("standard-webhooks", {SECRET!r}, store=MemoryStore()))
def on_delivery(delivery):
    pass
"""


def send(port: int, event: str) -> int:
    headers = Signer("standard-webhooks", SECRET).sign(b"{}", id=event).headers
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", b"{}", headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(answer.status)


@pytest.mark.parametrize(("workers", "warned"), [(1, False), (2, True)])
def test_a_memory_store_under_gunicorn(workers: int, warned: bool, tmp_path: Path) -> None:
    (tmp_path / "application.py").write_text(APPLICATION)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "--no-control-socket", "--log-level", "warning"]
    command += ["--workers", str(workers), "--bind", f"127.0.0.1:{port}", "application:app"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as server:
        try:
            until = time.monotonic() + 30
            while True:
                try:
                    assert send(port, "msg_0") == 200
                    break
                except urllib.error.URLError:
                    assert time.monotonic() < until
                    time.sleep(0.05)
            for number in range(1, 10):
                assert send(port, f"msg_{number}") == 200
        finally:
            server.terminate()
        assert server.stderr is not None
        said = server.stderr.read()
    # Once in each process that has met a delivery.
    assert (1 <= said.count("several processes") <= workers) == warned, said
