"""What users' own tests are given, used as the README says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"

CONFTEST = """
import pytest
from flask import Flask
from hookproof import MemoryStore, Receiver
from hookproof.flask import receive

receiver = Receiver("agentbot", "s3cret", store=MemoryStore())

@pytest.fixture
def client():
    app = Flask(__name__)
    app.post("/webhooks/agentbot")(receive(receiver)(lambda delivery: None))
    return app.test_client()

def test_the_clock_runs_again():
    import time
    assert abs(receiver.clock() - time.time()) < 5
"""


def test_the_readmes_test_passes(tmp_path: Path) -> None:
    blocks = README.read_text().split("```python\n")[1:]
    (example,) = (block.partition("```")[0] for block in blocks if "hookproof.testing" in block)
    head, _, rest = CONFTEST.partition("def test_the_clock_runs_again")
    (tmp_path / "test_mine.py").write_text(f"{head}\n{example}\n\ndef test_the_clock_runs_again{rest}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tmp_path],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout
