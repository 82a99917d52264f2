"""The JSON Schema for editors says what the core says: of every built-in scheme, of the documentation, of mistakes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

try:
    import tomllib
except ImportError:  # Python 3.10
    from pip._vendor import tomli as tomllib  # type: ignore[no-redef]

import hookproof

ROOT = Path(__file__).parents[2]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs/scheme.schema.json").read_text()))
SCHEMES = sorted((ROOT / "crates/hookproof/schemes").glob("*.toml"))


@pytest.mark.parametrize("path", SCHEMES, ids=lambda path: path.stem)
def test_every_built_in_scheme_is_valid(path: Path) -> None:
    SCHEMA.validate(tomllib.loads(path.read_text()))


def test_the_example_of_the_documentation_is_valid() -> None:
    example = re.search(r"```toml\n(.*?)```", (ROOT / "docs/schemes.md").read_text(), re.DOTALL)
    assert example
    scheme = tomllib.loads(example[1])
    SCHEMA.validate(scheme)
    assert hookproof.Scheme(scheme).id == "acme"


GOOD: dict[str, Any] = {"id": "acme", "signature": {"algorithm": "hmac-sha256", "header": "X-Acme"}}
MISTAKES: dict[str, dict[str, Any]] = {
    "unknown field": GOOD | {"signatur": {}},
    "no signature": {"id": "acme"},
    "upper-case id": GOOD | {"id": "Acme"},
    "unknown algorithm": GOOD | {"signature": {"algorithm": "hmac-sha3", "header": "X-Acme"}},
    "two places": GOOD | {"signature": {"algorithm": "hmac-sha256", "header": "X-Acme", "query": "sig"}},
    "no place": GOOD | {"signature": {"algorithm": "hmac-sha256"}},
    "long joiner": GOOD
    | {"signature": {"algorithm": "hmac-sha256", "header": "X", "separator": ",", "joiner": "==", "labels": ["v1"]}},
    "number for a duration": GOOD
    | {
        "signature": {"algorithm": "hmac-sha256", "header": "X", "content": "{timestamp}.{body}"},
        "timestamp": {"from": "header:x-t", "tolerance": 300},
    },
    "unknown unit": GOOD
    | {
        "signature": {"algorithm": "hmac-sha256", "header": "X", "content": "{timestamp}.{body}"},
        "timestamp": {"from": "header:x-t", "unit": "min"},
    },
    "unknown source": GOOD | {"delivery": {"id": "cookie:id"}},
    "no pointer": GOOD | {"delivery": {"items": "events"}},
    "path without its place": GOOD | {"signature": {"algorithm": "token", "path": "/hook"}},
    "secret of no known encoding": GOOD | {"secret": {"encoding": "rot13"}},
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_schema_and_core_refuse_the_same_mistakes(mistake: dict[str, Any]) -> None:
    assert not SCHEMA.is_valid(mistake)
    with pytest.raises(hookproof.ConfigurationError) as refused:
        hookproof.Scheme(mistake)
    assert refused.value.code == "scheme_invalid"


def test_schema_and_core_take_what_is_right() -> None:
    SCHEMA.validate(GOOD)
    assert hookproof.Scheme(GOOD).id == "acme"
