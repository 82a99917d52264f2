"""Four processes, two in Python and two in Node, on one store: killed, stopped and failing at named places, while
senders send every event many times until each copy is acknowledged.

    python tests/torture/torture.py              2,000 events, 8 copies each, on every store (about half an hour)
    python tests/torture/torture.py --short      the same with few events, under a minute

Every event takes effect at least once; exactly once where the effect is in the same transaction; otherwise every
second run has a recorded cause. Four deliberately wrong protocols go through the same and must be found out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import checker
import journal
import psycopg
import redis

from hookproof import Signer

HERE = Path(__file__).parent
NODE = HERE.parent / "stores" / "js" / "node_modules" / ".bin" / "node"
SERVE = HERE.parent / "stores" / "serve"
SECRET = "whsec_dG9ydHVyZSB0b3J0dXJlIHRvcnR1cmUgdG9ydHVyZQ=="
LEASE_MS = 400


@dataclass(frozen=True)
class Cell:
    """One run: a store, and where the effect is written."""

    store: str
    inside: bool = False
    wrong: bool = False

    def __str__(self) -> str:
        if self.wrong:
            return f"wrong on purpose: {self.store}"
        return f"{self.store}, effect {'in the same transaction' if self.inside else 'elsewhere'}"


CELLS = [
    Cell("sqlite"),
    Cell("sqlite", inside=True),
    Cell("redis"),
    Cell("postgres"),
    Cell("postgres", inside=True),
    *(
        Cell(name, wrong=True)
        for name in ("check-then-set", "set-without-release", "lease-without-token", "release-without-token")
    ),
]


@contextmanager
def served(kind: str) -> Iterator[str]:
    """A server of one's own; the end of its input stops it."""
    with subprocess.Popen([SERVE, kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        if not url:
            raise SystemExit(f"{kind} did not start")
        try:
            yield url
        finally:
            server.stdin.close()


class Database:
    """Where the workers of one run keep claims, and effects if they are inside."""

    def __init__(self, cell: Cell, urls: dict[str, str], folder: Path) -> None:
        self.cell = cell
        number = CELLS.index(cell)
        if cell.store == "sqlite":
            self.url = str(folder / "claims.db")
        elif cell.store == "postgres":
            with psycopg.connect(urls["postgres"], autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE torture_{number}")
            self.url = f"{urls['postgres'].removesuffix('/postgres')}/torture_{number}"
        else:
            self.url = f"{urls['redis'].removesuffix('/0')}/{number}"
            with redis.Redis.from_url(self.url) as client:
                client.flushdb()
        self.insert = f"INSERT INTO effects (event) VALUES ({'?' if cell.store == 'sqlite' else '%s'})"
        if cell.store == "sqlite":
            from hookproof.stores.sqlite import SQLiteStore

            SQLiteStore(self.url, scope="torture").create()
            with closing(sqlite3.connect(self.url)) as own:
                own.execute("CREATE TABLE effects (event TEXT)")
        elif cell.store == "postgres":
            from hookproof.stores.postgres import PostgresStore

            with psycopg.connect(self.url, autocommit=True) as connection:
                connection.execute("CREATE TABLE effects (event text)")
                PostgresStore(connection, scope="torture").create()

    def effects(self) -> Counter[str] | None:
        """How often each effect stands in the database; `None` where it is written elsewhere."""
        if not self.cell.inside:
            return None
        query = "SELECT event FROM effects"
        if self.cell.store == "sqlite":
            with closing(sqlite3.connect(self.url)) as own:
                return Counter(event for (event,) in own.execute(query))
        with psycopg.connect(self.url) as connection:
            return Counter(event for (event,) in connection.execute(query))


@contextmanager
def nests(config: dict[str, object]) -> Iterator[list[int]]:
    """Two Python and two Node workers; the ports they listen on."""
    with ExitStack() as stack:
        ports = []
        for slot, node in enumerate((None, str(NODE), None, str(NODE))):
            given = json.dumps(config | {"slot": slot, "node": node})
            # A session of its own: when the shell that started this ends while a worker is stopped, the kernel sends
            # SIGHUP to all that belong to it.
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, HERE / "nest.py", given],
                    stdout=subprocess.PIPE,
                    text=True,
                    start_new_session=True,
                )
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            ports.append(int(process.stdout.readline()))
        yield ports


class Senders:
    """Send every copy of every event until it is acknowledged."""

    def __init__(self, ports: list[int], seed: str, seconds: float) -> None:
        self.ports, self.chance = ports, random.Random(f"{seed} senders")
        self.signer = Signer("standard-webhooks", SECRET)
        self.acknowledged: set[str] = set()
        self.until = time.monotonic() + seconds
        self.tries = 0

    async def send(self, deliveries: list[str], at_once: int) -> None:
        queue = iter(deliveries)

        async def one() -> None:
            for event in queue:
                await self.deliver(event)

        await asyncio.gather(*(one() for _ in range(at_once)))

    async def deliver(self, event: str) -> None:
        body = json.dumps({"event": event}).encode()
        while time.monotonic() < self.until:
            self.tries += 1
            headers = self.signer.sign(body, id=event).headers
            try:
                status = await asyncio.wait_for(self.post(self.chance.choice(self.ports), headers, body), 10)
            except (OSError, TimeoutError, asyncio.TimeoutError, ValueError, IndexError):
                status = 0  # killed, or stopped for long
            if 200 <= status < 300:
                self.acknowledged.add(event)
                return
            await asyncio.sleep(self.chance.uniform(0.01, 0.08))

    async def post(self, port: int, headers: dict[str, str], body: bytes) -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            head = {**headers, "Host": "127.0.0.1", "Content-Length": str(len(body)), "Connection": "close"}
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            writer.write(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body)
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()


def deliveries(events: int, copies: int, seed: str) -> list[str]:
    """All copies in random order, but those of one event not far apart: they are to meet each other."""
    chance = random.Random(f"{seed} order")
    near = [(event + chance.uniform(0, 12), f"msg_{event}") for event in range(events) for _ in range(copies)]
    return [name for _, name in sorted(near)]


def rounds(cell: Cell, urls: dict[str, str], events: int, copies: int, seed: str) -> tuple[bool, str]:
    """One run; up to three of a wrong protocol, which few events do not always show."""
    passed, report = torture(cell, urls, events, copies, seed)
    for again in range(2):
        if cell.wrong and not passed:
            passed, report = torture(cell, urls, events, copies, f"{seed} again {again}")
    return passed, report


def torture(cell: Cell, urls: dict[str, str], events: int, copies: int, seed: str) -> tuple[bool, str]:
    """Whether a run is as it should be, and the report."""
    with tempfile.TemporaryDirectory(prefix="hookproof-torture-") as folder:
        log = str(Path(folder) / "journal")
        Path(log).touch()
        database = Database(cell, urls, Path(folder))
        config = {
            "seed": f"{seed} {cell}", "journal": log, "store": cell.store, "url": database.url, "secret": SECRET,
            "lease_ms": LEASE_MS, "inside": cell.inside, "insert": database.insert,
            "kill": 0.03, "pause": 0.12, "fail": 0.03,
        }  # fmt: skip
        began = time.monotonic()
        order = deliveries(events, copies, seed)
        with nests(config) as ports:
            senders = Senders(ports, f"{seed} {cell}", 30 + events * copies / 10)
            asyncio.run(senders.send(order, 24))
        verdict = checker.judge(journal.read(log), sorted(senders.acknowledged), database.effects(), LEASE_MS)
        never = events - len(senders.acknowledged)
        took = time.monotonic() - began
        if os.environ.get("TORTURE_KEEP"):
            os.rename(log, f"{os.environ['TORTURE_KEEP']}/{str(cell).replace(' ', '-')}.journal")
    passed = (verdict.good and never == 0) != cell.wrong
    report = [
        f"{'ok  ' if passed else 'FAIL'}  {cell}",
        f"{events} events x {copies}, {senders.tries} requests, {took:.0f} s: lost {len(verdict.lost) + never}, "
        f"twice {verdict.twice}, unexplained {len(verdict.unexplained)}",
    ]
    if verdict.causes:
        report.append("second runs: " + ", ".join(f"{cause} {n}" for cause, n in sorted(verdict.causes.items())))
    report.append("killed or stopped: " + ", ".join(f"{place} {n}" for place, n in sorted(verdict.kills.items())))
    found = [*(f"lost: {event}" for event in verdict.lost), *verdict.unexplained]
    return passed, "\n      ".join(report + found[: 3 if cell.wrong else 20])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--short", action="store_true", help="few events")
    options.add_argument("--events", type=int, default=2000)
    options.add_argument("--copies", type=int, default=8)
    options.add_argument("--seed", default=str(random.randrange(10**6)), help="repeats the decisions of a run")
    options.add_argument("--at-once", type=int, default=3, help="how many runs at a time")
    options.add_argument("--only", default="", help="only the runs whose name has this in it")
    given = options.parse_args()
    events, copies = (80, 4) if given.short else (given.events, given.copies)
    cells = [cell for cell in CELLS if given.only in str(cell)]
    print(f"seed {given.seed}")
    with served("redis") as redis_url, served("postgres") as postgres_url:
        urls = {"redis": redis_url, "postgres": postgres_url}
        passed = []
        # Most of a run is waiting for leases: several at once.
        with ThreadPoolExecutor(given.at_once) as pool:
            runs = [pool.submit(rounds, cell, urls, events, copies, given.seed) for cell in cells]
            for run in as_completed(runs):
                good, report = run.result()
                passed.append(good)
                print(report, flush=True)
    if not passed or not all(passed):
        raise SystemExit(f"{passed.count(False)} of {len(passed)} runs failed; the same again: --seed {given.seed}")
    print(f"{len(passed)} runs, each as it should be")


if __name__ == "__main__":
    main()
