#!/usr/bin/env python3
"""Runs the five conformance runners and compares their answers.

    compare.py             all five
    compare.py rust node   only these, for a quick look; never enough for the gate

Exit code 1 if an answer differs from its record, if two runners differ, or if
one of them left out a record that the others must have run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests/conformance"

RUNNERS: dict[str, list[str]] = {
    "rust": ["cargo", "run", "--quiet", "--release", "-p", "hookproof-conformance"],
    "python": [".venv/bin/python", f"{HERE}/python_runner.py"],
    "node-native": ["node", f"{HERE}/node_runner.mjs"],
    "node-wasm": ["node", f"{HERE}/wasm_runner.mjs"],
    "workerd": ["node", f"{HERE}/workerd_runner.mjs"],
}

# A runner that hangs is a defect, not a reason to wait: the slowest needs seconds.
TIMEOUT_S = 300


@dataclass(frozen=True)
class Record:
    """What a record asks of every runner."""

    id: str
    expect: str
    level: str

    def allows(self, code: str) -> bool:
        if code == "n/a":
            return self.level == "binding"
        if code.startswith("broken"):
            return False
        match self.expect:
            case "valid":
                return code == "ok"
            case "invalid":
                return code not in ("ok", "challenge")
            case "ok-or-refused-consistently":
                return True
            case exact:
                return code == exact


@dataclass(frozen=True)
class Answers:
    """What a runner said."""

    codes: Mapping[str, str]
    problems: list[str]
    seconds: float


def records(root: Path = ROOT) -> dict[str, Record]:
    """The records to run: decided from the data files, not by any runner."""
    schemes = {path.stem for path in (root / "crates/hookproof/schemes").glob("*.toml")}
    vectors = root / "tests/vectors"
    found = [
        Record(record["id"], record["expect"], "core")
        for file in ("published.json", "found.json")
        for record in json.loads((vectors / file).read_text())
        if record["provider"] in schemes
    ]
    hostile = json.loads((vectors / "hostile.json").read_text())
    found += [Record(f"hostile-{case['n']}", case["expect"], case["level"]) for case in hostile["cases"]]
    return {record.id: record for record in found}


def parse(output: str) -> tuple[dict[str, str], list[str]]:
    """The codes by id, and what is wrong with the output itself."""
    codes: dict[str, str] = {}
    problems: list[str] = []
    said: int | None = None
    for line in output.splitlines():
        if line.startswith("{"):
            answer = json.loads(line)
            if answer["id"] in codes:
                problems.append(f"{answer['id']} was printed twice")
            codes[answer["id"]] = answer["code"]
        elif line.startswith("ran "):
            said = int(line[4:])
    if said is None:
        problems.append("no line `ran N`")
    elif said != len(codes):
        problems.append(f"said `ran {said}` and printed {len(codes)}")
    if not codes:
        problems.append("ran no record")
    return codes, problems


def run(name: str) -> Answers:
    started = time.monotonic()
    try:
        done = subprocess.run(RUNNERS[name], cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except FileNotFoundError as error:
        return Answers({}, [f"cannot be started: {error}"], 0.0)
    except subprocess.TimeoutExpired:
        return Answers({}, [f"not done after {TIMEOUT_S} s"], float(TIMEOUT_S))
    codes, problems = parse(done.stdout)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-12:]
        problems.append("\n    ".join([f"exit code {done.returncode}", *last]))
    return Answers(codes, problems, time.monotonic() - started)


def differences(wanted: Mapping[str, Record], answers: Mapping[str, Answers]) -> list[str]:
    """Every way in which the runners are wrong; empty if they agree."""
    found = [f"{name}: {problem}" for name, said in answers.items() for problem in said.problems]
    for name, said in answers.items():
        found += [f"{name}: {id} was not run" for id in wanted if id not in said.codes]
        found += [f"{name}: {id} is not a record" for id in said.codes if id not in wanted]
    for id, record in wanted.items():
        codes = {name: said.codes[id] for name, said in answers.items() if id in said.codes}
        wrong = {name: code for name, code in codes.items() if not record.allows(code)}
        said_codes = set(codes.values()) - {"n/a"}
        # `invalid` and `ok-or-refused-consistently` name no code; the runners must still say the same.
        if wrong or len(said_codes) > 1:
            listed = ", ".join(f"{name} {code}" for name, code in codes.items())
            found.append(f"{id}: expected {record.expect}; {listed}")
        elif codes and not said_codes:
            found.append(f"{id}: no runner could express it")
    return found


def main(names: Iterable[str]) -> int:
    chosen = [name for name in RUNNERS if name in names] if names else list(RUNNERS)
    wanted = records()
    answers: dict[str, Answers] = {}
    print(f"{'runner':<12} {'ran':>5} {'n/a':>5} {'s':>6}")
    for name in chosen:
        answers[name] = said = run(name)
        not_expressible = sum(code == "n/a" for code in said.codes.values())
        print(f"{name:<12} {len(said.codes):>5} {not_expressible:>5} {said.seconds:>6.1f}", flush=True)
    found = differences(wanted, answers)
    for line in found:
        print(f"  {line}")
    right = len(wanted) - len({line.split(":")[0] for line in found} & set(wanted))
    print(f"{len(wanted)} records, {len(chosen)} runners: {right} agreed, {len(found)} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
