#!/usr/bin/env python3
"""What receiving a delivery adds to a request of Flask under gunicorn: the worker's CPU time, 1 KiB bodies.

    make bench-python            or    python bindings/python/bench/share.py [--quick]

Requests come over several connections at once, so that the worker goes from one to the next, as it does at its limit.
Every application has its turn in every round, so that what else the machine does hits all of them, and the unverified
Flask has two turns, as two applications: what these two differ by is what the run cannot tell apart. Exit code 1 if a
verified or a receiving Flask serves less than 0.97 of the requests that an unverified one does, and the noise of the
run does not explain it.
"""

from __future__ import annotations

import argparse
import ctypes
import random
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

# The title, and the least share of the unverified requests.
APPS: dict[str, tuple[str, float | None]] = {
    "bare": ("Flask, unverified", None),
    "again": ("Flask, unverified, once more", None),
    "verified": ("hookproof, Verifier", 0.97),
    "received": ("hookproof, Receiver and MemoryStore", 0.97),
    "today": ("standardwebhooks, no dedup", None),
}
CONNECTIONS, REQUESTS = 16, 48
# A run that cannot tell its own two unverified applications apart by less shows nothing.
MOST_NOISE = 0.02


@contextmanager
def served(name: str) -> Iterator[tuple[int, int]]:
    """The port of an application, and the process id of its only worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = ["gunicorn", "--no-control-socket", "--log-level", "error", "--worker-class", "gthread", "--threads", "1"]
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


def clock_of(process: int) -> int:
    """The clock of a process's CPU time, in all of its threads; what `/proc` tells has a hundredth of a second only."""
    found = ctypes.c_int32()
    if ctypes.CDLL(None).clock_getcpuclockid(process, ctypes.byref(found)):
        raise ProcessLookupError(process)
    return found.value


def measured(rounds: int) -> dict[str, list[float]]:
    """Microseconds of CPU time for a request, of each application in each round."""
    body = body_of(1024)
    signer = Signer("standard-webhooks", SECRET)
    ids = count()
    took: dict[str, list[float]] = {name: [] for name in APPS}

    def request() -> bytes:
        signed = signer.sign(body, id=f"msg_{next(ids)}").headers
        headers = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body)), **signed}
        lines = [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join(["POST /hook HTTP/1.1", *lines, "", ""]).encode() + body

    with ExitStack() as stack:
        servers = {name: stack.enter_context(served("bare" if name == "again" else name)) for name in APPS}
        clocks = {name: clock_of(process) for name, (_, process) in servers.items()}
        opened = {
            name: [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(CONNECTIONS)]
            for name, (port, _) in servers.items()
        }
        for turn in range(rounds + 3):
            # In another order each time: who comes after whom is no advantage.
            for name in random.sample(list(APPS), len(APPS)):
                requests = [request() for _ in range(REQUESTS)]
                before = time.clock_gettime(clocks[name])
                for start in range(0, REQUESTS, CONNECTIONS):
                    for connection, sent in zip(opened[name], requests[start:], strict=False):
                        connection.sendall(sent)
                    for connection in opened[name]:
                        answer = b""
                        while not answer.endswith(b"\r\n\r\n1024"):
                            answer += connection.recv(4096) or b"hung up\r\n\r\n1024"
                        assert answer.startswith(b"HTTP/1.1 200 "), (name, answer)
                if turn >= 3:  # the first ones warm up
                    took[name].append((time.clock_gettime(clocks[name]) - before) / REQUESTS * 1e6)
    return took


def share(bare: list[float], other: list[float]) -> tuple[float, float]:
    """How many requests the other one serves for one of the first, and how far that may be off.

    The second is two standard errors of the median (1.2533 of the mean's), with the spread taken from the median
    deviation, so that a round that somebody else disturbed does not count for more than one round.
    """
    ratios = [first / second for first, second in zip(bare, other, strict=True)]
    middle = statistics.median(ratios)
    deviation = 1.4826 * statistics.median(abs(ratio - middle) for ratio in ratios)
    return middle, 2 * 1.2533 * deviation / len(ratios) ** 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="160 rounds instead of 800")
    took = measured(160 if parser.parse_args().quick else 800)
    both = [(a + b) / 2 for a, b in zip(took["bare"], took["again"], strict=True)]
    apart, off = share(took["bare"], took["again"])
    noise = abs(apart - 1) + off
    print(f"{'CPU of the worker for a request':<36}{'us':>8}{'requests, of unverified':>26}{'at least':>12}")
    missed = []
    for name, (title, least) in APPS.items():
        found, off = share(both, took[name])
        bar = "" if least is None else f"{least:.2f}"
        print(f"{title:<36}{statistics.median(took[name]):>8.0f}{found:>16.3f} +- {off:.3f}{bar:>12}")
        if least is not None and found + noise < least:
            missed.append(f"{title}: {found:.3f}, at least {least} (noise {noise:.3f})")
    print(
        f"the two unverified ones differ by {abs(apart - 1):.3f} +- {noise - abs(apart - 1):.3f}: the noise of this run"
    )
    if noise > MOST_NOISE:
        missed.append(f"the machine is too busy to tell: noise {noise:.3f}, at most {MOST_NOISE}")
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
