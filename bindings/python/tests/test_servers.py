"""Real servers: several processes, bodies in chunks, many copies at once."""

from __future__ import annotations

import http.client
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import pytest
from sending import event, headers

HERE = Path(__file__).parent
GUNICORN = ["gunicorn", "--no-control-socket", "--log-level", "warning", "--workers", "4", "--bind", "127.0.0.1:{port}"]
UVICORN = ["uvicorn", "--log-level", "warning", "--port", "{port}", "--factory"]

SERVERS = {
    "flask, gunicorn sync": [*GUNICORN, "--worker-class", "sync", "served:flask_app()"],
    "flask, gunicorn gthread": [*GUNICORN, "--worker-class", "gthread", "--threads", "8", "served:flask_app()"],
    "flask, gunicorn gevent": [*GUNICORN, "--worker-class", "gevent", "served:flask_app()"],
    "flask, gunicorn preload": [*GUNICORN, "--preload", "--threads", "8", "served:flask_app()"],
    "flask, waitress": ["waitress", "--listen", "127.0.0.1:{port}", "--call", "served:flask_app"],
    "flask, werkzeug": ["flask", "--app", "served:flask_app()", "run", "--port", "{port}"],
    "django, gunicorn": [*GUNICORN, "--threads", "8", "served:django_wsgi()"],
    "django, uvicorn": [*UVICORN, "served:django_asgi"],
    "fastapi, uvicorn": [*UVICORN, "served:fastapi_app"],
    "fastapi, uvicorn, 4 workers": [*UVICORN, "--workers", "4", "served:fastapi_app"],
    "wsgi, gunicorn": [*GUNICORN, "--threads", "8", "served:wsgi_app()"],
    "flask, mod_wsgi": ["apache2"],
}

# mod_wsgi has Debian's Python, which may be of another version than ours: of these packages none needs to be compiled for
# it, and the engine serves every version.
APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/log
Listen 127.0.0.1:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so
User www-data
Group www-data
StartServers 2
WSGIPythonPath {folder}/packages
WSGIScriptAlias / {folder}/application.wsgi
WSGIApplicationGroup %{{GLOBAL}}
WSGIChunkedRequest On
<Directory {folder}>
Require all granted
</Directory>
"""
APPLICATION = """
import os
os.environ["HOOKPROOF_TEST_FOLDER"] = {folder!r}
from served import flask_app
application = flask_app()
"""
PACKAGES = ["flask", "werkzeug", "jinja2", "markupsafe", "click", "itsdangerous", "blinker", "hookproof"]


def apache(folder: Path, port: int) -> list[str]:
    """Lays out what Apache serves, readable for the user as whom its workers run, and says how to start it."""
    for name in PACKAGES:
        (place,) = importlib.import_module(name).__path__
        shutil.copytree(place, folder / "packages" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("served.py", "sending.py"):
        shutil.copy(HERE / name, folder / "packages")
    (folder / "application.wsgi").write_text(APPLICATION.format(folder=str(folder)))
    (folder / "apache2.conf").write_text(APACHE.format(folder=folder, port=port))
    folder.chmod(0o777)
    return ["apache2", "-DFOREGROUND", "-f", str(folder / "apache2.conf")]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    def __init__(self, port: int, folder: Path, name: str) -> None:
        self.port = port
        self.folder = folder
        self.name = name

    def send(self, body: bytes, given: dict[str, str]) -> int:
        """The status, also of a server that hangs up on a body that it has refused."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            with suppress(ConnectionError):
                connection.request("POST", "/hook", body, given)
            return connection.getresponse().status

    def send_in_chunks(self, body: bytes, size: int, given: dict[str, str]) -> int:
        """The status, also where the server answers before the body has ended."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            lines = [f"{name}: {value}" for name, value in given.items()]
            head = ["POST /hook HTTP/1.1", "host: localhost", "transfer-encoding: chunked", "connection: close", *lines]
            connection.sendall("\r\n".join([*head, "", ""]).encode())
            with suppress(ConnectionError):
                for start in range(0, len(body), size):
                    chunk = body[start : start + size]
                    connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                connection.sendall(b"0\r\n\r\n")
            with suppress(ConnectionError):
                answer = connection.recv(12)
                return int(answer[9:12])
        return 0

    @property
    def effects(self) -> list[str]:
        file = self.folder / "effects"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    port = free_port()
    # Not pytest's own, which only its user may enter.
    folder = Path(tempfile.mkdtemp(prefix="hookproof-served-"))
    if SERVERS[request.param] == ["apache2"]:
        command = apache(folder, port)
    else:
        command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[request.param])]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=HERE,
            env={**os.environ, "HOOKPROOF_TEST_FOLDER": str(folder), "PYTHONPATH": str(HERE)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(port, folder, request.param)
    try:
        for _ in range(200):
            assert process.poll() is None, server.log
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                break
            time.sleep(0.1)
        else:
            pytest.fail(f"not ready: {server.log}")
        yield server
    finally:
        # its workers are of its group
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        shutil.rmtree(folder)


def test_two_hundred_copies_at_once_have_one_effect(server: Server) -> None:
    body = event(1)
    given = headers(body, id="dlv_copies")
    with ThreadPoolExecutor(50) as pool:
        statuses = list(pool.map(lambda _: server.send(body, given), range(200)))
    assert set(statuses) <= {200, 409}, server.log
    assert 200 in statuses
    assert server.send(body, given) == 200
    assert [line for line in server.effects if line.startswith("dlv_copies")] == [f"dlv_copies {len(body)}"]


def test_different_events_all_run(server: Server) -> None:
    bodies = [event(n) for n in range(100, 140)]
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda body: server.send(body, headers(body, id="dlv_each")), bodies))
    assert statuses == [200] * 40
    assert len([line for line in server.effects if line.startswith("dlv_each")]) == 40


def test_a_wrong_signature_is_refused(server: Server) -> None:
    assert server.send(event(2), headers(event(2), secret="another")) == 401
    assert "signature_mismatch" in server.log


def test_the_limit(server: Server) -> None:
    for size, status in (((1 << 20), 200), ((1 << 20) + 1, 413)):
        body = b"x" * size
        assert server.send(body, headers(body, id=f"dlv_{size}")) == status
    assert "body_too_large" in server.log
    assert [line for line in server.effects if line.startswith("dlv_10485")] == [f"dlv_{1 << 20} {1 << 20}"]


@pytest.mark.parametrize("size", [0, 1, 5000, 1 << 20, (1 << 20) + 1, 4 << 20])
def test_chunks(server: Server, size: int) -> None:
    if server.name == "django, gunicorn":
        expected = {500}  # Django reads no chunks under WSGI, and says so
    elif server.name == "flask, werkzeug" and size == 0:
        expected = {200, 500}
    else:
        expected = {200} if size <= 1 << 20 else {413, 0}
    body = b"c" * size
    given = headers(body, id=f"dlv_chunks_{size}")
    assert server.send_in_chunks(body, 3 if 0 < size < 5000 else 10_000, given) in expected, server.log[-2000:]
    taken = [line for line in server.effects if line == f"dlv_chunks_{size} {size}"]
    assert len(taken) == (1 if size <= 1 << 20 and server.name != "django, gunicorn" else 0)
