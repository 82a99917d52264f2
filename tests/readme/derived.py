#!/usr/bin/env python3
"""What is derived in the documentation: the provider table, and the README's count of it. `make docs` writes both."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "target/release/hookproof"

HEAD = """\
# Providers

Derived from `crates/hookproof/schemes` by `make docs`; `hookproof providers NAME` says more about each.

- **signs**: what the signature covers: the whole body, a part of it, or nothing (a token shows who sends, not what was
  sent).
- **time**: whether a time is signed. Where none is, nothing but dedup stops a replay.
- **id**: whether the delivery id is signed. Where it is not, the body's hash is the identity.
- **retries**: what the sender does after a failure, as its documentation says; retention is derived from it.
- **evidence**: where the test vectors come from. Only `published` ones are called verified.

"""


def table() -> str:
    done = subprocess.run([PROGRAM, "providers", "--markdown"], check=True, capture_output=True, text=True)
    return done.stdout


def pages() -> dict[Path, str]:
    """Each page as it should be."""
    rows = table()
    count = sum(line.startswith("| `") for line in rows.splitlines())
    readme = ROOT / "README.md"
    counted, times = re.subn(r"\d+( providers are built in)", rf"{count}\1", readme.read_text())
    if times != 1:
        raise ValueError("README.md says once how many `providers are built in`")
    return {readme: counted, ROOT / "docs/providers.md": HEAD + rows}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text)
