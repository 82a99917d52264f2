"""What happened, one line of JSON each: written by every process to one file, judged when all is over."""

from __future__ import annotations

import json
import os
import time
from typing import Any


def now_ms() -> float:
    """The machine's monotonic clock, the same in every process and in Node."""
    return time.clock_gettime(time.CLOCK_MONOTONIC) * 1000


class Journal:
    """Appends lines. One write each, so that lines of several processes do not mix, and a killed process leaves none
    half written."""

    def __init__(self, path: str, instance: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._instance = instance

    def write(self, what: str, **facts: Any) -> None:
        line = {"what": what, "by": self._instance, "at": now_ms(), **facts}
        os.write(self._file, json.dumps(line).encode() + b"\n")


def read(path: str) -> list[dict[str, Any]]:
    """All lines, in the order in which they were written."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
