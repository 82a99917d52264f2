"""One Redis under a Flask, an Express and an axum application: what all three are sent at once happens once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hookproof import Signer

HERE = Path(__file__).parent
SECRET = "whsec_c2hhcmVkIHNoYXJlZCBzaGFyZWQgc2hhcmVkIHM="
EVENTS = 1000


@contextmanager
def started(command: list[str | Path], **variables: str) -> Iterator[str]:
    """A process that says one line when it is ready, and ends with the test."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line, f"{command} did not start"
        yield line
    finally:
        assert process.stdin is not None
        process.stdin.close()  # what stops a server
        if HERE / "serve" not in command:
            process.kill()
        process.wait()


def axum() -> Path:
    """The axum application, built as the tests of its crate are."""
    build = ["cargo", "build", "--quiet", "--package", "hookproof-axum", "--example", "shared"]
    subprocess.run(build, cwd=HERE.parents[1], check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parents[1] / "target"))
    return target / "debug" / "examples" / "shared"


async def send(port: int, event: str, signer: Signer) -> int:
    """Sends until it is acknowledged; how many tries it took."""
    for tries in range(1, 200):
        head = {**signer.sign(b"{}", id=event).headers, "Host": "127.0.0.1", "Content-Length": "2"}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST / HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{{}}".encode())
        status = int((await reader.readline()).split()[1])
        writer.close()
        if 200 <= status < 300:
            return tries
        assert status == 409, status
        await asyncio.sleep(0.02)
    raise AssertionError(f"{event} was not acknowledged")


def test_three_frameworks_on_one_redis(tmp_path: Path) -> None:
    effects = tmp_path / "effects"
    effects.touch()
    with ExitStack() as stack:
        given = {"REDIS_URL": stack.enter_context(started([HERE / "serve", "redis"])), "SECRET": SECRET}
        given["EFFECTS"] = str(effects)
        commands: list[list[str | Path]] = [
            [sys.executable, HERE / "shared" / "flask_app.py"],
            ["node", HERE / "shared" / "express_app.mjs"],
            [axum()],
        ]
        ports = [int(stack.enter_context(started(command, **given))) for command in commands]
        signer = Signer("standard-webhooks", SECRET)

        async def all_at_once(events: Iterator[int]) -> None:
            for number in events:
                await asyncio.gather(*(send(port, f"msg_{number}", signer) for port in ports))

        async def run() -> None:
            numbers = iter(range(EVENTS))
            await asyncio.gather(*(all_at_once(numbers) for _ in range(4)))

        asyncio.run(run())
    lines = [line.split() for line in effects.read_text().splitlines()]
    assert Counter(event for _, event in lines) == {f"msg_{number}": 1 for number in range(EVENTS)}
    by_framework = Counter(framework for framework, _ in lines)
    assert set(by_framework) == {"flask", "express", "axum"}, "each of them was first once"
    print(dict(by_framework))
