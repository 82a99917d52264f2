"""What Python users install: the wheel, in a clean environment without this repository."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from delivery import BODY, SECRET, signed

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import json, sys
import hookproof
loaded = sorted(m for m in ("flask", "fastapi", "django", "sqlite3", "redis", "psycopg") if m in sys.modules)
body, secret, headers = json.load(sys.stdin)
verifier = hookproof.Verifier("agentbot", secret)
delivery = verifier.verify(body.encode(), headers, now=1700000000)
try:
    verifier.verify(b"{}", headers, now=1700000000)
    refused = None
except hookproof.VerificationError as error:
    refused = error.code
print(json.dumps({"id": delivery.id, "refused": refused, "loaded": loaded, "from": hookproof.__file__}))
"""


@pytest.fixture(scope="module")
def clean_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ["maturin", "build", "--quiet", "--release", "--manifest-path", "bindings/python/Cargo.toml"]
    subprocess.run([*build, "--out", folder], cwd=ROOT, check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-index", wheel], check=True)
    return python


def test_the_wheel_verifies_where_nothing_else_is_installed(clean_python: Path, tmp_path: Path) -> None:
    request = json.dumps([BODY.decode(), SECRET, signed(at=1_700_000_000)])
    done = subprocess.run(
        [clean_python, "-I", "-c", SCRIPT], input=request, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["id"] == "dlv_1"
    assert said["refused"] == "signature_mismatch"
    assert said["loaded"] == []
    assert said["from"].startswith(str(clean_python.parents[1]))


def test_the_wheel_has_types_and_no_tests(clean_python: Path) -> None:
    where = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    package = clean_python.parents[1] / where / "hookproof"
    assert (package / "py.typed").exists()
    assert list(package.glob("*.pyi")), "the engine's stubs"
    assert not list(package.rglob("test_*"))
