"""`tests/stores/contract.json` on every store of this package."""

from __future__ import annotations

import hashlib
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

CONTRACT = json.loads((Path(__file__).parents[4] / "tests" / "stores" / "contract.json").read_text())
CASES = CONTRACT["cases"]


def digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def token(name: str) -> bytes:
    return digest(name)[:16]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_store(case: dict[str, Any], store: Any) -> None:
    if case.get("remote") and type(store).__name__ == "MemoryStore":
        return  # its answers cannot be lost: they never leave the process
    run = uuid.uuid4().hex
    fences: dict[str, int] = {}
    for operation, *given in case["steps"]:
        if operation == "wait":
            time.sleep(given[0] / 1000)
            continue
        key = digest(f"{run} {given[0]}")
        if operation == "claim":
            _, by, lease_ms, expected = given
            judge(store.claim(key, token(by), digest(by), lease_ms), expected, given[0], lease_ms, fences)
        elif operation == "race":
            assert race(store, key, *given[1:]).count("claimed") == 1
        elif operation == "forget":
            assert store.forget(key) is given[1]
        else:
            *rest, expected = given[2:]
            assert getattr(store, operation)(key, token(given[1]), *rest) is expected, [operation, *given]


def judge(answer: tuple[str, Any], expected: str, name: str, lease_ms: int, fences: dict[str, int]) -> None:
    kind, value = answer
    if expected == "claimed":
        assert kind == "claimed"
        assert value > fences.get(name, 0)
        fences[name] = value
    elif expected == "same":
        assert (kind, value) == ("claimed", fences[name])
    elif expected == "in_flight":
        assert kind == "in_flight"
        assert 1 <= value <= max(lease_ms, 86_400_000)
    else:
        assert (kind, value) == ("done", digest(expected.removeprefix("done ")))


def race(store: Any, key: bytes, racers: int, lease_ms: int) -> list[str]:
    tokens = [token(f"racer {n}") for n in range(racers)]
    if hasattr(type(store), "race"):
        return [kind for kind, _ in store.race(key, tokens, lease_ms)]
    kinds: list[str] = []
    start = threading.Barrier(racers)

    def claim(mine: bytes) -> None:
        start.wait()
        kinds.append(store.claim(key, mine, b"\0" * 32, lease_ms)[0])

    threads = [threading.Thread(target=claim, args=(mine,)) for mine in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kinds) == ["claimed"] + ["in_flight"] * (racers - 1)
    return kinds
