"""The gate counts what the runners say: a failed or skipped test must not get lost in it."""

from __future__ import annotations

import pytest

from gate import Count


@pytest.mark.parametrize(
    ("line", "counted"),
    [
        ("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.1s", (12, 0, 0)),
        ("test result: FAILED. 11 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out", (11, 1, 2)),
        ("15 passed in 1.55s", (15, 0, 0)),
        ("1 failed, 7 passed, 2 skipped, 1 warning in 2.36s", (7, 1, 2)),
        ("==== 2 failed, 3 passed, 1 error in 8.85s ====", (3, 3, 0)),
        ("1 passed, 1 xfailed in 0.1s", (1, 0, 1)),
        ("1 error in 0.31s", (0, 1, 0)),
        (
            "\x1b[2m      Tests \x1b[22m \x1b[1m\x1b[31m1 failed\x1b[39m | 41 passed\x1b[22m | 3 skipped (45)",
            (41, 1, 3),
        ),
        ("      Tests  42 passed (42)", (42, 0, 0)),
        ("ℹ pass 31", (31, 0, 0)),
        ("ℹ fail 2", (0, 2, 0)),
        ("ℹ skipped 4", (0, 0, 4)),
        ("278 records, 5 runners: 276 agreed, 2 differences", (276, 2, 0)),
        ("running 3 tests", (0, 0, 0)),
        ("ran 278", (0, 0, 0)),
    ],
)
def test_closing_lines_are_counted(line: str, counted: tuple[int, int, int]) -> None:
    count = Count()
    count.add(line)
    assert (count.passed, count.failed, count.skipped) == counted


@pytest.mark.parametrize("line", ["make[1]: Nothing to be done for 'torture-short'.", "make: 'x' is up to date."])
def test_a_step_without_a_command_is_noticed(line: str) -> None:
    count = Count()
    count.add(line)
    assert count.nothing
