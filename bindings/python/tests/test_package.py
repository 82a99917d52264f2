"""The package as a whole: what an import loads, the stubs, the table of options."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import hookproof
from hookproof import ConfigurationError, MemoryStore, Receiver, Verifier
from hookproof._engine import ERRORS, OPTIONS

PACKAGE = Path(hookproof.__file__).parent

IMPORT = """
import sys, time
before = set(sys.modules)
started = time.perf_counter()
import hookproof
took = time.perf_counter() - started
loaded = sorted(set(sys.modules) - before)
import json
print(json.dumps([took * 1000, loaded]))
"""


def imported() -> tuple[float, list[str]]:
    done = subprocess.run([sys.executable, "-I", "-c", IMPORT], capture_output=True, text=True, check=True)
    took, modules = json.loads(done.stdout)
    return took, modules


def test_an_import_loads_nothing_of_others() -> None:
    _, modules = imported()
    foreign = {name.partition(".")[0] for name in modules} - {"hookproof"}
    heavy = {"asyncio", "logging", "json", "typing", "threading", "sqlite3", "inspect", "dataclasses", "opentelemetry"}
    frameworks = {"flask", "fastapi", "starlette", "django", "werkzeug", "redis", "psycopg"}
    assert not foreign & (heavy | frameworks), foreign


def test_an_import_takes_at_most_three_milliseconds() -> None:
    assert min(imported()[0] for _ in range(10)) <= 3


def test_everything_that_is_promised_is_there() -> None:
    for name in hookproof.__all__:
        assert getattr(hookproof, name).__name__ == name
    assert set(dir(hookproof)) == set(hookproof.__all__)
    with pytest.raises(AttributeError):
        hookproof.Verifyer  # noqa: B018


def test_public_names_say_where_they_are_from() -> None:
    for name in hookproof.__all__:
        module = getattr(hookproof, name).__module__
        assert module == "hookproof" or not module.startswith("hookproof._"), name


def test_options_are_the_cores_and_the_hosts() -> None:
    """The class that types the options, the docstring and the README that explain them, the core that judges them."""
    tree = ast.parse((PACKAGE / "_receiver.py").read_text() + (PACKAGE / "_verifier.py").read_text())
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}

    def fields(name: str) -> list[str]:
        found = [node.target.id for node in classes[name].body if isinstance(node, ast.AnnAssign)]  # type: ignore[union-attr]
        return found

    typed = fields("ReceiverOptions") + fields("VerifierOptions")
    text = inspect.cleandoc(Receiver.__doc__ or "")
    explained = [line.split("`")[1] for line in text.splitlines() if line.startswith("- `")]
    hosts = {"store", "clock", "on_outcome", "enqueue"}
    assert sorted(typed) == sorted(explained)
    table = (PACKAGE.parent / "README.md").read_text().partition("## Options of `Receiver`")[2].partition("\n##")[0]
    assert sorted(typed) == sorted(line.split("`")[1] for line in table.splitlines() if line.startswith("| `"))
    assert set(typed) == set(OPTIONS) | hosts
    for name in OPTIONS:
        with pytest.raises(ConfigurationError, match=f"`{name}` "):
            Receiver("github", "s3cret", store=MemoryStore(), **{name: object.__new__(Odd)})  # type: ignore[arg-type]


class Odd:
    """No value of any option."""


def test_an_unknown_option_names_the_closest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean `tolerance`"):
        Verifier("github", "s3cret", tolerence=5)  # type: ignore[call-arg]


def test_the_stubs_are_the_engines(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "hookproof._engine"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


INTERPRETERS = """
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

code = '''
try:
    import hookproof
except ImportError as error:
    print(error)
else:
    print("loaded")
'''
# As mod_wsgi makes them: others refuse whatever does not say that it may be loaded many times.
try:
    made = [interpreters.create("legacy") for _ in range(2)]
except TypeError:
    made = [interpreters.create(isolated=False) for _ in range(2)]
for interpreter in made:
    interpreters.run_string(interpreter, "import sys; sys.path = " + repr(__import__("sys").path) + code)
"""


def test_a_second_interpreter_says_what_to_set() -> None:
    done = subprocess.run([sys.executable, "-c", INTERPRETERS], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == "loaded"
    assert second.endswith("under mod_wsgi, set `WSGIApplicationGroup %{GLOBAL}`")


SAMPLE = """
import os
from typing import Any
from flask import Flask
from hookproof import Claim, Delivery, MemoryStore, Outcome, Receiver, Secret, SQLiteStore, Verifier
from hookproof.flask import receive

# An unset variable type-checks here, and fails when it is built.
receiver = Receiver(
    "agentbot",
    os.environ["AGENTBOT_SECRET"],
    store=SQLiteStore("deliveries.db", scope="crm"),
    tolerance=60,
    config={"a": "b"},
    on_outcome=lambda outcome: print(outcome.kind),
)
app = Flask(__name__)

@app.post("/webhooks/agentbot")
@receive(receiver)
def on_delivery(delivery: Delivery, claim: Claim) -> tuple[str, int]:
    found: Any = delivery.json()
    key: bytes | None = delivery.key("crm")
    return str(delivery.id), 200

def rotated(old: str, new: bytes) -> Verifier:
    return Verifier("github", [Secret(old, name="old"), new])
"""

WRONG = """
from hookproof import MemoryStore, Receiver, Verifier
Receiver("agentbot", "s")
Receiver("agentbot", "s", store=MemoryStore(), tolerance=None)
Receiver("agentbot", "s", store=MemoryStore(), tolerence=5)
Verifier("agentbot", 5)
"""


def check(tmp_path: Path, text: str) -> Any:
    file = tmp_path / "sample.py"
    file.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", file],
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_users_write_type_checks(tmp_path: Path) -> None:
    done = check(tmp_path, SAMPLE)
    assert done.returncode == 0, done.stdout
    done = check(tmp_path, WRONG)
    lines = {line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert lines == {"3", "4", "5", "6"}, done.stdout


def test_the_table_of_errors() -> None:
    assert ERRORS["signature_mismatch"] == (401, False)
    assert ERRORS["option_invalid"] == (500, True)
    assert len(ERRORS) >= 34


def test_docstrings_are_right() -> None:
    import hookproof.testing

    public = {name: getattr(hookproof, name) for name in hookproof.__all__}
    names = {**vars(hookproof), **public, **vars(hookproof.testing)}
    runner = doctest.DocTestRunner()
    for name, thing in [*public.items(), ("sign", hookproof.testing.sign)]:
        for test in doctest.DocTestFinder().find(thing, name, module=False, globs=dict(names)):
            runner.run(test)
    assert runner.failures == 0
    assert runner.tries >= 12
