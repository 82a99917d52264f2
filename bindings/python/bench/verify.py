#!/usr/bin/env python3
"""One verification beside the ones that people use today, in one process, cases interleaved, medians in microseconds.

    make bench-python            or    python bindings/python/bench/verify.py [--quick] [--json FILE]

Exit code 1 if a ratio of the table in the documentation is missed.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import slack_sdk.signature
import standardwebhooks
import stripe
import svix

from hookproof import Signer, VerificationError, Verifier

SIZES = {"256 B": 256, "1 KiB": 1 << 10, "16 KiB": 16 << 10, "1 MiB": 1 << 20}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECOND = "whsec_" + base64.b64encode(bytes(range(24))).decode()
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))
HMAC = "hmac.digest + compare_digest"

# What is to be reached, at each size: at most this share of the case beside it.
LIMITS: dict[str, tuple[float | None, ...]] = {
    HMAC: (0.35, 0.5, 0.9, 1.01),
    "standardwebhooks": (0.08, 0.08, 0.08, 0.08),
}


def body_of(size: int) -> bytes:
    """Real JSON: about twenty small objects in a KiB."""
    items = []
    length = 2
    n = 0
    while length < size:
        item = json.dumps({"id": n, "name": f"item {n}", "ok": True}, separators=(",", ":"))
        items.append(item)
        length += len(item) + 1
        n += 1
    text = f"[{','.join(items)}]".encode()[: size - 2]
    # cut and filled up again, so that it stays JSON of this size
    end = text.rfind(b"},") + 1 or 1
    text = text[:end] + b"]"
    return text + b" " * (size - len(text))


def cases(size: int) -> dict[str, Callable[[], Any]]:
    body = body_of(size)
    now = int(time.time())
    signed = Signer("standard-webhooks", SECRET).sign(body, id="msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", timestamp=now).headers
    headers = {
        "host": "example.com",
        "user-agent": "sender/1.0",
        "accept": "*/*",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-forwarded-for": "192.0.2.1",
        **{name.lower(): value for name, value in signed.items()},
    }
    environ = {
        "REQUEST_METHOD": "POST",
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()},
    }
    wrong = {**headers, "webhook-signature": "v1," + base64.b64encode(bytes(32)).decode()}
    long = {**headers, "webhook-signature": "v1," + "A" * 8190}
    verifier = Verifier("standard-webhooks", SECRET)
    rotated = Verifier("standard-webhooks", [SECOND, SECRET])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = hmac.digest(KEY, content, "sha256")
    theirs = standardwebhooks.Webhook(SECRET)
    theirs_svix = svix.Webhook(SECRET)
    slack = slack_sdk.signature.SignatureVerifier("s3cret")
    for_slack = Signer("slack", "s3cret").sign(body, timestamp=now).headers
    for_stripe = Signer("stripe", "s3cret").sign(body, timestamp=now).headers["Stripe-Signature"]

    def bare() -> None:
        head = headers["webhook-id"].encode() + b"." + headers["webhook-timestamp"].encode() + b"."
        assert hmac.compare_digest(hmac.digest(KEY, head + body, "sha256"), expected)

    def refused(given: dict[str, str]) -> Callable[[], None]:
        def verify() -> None:
            try:
                verifier.verify(body, given)
            except VerificationError:
                return
            raise AssertionError

        return verify

    def without_json() -> None:
        # what standardwebhooks does but parse
        signature = theirs.sign(headers["webhook-id"], _moment(now), body.decode())
        assert any(
            hmac.compare_digest(signature.encode(), part.encode()) for part in headers["webhook-signature"].split()
        )

    return {
        "hookproof": lambda: verifier.verify(body, headers),
        "hookproof, WSGI environ": lambda: verifier.verify(body, environ),
        "hookproof, two secrets": lambda: rotated.verify(body, headers),
        "hookproof, refusal": refused(wrong),
        "hookproof, header too long": refused(long),
        HMAC: bare,
        "standardwebhooks": lambda: theirs.verify(body, headers),
        "standardwebhooks without JSON": without_json,
        "svix": lambda: theirs_svix.verify(
            body, {f"svix-{k[8:]}": v for k, v in headers.items() if k.startswith("webhook-")}
        ),
        "stripe": lambda: stripe.WebhookSignature.verify_header(body.decode(), for_stripe, "s3cret", 300),
        "slack_sdk": lambda: slack.is_valid_request(body, for_slack),
    }


def _moment(now: int) -> Any:
    from datetime import datetime, timezone

    return datetime.fromtimestamp(now, tz=timezone.utc)


def measured(size: int, seconds: float) -> dict[str, float]:
    """The median of each case: rounds in which every case has its turn, each for a few calls."""
    chosen = cases(size)
    calls = {}
    for name, case in chosen.items():
        started = time.perf_counter()
        for _ in range(3):
            case()
        once = (time.perf_counter() - started) / 3
        calls[name] = max(1, int(0.001 / once))
    times: dict[str, list[float]] = {name: [] for name in chosen}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or min(map(len, times.values())) < 15:
        for name, case in chosen.items():
            count = calls[name]
            rounds = range(count)
            started = time.perf_counter()
            for _ in rounds:
                case()
            times[name].append((time.perf_counter() - started) / count * 1e6)
    return {name: statistics.median(took) for name, took in times.items()}


def import_ms() -> float:
    code = "import time; t = time.perf_counter(); import hookproof; print((time.perf_counter() - t) * 1000)"
    runs = [
        subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
        for _ in range(15)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a second for each size instead of eight")
    parser.add_argument("--json", metavar="FILE", help="writes the medians there")
    options = parser.parse_args()
    found = {name: measured(size, 1 if options.quick else 8) for name, size in SIZES.items()}
    took = import_ms()

    names = list(next(iter(found.values())))
    print(f"{'microseconds':<32}" + "".join(f"{size:>12}" for size in SIZES))
    for name in names:
        print(f"{name:<32}" + "".join(f"{found[size][name]:>12.2f}" for size in SIZES))
    missed = []
    print(f"\n{'hookproof as a share of':<32}" + "".join(f"{size:>20}" for size in SIZES))
    checks = [(beside, "hookproof", beside, limits) for beside, limits in LIMITS.items()]
    checks.append(("one secret (two)", "hookproof, two secrets", "hookproof", (None, 1.1, 1.1, 1.1)))
    # Below, the exception itself, which a refusal is in Python, costs more than the verification.
    checks.append(("an acceptance (refusal)", "hookproof, refusal", "hookproof", (None, None, 1.02, 1.02)))
    for title, ours, beside, limits in checks:
        row = f"{title:<32}"
        for size, limit in zip(SIZES, limits, strict=True):
            share = found[size][ours] / found[size][beside]
            if limit is not None and share > limit:
                missed.append(f"{title} at {size}: {share:.3f}, at most {limit}")
            row += f"{share:>10.3f} {'' if limit is None else f'(<= {limit})':<9}"
        print(row)
    longest = found["256 B"]["hookproof, header too long"]
    print(
        f"\na header of 8,193 bytes is refused in {longest:.2f} microseconds (< 5); import hookproof: {took:.2f} ms (<= 3)"
    )
    if longest >= 5:
        missed.append(f"a header of 8,193 bytes: {longest:.2f} microseconds, less than 5")
    if took > 3:
        missed.append(f"import: {took:.2f} ms, at most 3")
    for line in missed:
        print(f"missed: {line}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(
                {"python": sys.version.split()[0], "openssl": _openssl(), "import_ms": took, "us": found},
                file,
                indent=1,
            )
    return 1 if missed else 0


def _openssl() -> str:
    import ssl

    hashlib.sha256()
    return ssl.OPENSSL_VERSION


if __name__ == "__main__":
    sys.exit(main())
