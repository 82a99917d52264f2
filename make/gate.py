#!/usr/bin/env python3
"""make/gate.py STEP...: runs `make STEP` for each step, adds up what the test runners counted, closes with the sum.

Every step runs, so that one run shows everything that is wrong. A step fails if its command fails, and also if a
runner skipped a test: what was not run has shown nothing. A step whose command prints no count is one check;
a step without a command is none, and fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Count:
    """How many tests a step ran."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    nothing: bool = False

    def add(self, line: str) -> None:
        """Counts a closing line of cargo test, pytest, vitest, node's test runner or the comparison."""
        line = COLOUR.sub("", line).strip()
        if re.match(r"make(\[\d+\])?: (Nothing to be done for|.* is up to date)", line):
            self.nothing = True
        elif line.startswith("test result: "):
            self._words(line, passed="passed", failed="failed", skipped="ignored")
        elif re.match(r"(=+ )?\d+ (passed|failed|error|skipped|xfailed).* in [\d.]+s", line):
            self._words(line, passed="passed", failed="failed|errors?", skipped="skipped|deselected|xfailed|xpassed")
        elif re.match(r"Tests\s+\d+ ", line):
            self._words(line, passed="passed", failed="failed", skipped="skipped|todo")
        elif told := re.match(r"\S+ (pass|fail|cancelled|skipped|todo) (\d+)$", line):
            field = {"pass": "passed", "fail": "failed", "cancelled": "failed"}.get(told[1], "skipped")
            setattr(self, field, getattr(self, field) + int(told[2]))
        elif agreed := re.match(r"(\d+) records, \d+ runners: (\d+) agreed", line):
            self.passed += int(agreed[2])
            self.failed += int(agreed[1]) - int(agreed[2])

    def _words(self, line: str, *, passed: str, failed: str, skipped: str) -> None:
        def number(word: str) -> int:
            return sum(int(n) for n in re.findall(rf"(\d+) (?:{word})\b", line))

        self.passed += number(passed)
        self.failed += number(failed)
        self.skipped += number(skipped)

    @property
    def empty(self) -> bool:
        return not (self.passed or self.failed or self.skipped)


@dataclass
class Result:
    """How a step went."""

    step: str
    count: Count
    problem: str
    seconds: float


def run(step: str) -> Result:
    print(f"\n== {step}", flush=True)
    started = time.monotonic()
    count = Count()
    process = subprocess.Popen(
        ["make", step],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        bufsize=1,
    )
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        count.add(line)
    code = process.wait()
    problem = ""
    if code != 0:
        problem = f"exit code {code}"
        if not count.failed:
            count.failed = 1
    elif count.failed:
        problem = f"{count.failed} failed, and exit code 0"
    elif count.skipped:
        problem = f"{count.skipped} skipped"
        count.failed = count.skipped
    elif count.nothing:
        problem = "the target does nothing"
        count.failed = 1
    elif count.empty:
        count.passed = 1
    return Result(step, count, problem, time.monotonic() - started)


def main(steps: list[str]) -> int:
    started = time.monotonic()
    results = [run(step) for step in steps]
    print(f"\n{'step':<20} {'passed':>7} {'failed':>7} {'s':>6}")
    for result in results:
        print(
            f"{result.step:<20} {result.count.passed:>7} {result.count.failed:>7} {result.seconds:>6.0f}"
            f"  {result.problem}".rstrip()
        )
    print(f"{time.monotonic() - started:.0f} s without the builds before")
    passed = sum(result.count.passed for result in results)
    failed = sum(result.count.failed for result in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
