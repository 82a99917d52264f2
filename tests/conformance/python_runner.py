#!/usr/bin/env python3
"""Plays every vector through the Python package and prints what it said: see README.md for the format."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hookproof import ConfigurationError, MemoryStore, Receiver, Scheme, VerificationError, Verifier

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
BUILT_IN = set(Scheme.names())
CONFIG = json.loads((VECTORS / "config.json").read_text())
# Where a record gives no time, none is signed; any will do.
NOW = 1_700_000_000


def main() -> int:
    ran = 0
    for id, play in records():
        print(json.dumps({"id": id, "code": outcome(play)}))
        ran += 1
    print(f"ran {ran}")
    return 0


def records() -> Iterator[tuple[str, Callable[[], str]]]:
    for file in ("published.json", "found.json"):
        for record in json.loads((VECTORS / file).read_text()):
            if "scheme_data" in record or record["provider"] in BUILT_IN:
                yield record["id"], lambda record=record: published(record)
    for case in json.loads((VECTORS / "hostile.json").read_text())["cases"]:
        yield f"hostile-{case['n']}", lambda case=case: hostile(case)


def outcome(play: Callable[[], str]) -> str:
    try:
        return play()
    except (VerificationError, ConfigurationError) as error:
        return error.code
    except BaseException as error:
        return f"broken: {type(error).__name__}: {error}"


def published(record: dict[str, Any]) -> str:
    options: dict[str, Any] = {"allow_legacy": True}
    if record["provider"] in CONFIG:
        options["config"] = CONFIG[record["provider"]]
    scheme = record.get("scheme_data", record["provider"])
    now = NOW if record.get("timestamp_now") is None else record["timestamp_now"]
    if record["expect"] == "challenge":
        return challenge(record, scheme, options, now)
    verifier = Verifier(scheme, record["secret"], **options)
    verifier.verify(body(record), record["headers"], method=record.get("method"), url=record.get("url"), now=now)
    return "ok"


def challenge(record: dict[str, Any], scheme: Any, options: dict[str, Any], now: int) -> str:
    """Through WSGI, because a handshake is a receiver's answer to a request."""
    from hookproof.wsgi import receive

    receiver = Receiver(scheme, record["secret"], store=MemoryStore(), handshake=True, clock=lambda: now, **options)
    published = record["challenge"]
    environ = {
        "REQUEST_METHOD": record.get("method", "GET"),
        "PATH_INFO": "/webhook",
        "QUERY_STRING": published.get("query", ""),
        "SERVER_NAME": "example.com",
        "SERVER_PORT": "443",
        "wsgi.url_scheme": "https",
        "wsgi.input": _Body(body(record)),
        "CONTENT_LENGTH": str(len(body(record))),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in record["headers"].items()},
    }
    statuses: list[str] = []
    answer = b"".join(receive(receiver, not_reached)(environ, lambda status, headers: statuses.append(status)))
    if not statuses[0].startswith("200"):
        return f"broken: answered {statuses[0]}"
    if "response_json" in published:
        right = json.loads(answer) == published["response_json"]
    else:
        right = answer.decode() == published["response"]
    return "challenge" if right else f"broken: answered {answer!r}"


def not_reached(environ: object, start_response: object) -> list[bytes]:
    raise AssertionError("the handshake was taken for a delivery")


class _Body:
    """A `wsgi.input`."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, size: int = -1) -> bytes:
        taken = self._content if size < 0 else self._content[:size]
        self._content = self._content[len(taken) :]
        return taken


def body(record: Mapping[str, Any]) -> bytes:
    if "body_utf8" in record:
        return str(record["body_utf8"]).encode()
    if "body_b64" in record:
        return base64.b64decode(record["body_b64"])
    if "body_repeat" in record:
        return str(record["body_repeat"]["byte"]).encode() * int(record["body_repeat"]["count"])
    if "body" in record:
        return bytes.fromhex(record["body"]["repeat_byte"]) * int(record["body"]["length"])
    return b""


def hostile(case: dict[str, Any]) -> str:
    config = case["config"]
    numbers = {"NaN": float("nan"), "Infinity": float("inf")}
    tolerance = config["tolerance_s"]
    if isinstance(tolerance, str):
        tolerance = numbers.get(tolerance, tolerance)
    options: dict[str, Any] = {"tolerance": tolerance}
    if "max_body_bytes" in config:
        options["max_body"] = config["max_body_bytes"]
    verifier = Verifier("standard-webhooks", config["secrets"], **options)
    # One character for each byte on the wire: what WSGI servers hand over, too.
    headers: list[tuple[str, Any]] = [(name, value) for name, value in case["headers"]]
    given = case.get("binding_value")
    if given is None:
        verifier.verify(body(case), headers, now=config["now"])
        return "ok"
    if given["py"] == "n/a":
        return "n/a"
    if given["where"] == "body":
        verifier.verify(BODIES[given["py"]](body(case)), headers, now=config["now"])
    elif given["where"] == "headers":
        return with_headers(HEADERS[given["py"]](dict(headers)), verifier, case)
    else:
        name = given["where"].removeprefix("headers['").removesuffix("']")
        good = dict(headers)
        verifier.verify(body(case), {**good, name: VALUES[given["py"]](good[name])}, now=config["now"])
    return "ok"


def with_headers(headers: Any, verifier: Verifier, case: dict[str, Any]) -> str:
    verifier.verify(body(case), headers, now=case["config"]["now"])
    if isinstance(headers, Changing) and any(reads != 1 for reads in headers.reads.values()):
        return f"broken: headers were read {headers.reads} times"
    return "ok"


class Changing(Mapping[str, str]):
    """Headers that answer differently on a second read."""

    def __init__(self, good: dict[str, str]) -> None:
        self._good = good
        self.reads = dict.fromkeys(good, 0)

    def __getitem__(self, name: str) -> str:
        self.reads[name] += 1
        return self._good[name] if self.reads[name] == 1 else "changed"

    def __iter__(self) -> Iterator[str]:
        return iter(self._good)

    def __len__(self) -> int:
        return len(self._good)


class Text:
    """An object with `__str__`."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


def released(content: bytes) -> memoryview:
    view = memoryview(content)
    view.release()
    return view


# What stands in `binding_value.py`, word for word: a new word is a new line here, or the runner fails.
BODIES: dict[str, Callable[[bytes], Any]] = {
    "dict": lambda content: json.loads(content),
    "None": lambda content: None,
    "1": lambda content: 1,
    "str": lambda content: content.decode(),
    "[123,125]": lambda content: [123, 125],
    "released memoryview": released,
    "memoryview(b)[8:8+n]": lambda content: memoryview(b"8 bytes." + content + b"more")[8 : 8 + len(content)],
}
HEADERS: dict[str, Callable[[dict[str, str]], Any]] = {
    "None": lambda good: None,
    "str": lambda good: "\r\n".join(f"{name}: {value}" for name, value in good.items()),
    "mapping with side effects": Changing,
}
VALUES: dict[str, Callable[[str], Any]] = {
    "[GOOD, GOOD]": lambda good: [good, good],
    "[GOOD]": lambda good: [good],
    "1700000000": int,
    "object with __str__": Text,
    "None": lambda good: None,
    "'msg_\\udcff'": lambda good: "msg_\udcff",
}


if __name__ == "__main__":
    sys.exit(main())
