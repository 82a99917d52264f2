"""What JavaScript users install: the packed tarball, in a clean project outside this repository."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from delivery import BODY, SECRET, signed

ROOT = Path(__file__).resolve().parents[2]

BODY_OF_SCRIPT = """
const [body, secret, headers] = JSON.parse(require_stdin());
const verifier = new Verifier("agentbot", secret);
const delivery = verifier.verify(Buffer.from(body), headers, { now: 1700000000 });
let refused = null;
try { verifier.verify(Buffer.from("{}"), headers, { now: 1700000000 }); } catch (error) { refused = error.code; }
console.log(JSON.stringify({ id: delivery.id, refused }));
"""
SCRIPTS = {
    "script.mjs": 'import { readFileSync } from "node:fs"; import { Verifier } from "hookproof";'
    " const require_stdin = () => readFileSync(0, 'utf8');" + BODY_OF_SCRIPT,
    "script.cjs": 'const { readFileSync } = require("node:fs"); const { Verifier } = require("hookproof");'
    " const require_stdin = () => readFileSync(0, 'utf8');" + BODY_OF_SCRIPT,
}


@pytest.fixture(scope="module")
def clean_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm")
    subprocess.run(
        ["npm", "pack", "--silent", "--workspace", "hookproof", "--pack-destination", folder], cwd=ROOT, check=True
    )
    (tarball,) = folder.glob("*.tgz")
    project = folder / "project"
    project.mkdir()
    (project / "package.json").write_text('{"private": true}')
    subprocess.run(["npm", "install", "--silent", "--offline", tarball], cwd=project, check=True)
    return project


@pytest.mark.parametrize("name", list(SCRIPTS))
def test_the_tarball_verifies_in_a_clean_project(clean_project: Path, name: str) -> None:
    (clean_project / name).write_text(SCRIPTS[name])
    request = json.dumps([BODY.decode(), SECRET, signed(at=1_700_000_000)])
    done = subprocess.run(["node", name], input=request, cwd=clean_project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"id": "dlv_1", "refused": "signature_mismatch"}


def test_the_tarball_brings_no_other_package(clean_project: Path) -> None:
    installed = [path.name for path in (clean_project / "node_modules").iterdir() if not path.name.startswith(".")]
    assert installed == ["hookproof"]
