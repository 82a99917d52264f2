"""The README's code blocks."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def blocks(language: str) -> list[str]:
    """The blocks of one language, in the README's order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def languages() -> set[str]:
    """The languages of all blocks; a block without one is `""`."""
    fences = re.findall(r"^```(.*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    return set(fences[0::2])
