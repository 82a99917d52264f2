#!/usr/bin/env python3
"""Checks that every crate of the lock file has a licence that deny.toml allows and comes from the crate registry.

It needs nothing but cargo, so it is part of `make test`; `make deny` asks cargo-deny for the same and for advisories.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def allowed() -> set[str]:
    """The list `licenses.allow` (read as text: tomllib came only with Python 3.11)."""
    table = (ROOT / "deny.toml").read_text().split("[licenses]", 1)[1]
    return set(re.findall(r'"([^"]+)"', table.split("[", 1)[1].split("]", 1)[0]))


def permits(expression: str, allow: set[str]) -> bool:
    """Whether an SPDX expression can be met with the allowed licences: OR and `/` choose, AND needs both."""
    expression = expression.replace("/", " OR ").strip()
    depth, parts, word = 0, [], ""
    for token in re.findall(r"\(|\)|[^\s()]+", expression):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0 and token in ("OR", "AND"):
            parts += [word.strip(), token]
            word = ""
        else:
            word += f" {token}"
    parts.append(word.strip())
    if "OR" in parts:
        at = parts.index("OR")
        return permits(" ".join(parts[:at]), allow) or permits(" ".join(parts[at + 1 :]), allow)
    if "AND" in parts:
        at = parts.index("AND")
        return permits(" ".join(parts[:at]), allow) and permits(" ".join(parts[at + 1 :]), allow)
    if expression.startswith("(") and expression.endswith(")"):
        return permits(expression[1:-1], allow)
    return " ".join(expression.split()) in allow


def main() -> int:
    metadata = json.loads(
        subprocess.run(
            ["cargo", "metadata", "--format-version=1", "--all-features"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    allow = allowed()
    refused = 0
    for package in metadata["packages"]:
        licence = package["license"] or ""
        if not permits(licence, allow):
            print(f"{package['name']} {package['version']}: licence `{licence}` is not in deny.toml")
            refused += 1
        source = package["source"]
        if source is not None and not source.startswith("registry+"):
            print(f"{package['name']} {package['version']}: comes from {source}")
            refused += 1
    print(f"{len(metadata['packages'])} crates, {len(allow)} licences allowed, {refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
