#!/usr/bin/env python3
"""What receiving a delivery adds to a request of Flask under gunicorn: the worker's CPU time, 1 KiB bodies.

    make bench-python            or    python bindings/python/bench/share.py [--quick]

Every application has its turn in every round, so that what else the machine does hits all of them. Exit code 1 if a
verified Flask serves less than 0.97 of the requests that an unverified one does.
"""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from served import SECRET
from verify import body_of

from hookproof import Signer

APPS = ("bare", "verified", "received", "today")
LEAST = 0.97
TICKS = os.sysconf("SC_CLK_TCK")


@contextmanager
def served(name: str) -> Iterator[tuple[int, int]]:
    """The port of an application, and the process id of its only worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ["gunicorn", "--no-control-socket", "--log-level", "error", "--workers", "1", "--threads", "4"]
    server = subprocess.Popen(
        [sys.executable, "-m", *command, "--keep-alive", "60", "--bind", f"127.0.0.1:{port}", f"served:{name}()"],
        cwd=Path(__file__).parent,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for _ in range(200):
            with suppress(ConnectionError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.05)
        time.sleep(0.5)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield port, int(children[0])
    finally:
        server.terminate()
        server.wait()


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="4 rounds instead of 12")
    rounds = 4 if parser.parse_args().quick else 12
    body = body_of(1024)
    signer = Signer("standard-webhooks", SECRET)
    ids = count()
    took: dict[str, list[float]] = {name: [] for name in APPS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(served(name)) for name in APPS}
        clients = {name: http.client.HTTPConnection("127.0.0.1", port) for name, (port, _) in servers.items()}
        for turn in range(rounds + 1):
            for name in APPS:
                client = clients[name]
                sent = [signer.sign(body, id=f"msg_{next(ids)}").headers for _ in range(1000)]
                before = cpu_seconds(servers[name][1])
                for headers in sent:
                    client.request("POST", "/hook", body, headers)
                    answer = client.getresponse()
                    answer.read()
                    assert answer.status == 200, (name, answer.status)
                if turn:  # the first one warms up
                    took[name].append((cpu_seconds(servers[name][1]) - before) * 1000)
        for client in clients.values():
            client.close()
    bare = statistics.median(took["bare"])
    print(f"{'CPU of the worker for a request':<36}{'us':>8}{'requests, of unverified':>26}")
    titles = {
        "bare": "Flask, unverified",
        "verified": "hookproof, Verifier",
        "received": "hookproof, Receiver and MemoryStore",
        "today": "standardwebhooks, no dedup",
    }
    for name in APPS:
        median = statistics.median(took[name])
        print(f"{titles[name]:<36}{median:>8.0f}{bare / median:>26.3f}")
    share = bare / statistics.median(took["verified"])
    if share < LEAST:
        print(f"missed: {share:.3f} of the unverified requests, at least {LEAST}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
