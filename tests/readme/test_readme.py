"""Every code block of the README runs as it stands there. (The Rust one is compiled by this folder's crate.)"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import derived
import pytest
from delivery import BODY, SECRET, signed
from readme import ROOT, blocks, languages

SCRATCH = ROOT / ".build/readme"
Answer = tuple[int, Mapping[str, str]]


def test_no_block_is_left_out() -> None:
    assert languages() == {"sh", "python", "ts", "rust", "console"}
    assert len(blocks("python")) == 1
    assert len(blocks("ts")) == 2
    assert len(blocks("rust")) == 1


def test_what_is_derived_is_current() -> None:
    for path, text in derived.pages().items():
        assert path.read_text() == text, f"{path.name} is old: run `make docs`"


def test_the_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for block in blocks("sh"):
        for line in block.splitlines():
            target = line.split("#")[0].removeprefix("make ").strip()
            assert f"\n{target}:" in makefile, line


def judge(post: Any) -> None:
    """What every receiver of the README answers: to a delivery, to its copy, to a forged one."""
    headers = signed()
    status, answered = post(BODY, headers)
    assert status in (200, 204)
    assert "hookproof-outcome" not in answered
    status, answered = post(BODY, headers)
    assert status == 200
    assert answered["hookproof-outcome"] == "duplicate"
    status, _ = post(BODY + b" ", headers)
    assert status == 401


def test_flask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENTBOT_SECRET", SECRET)
    (block,) = blocks("python")
    module: dict[str, Any] = {"__name__": "readme_flask"}
    exec(compile(block, "README.md", "exec"), module)
    client = module["app"].test_client()

    def post(body: bytes, headers: dict[str, str]) -> Answer:
        answer = client.post("/webhooks/agentbot", data=body, headers=headers)
        return answer.status_code, {name.lower(): value for name, value in answer.headers}

    judge(post)
    assert capsys.readouterr().out == f"message.created dlv_1 {json.loads(BODY)}\n"


@contextmanager
def listening(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    """Runs a server that prints `listening on <port>`; gives its address."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if line.startswith("listening on "):
                yield f"http://127.0.0.1:{int(line.split()[2])}"
                return
        pytest.fail("the server ended: " + "".join(said))
    finally:
        process.terminate()
        process.wait(10)


def post_to(url: str) -> Any:
    def post(body: bytes, headers: dict[str, str]) -> Answer:
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, {name.lower(): value for name, value in answer.headers.items()}
        except urllib.error.HTTPError as error:
            return error.code, {}

    return post


@pytest.fixture(scope="module")
def typescript() -> tuple[Path, Path]:
    """The two TypeScript blocks as files, inside the repository so that packages are found."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    express, worker = SCRATCH / "express.ts", SCRATCH / "worker.ts"
    for file, block in zip((express, worker), blocks("ts"), strict=True):
        file.write_text(block)
    return express, worker


def test_express(typescript: tuple[Path, Path]) -> None:
    source, _ = typescript
    block = source.read_text()
    runnable = SCRATCH / "express-listening.ts"
    runnable.write_text(
        block + 'const server = app.listen(0, "127.0.0.1", () => console.log("listening on", server.address().port));\n'
    )
    module = SCRATCH / "express.mjs"
    subprocess.run(
        ["node_modules/.bin/esbuild", runnable, "--format=esm", f"--outfile={module}", "--log-level=warning"],
        cwd=ROOT,
        check=True,
    )
    with listening(["node", str(module)], {"AGENTBOT_SECRET": SECRET}) as url:
        judge(post_to(f"{url}/webhooks/agentbot"))


def test_worker(typescript: tuple[Path, Path]) -> None:
    _, source = typescript
    with listening(["node", "tests/readme/worker.mjs", str(source)], {"AGENTBOT_SECRET": SECRET}) as url:
        judge(post_to(f"{url}/"))


def test_typescript_is_strict(typescript: tuple[Path, Path]) -> None:
    done = subprocess.run(
        ["node_modules/.bin/tsc", "--project", "tests/readme/tsconfig.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_program(tmp_path: Path) -> None:
    """Each command of the console blocks runs; lines below a command are how its output begins."""
    environment = {
        **os.environ,
        "PATH": f"{ROOT / 'target/release'}:{os.environ['PATH']}",
        "AGENTBOT_SECRET": SECRET,
    }
    (tmp_path / "body.json").write_bytes(BODY)
    ran = 0
    for block in blocks("console"):
        for command, shown in commands(block):
            done = subprocess.run(
                ["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"
            for line in shown:
                assert line in done.stdout.splitlines(), f"{command} does not print {line!r}:\n{done.stdout}"
            assert shlex.split(command)[0] == "hookproof"
            ran += 1
    assert ran


def commands(block: str) -> Iterator[tuple[str, list[str]]]:
    """The commands of a console block (`$ ...`), each with the lines that it is shown to print."""
    for part in block.split("$ ")[1:]:
        command, *shown = part.replace("\\\n", " ").splitlines()
        yield command, [line for line in shown if line and line != "..."]
