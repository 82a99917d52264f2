"""Direct verification: what may be passed, and what comes back."""

from __future__ import annotations

import pickle
import sys
import threading
from array import array
from collections import OrderedDict
from email.message import Message
from types import MappingProxyType
from typing import Any

import pytest
from django.test import RequestFactory
from sending import BODY, PROVIDER, SECRET, headers
from starlette.datastructures import Headers as StarletteHeaders
from werkzeug.datastructures import EnvironHeaders
from werkzeug.datastructures import Headers as WerkzeugHeaders
from werkzeug.test import EnvironBuilder

import hookproof
from hookproof import ConfigurationError, Explanation, Scheme, Secret, Signer, VerificationError, Verifier, _engine

NOW = 1_700_000_000


@pytest.fixture
def verifier() -> Verifier:
    return Verifier(PROVIDER, SECRET)


@pytest.fixture
def good() -> dict[str, str]:
    return headers(timestamp=NOW)


def refusal(verifier: Verifier, *args: Any, **named: Any) -> VerificationError:
    with pytest.raises(VerificationError) as raised:
        verifier.verify(*args, now=NOW, **named)
    return raised.value


def environ(good: dict[str, str]) -> dict[str, Any]:
    return EnvironBuilder(method="POST", headers=list(good.items()), data=BODY).get_environ()


def as_message(good: dict[str, str]) -> Message:
    message = Message()
    for name, value in good.items():
        message[name] = value
    return message


HEADERS = {
    "dict": dict,
    "upper case": lambda good: {name.upper(): value for name, value in good.items()},
    "ordered": OrderedDict,
    "mapping": MappingProxyType,
    "pairs": lambda good: list(good.items()),
    "tuple of pairs": lambda good: tuple(good.items()),
    "bytes, as in ASGI": lambda good: [(name.lower().encode(), value.encode()) for name, value in good.items()],
    "lists of values": lambda good: {name: [value] for name, value in good.items()},
    "environ": environ,
    "werkzeug": WerkzeugHeaders,
    "werkzeug request": lambda good: EnvironHeaders(environ(good)),
    "starlette": StarletteHeaders,
    "http.client": as_message,
    "django": lambda good: RequestFactory().post("/", headers=good).headers,
    "django META": lambda good: RequestFactory().post("/", headers=good).META,
}


@pytest.mark.parametrize("shape", HEADERS)
def test_headers_of_every_framework(shape: str, verifier: Verifier, good: dict[str, str]) -> None:
    delivery = verifier.verify(BODY, HEADERS[shape](good), now=NOW)
    assert (delivery.id, delivery.timestamp) == ("dlv_1", NOW)


def test_one_spelling_of_a_header_counts(verifier: Verifier, good: dict[str, str]) -> None:
    plain = {name.lower(): value for name, value in good.items()}
    other = {name.upper(): "t=1,v1=00" for name in good}
    for given in ({**plain, **other}, {**other, **plain}):
        assert verifier.verify(BODY, given, now=NOW).id == "dlv_1"
    # Two that are both of another case are two lines of one header.
    assert refusal(verifier, BODY, {**good, **other}).code == "signature_malformed"


@pytest.mark.parametrize("absent", ["none", "missing", "empty list", "environ"])
def test_an_absent_header(absent: str, verifier: Verifier, good: dict[str, str]) -> None:
    name = "X-Agentbot-Signature"
    given: Any = {**good}
    if absent == "environ":
        given = environ({**good, name: ""})
    elif absent == "missing":
        del given[name]
    else:
        given[name] = None if absent == "none" else []
    assert refusal(verifier, BODY, given).code == "signature_missing"


@pytest.mark.parametrize("value", [5, 1.5, object(), b"x".join, {"a": "b"}, True, [["nested"]], [5], {"set"}])
def test_a_value_that_is_no_text(value: Any, verifier: Verifier, good: dict[str, str]) -> None:
    error = refusal(verifier, BODY, {**good, "X-Agentbot-Signature": value})
    assert (error.code, error.status) == ("headers_unsupported", 500)


@pytest.mark.parametrize(
    "given",
    [None, "x: y", b"x: y", 5, object(), [1], ["ab", "c"], [("a",)], [("a", "b", "c")], {5: "x"}, iter(()), {1}],
)
def test_headers_that_are_none(given: Any, verifier: Verifier) -> None:
    assert refusal(verifier, BODY, given).code in (
        "headers_unsupported",
        "signature_missing" if given == ["ab"] else "",
    )


def test_headers_that_raise(verifier: Verifier) -> None:
    class Broken(dict[str, str]):
        pass

    class Lazy:
        def items(self) -> Any:
            raise KeyError("canary")

    error = refusal(verifier, BODY, Lazy())
    assert (error.code, "KeyError" in str(error), "canary" in str(error)) == ("headers_unsupported", True, False)
    assert refusal(verifier, BODY, Broken()).code == "signature_missing"


def test_an_interrupt_is_let_through(verifier: Verifier) -> None:
    class Slow:
        def items(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verifier.verify(BODY, Slow())


def test_several_lines_are_one_value(verifier: Verifier, good: dict[str, str]) -> None:
    name, value = "X-Agentbot-Signature", good["X-Agentbot-Signature"]
    time, signature = value.split(",")
    for lines in ({name: [time, signature]}, [(name, time), (name.lower(), signature)]):
        assert verifier.verify(BODY, lines, now=NOW).timestamp == NOW


BODIES: dict[str, Any] = {
    "bytes": BODY,
    "bytearray": bytearray(BODY),
    "memoryview": memoryview(BODY),
    "a part of a memoryview": memoryview(b"before" + BODY + b"after")[6 : 6 + len(BODY)],
    "a memoryview with gaps": memoryview(b"".join(bytes([byte, 0]) for byte in BODY))[::2],
    "array": array("B", BODY),
    "str": BODY.decode(),
}


@pytest.mark.parametrize("shape", BODIES)
def test_bodies(shape: str, verifier: Verifier, good: dict[str, str]) -> None:
    delivery = verifier.verify(BODIES[shape], good, now=NOW)
    assert delivery.body == BODY
    assert type(delivery.body) is bytes


def test_a_body_that_changes_later(verifier: Verifier, good: dict[str, str]) -> None:
    body = bytearray(BODY)
    delivery = verifier.verify(body, good, now=NOW)
    body[:] = b"x" * len(body)
    assert delivery.body == BODY


@pytest.mark.parametrize("body", [None, {}, {"a": 1}, 1, 1.5, [123], object(), array("i", [1]), "\udcff", iter(b"")])
def test_a_body_that_is_not_raw(body: Any, verifier: Verifier, good: dict[str, str]) -> None:
    error = refusal(verifier, body, good)
    assert (error.code, error.status) == ("body_not_raw", 500)


def test_the_message_about_a_parsed_body_says_what_to_do(verifier: Verifier, good: dict[str, str]) -> None:
    message = str(refusal(verifier, {"event": "canary"}, good))
    assert "request.get_data()" in message
    assert "await request.body()" in message
    assert "canary" not in message


def test_headers_are_judged_before_the_body(verifier: Verifier) -> None:
    assert refusal(verifier, None, None).code == "headers_unsupported"


@pytest.mark.parametrize("now", [1.5, "1700000000", True.__class__, 1 << 70, object()])
def test_a_time_that_is_none(now: Any, verifier: Verifier, good: dict[str, str]) -> None:
    with pytest.raises(VerificationError) as raised:
        verifier.verify(BODY, good, now=now)
    assert raised.value.code == "request_incomplete"


@pytest.mark.parametrize("part", ["method", "url"])
def test_parts_that_are_no_text(part: str, verifier: Verifier, good: dict[str, str]) -> None:
    assert refusal(verifier, BODY, good, **{part: 5}).code == "request_incomplete"


def test_a_delivery(verifier: Verifier, good: dict[str, str]) -> None:
    delivery = verifier.verify(BODY, good, now=NOW)
    assert delivery.provider == "agentbot"
    assert delivery.event_type == "message.created"
    assert delivery.json() == {"event": "message.created", "data": {"n": 1}}
    assert delivery.signed is None
    assert delivery.secret_name is None
    key = delivery.key()
    assert key is not None
    assert len(key) == 32
    assert delivery.key("crm") != key
    assert delivery.to_message()["body"] == BODY.decode()
    assert repr(delivery) == "<Delivery agentbot id=dlv_1 event_type=message.created>"
    (item,) = delivery.items()
    assert (item.id, item.key, item.json()) == ("dlv_1", key, delivery.json())


def test_only_a_verifier_makes_a_delivery() -> None:
    with pytest.raises(TypeError):
        _engine.Delivery()


def test_what_json_refuses(verifier: Verifier) -> None:
    deep = [b"[" * depth + b"]" * depth for depth in (127, 128, 100_000)]
    assert verifier.verify(deep[0], headers(deep[0], timestamp=NOW), now=NOW).json()
    for body in (b"\xff", b"{", b"NaN", *deep[1:], b"1" * 5000, b"\xef\xbb\xbf{}"):
        delivery = verifier.verify(body, headers(body, timestamp=NOW), now=NOW)
        with pytest.raises(VerificationError) as raised:
            delivery.json()
        assert (raised.value.code, raised.value.status) == ("body_malformed", 400)


def test_a_body_that_is_no_text_as_message(verifier: Verifier) -> None:
    body = b"\xff\x00"
    message = verifier.verify(body, headers(body, timestamp=NOW), now=NOW).to_message()
    assert message["body_base64"] == "/wA="
    assert "body" not in message


def test_rotation_says_which_secret_matched(good: dict[str, str]) -> None:
    verifier = Verifier(PROVIDER, [Secret("new one", name="new"), Secret(SECRET, name="old", not_after=NOW)])
    assert verifier.verify(BODY, good, now=NOW).secret_name == "old"
    later = headers(timestamp=NOW + 1)
    with pytest.raises(VerificationError) as raised:
        verifier.verify(BODY, later, now=NOW + 1)
    assert raised.value.code == "signature_mismatch"


def test_a_stream(verifier: Verifier, good: dict[str, str]) -> None:
    stream = verifier.start(good)
    for byte in BODY:
        stream.update(bytes([byte]))
    assert stream.finish(now=NOW).body == BODY
    with pytest.raises(VerificationError):
        stream.finish()
    with pytest.raises(VerificationError) as raised:
        verifier.start({})
    assert raised.value.code == "signature_missing"


def test_a_stream_stops_at_the_limit(good: dict[str, str]) -> None:
    stream = Verifier(PROVIDER, SECRET, max_body=10).start(good)
    stream.update(b"x" * 10)
    with pytest.raises(VerificationError) as raised:
        stream.update(b"x")
    assert raised.value.code == "body_too_large"


def test_refusals_of_one_kind_are_exceptions_of_their_own(verifier: Verifier, good: dict[str, str]) -> None:
    first, second = (refusal(verifier, b"another body", good) for _ in range(2))
    assert (first is second, first.args) == (False, second.args)
    first.seen = True  # type: ignore[attr-defined]
    assert not hasattr(second, "seen")
    # and where it says a number, it says its own
    late = [refusal(verifier, BODY, headers(timestamp=NOW - seconds)) for seconds in (1000, 2000, 1000)]
    assert [
        f"signed {seconds} s ago" in str(error) for error, seconds in zip(late, (1000, 2000, 1000), strict=True)
    ] == [True] * 3


@pytest.mark.parametrize("make", [lambda: Verifier(PROVIDER, SECRET), lambda: Secret(SECRET)])
def test_what_holds_a_secret_is_not_pickled(make: Any) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(make())


def test_errors_pickle() -> None:
    error = pickle.loads(pickle.dumps(VerificationError("why", "signature_mismatch", 401)))
    assert (str(error), error.code, error.status) == ("why", "signature_mismatch", 401)
    assert isinstance(ConfigurationError("why", "option_invalid"), ValueError)


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        (None, "secret_missing"),
        ([], "secret_missing"),
        ([None], "secret_missing"),
        ("", "secret_empty"),
        (b"", "secret_empty"),
        (5, "secret_malformed"),
        (object(), "secret_malformed"),
        ("\udcff", "secret_malformed"),
        ([SECRET] * 9, "secret_too_many"),
    ],
)
def test_secrets_that_are_none(secret: Any, code: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Verifier(PROVIDER, secret)
    assert raised.value.code == code


@pytest.mark.parametrize("secret", [SECRET.encode(), bytearray(SECRET.encode()), Secret(SECRET), (SECRET,)])
def test_secrets_that_are(secret: Any, good: dict[str, str]) -> None:
    assert Verifier(PROVIDER, secret).verify(BODY, good, now=NOW).id == "dlv_1"


def test_an_unknown_scheme_names_the_closest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean `agentbot`") as raised:
        Verifier("agentbott", SECRET)
    assert raised.value.code == "scheme_unknown"


ACME = {
    "id": "acme",
    "title": "Acme",
    "signature": {
        "algorithm": "hmac-sha256",
        "header": "X-Acme-Signature",
        "separator": ",",
        "joiner": "=",
        "labels": ["v1"],
        "content": "{timestamp}.{body}",
    },
    "timestamp": {"from": "label:t"},
}


def test_a_scheme_of_ones_own(tmp_path: Any) -> None:
    (tmp_path / "acme.toml").write_text(
        'id = "acme"\ntitle = "Acme"\n[signature]\nalgorithm = "hmac-sha256"\nheader = "X-Acme-Signature"\n'
        'separator = ","\njoiner = "="\nlabels = ["v1"]\ncontent = "{timestamp}.{body}"\n'
        '[timestamp]\nfrom = "label:t"\n'
    )
    schemes = [Scheme(ACME), Scheme(MappingProxyType(ACME)), Scheme.from_file(tmp_path / "acme.toml")]
    for scheme in schemes:
        sent = hookproof.Signer(scheme, "s").sign(b"x", timestamp=NOW).headers
        assert Verifier(scheme, "s").verify(b"x", sent, now=NOW).provider == "acme"
    assert Scheme(schemes[0]) is schemes[0]


@pytest.mark.parametrize(
    "scheme",
    [{}, {**ACME, "signature": {}}, {"id": float("nan")}, {"id": object()}, {"id": {"a": {1: 2}}}, {"id": "\udcff"}],
)
def test_schemes_that_are_none(scheme: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Scheme(scheme)
    assert raised.value.code == "scheme_invalid"


def test_a_scheme_that_holds_itself() -> None:
    scheme: dict[str, Any] = {"id": "acme"}
    scheme["signature"] = scheme
    with pytest.raises(ConfigurationError):
        Scheme(scheme)


def test_a_file_that_is_no_scheme(tmp_path: Any) -> None:
    file = tmp_path / "acme.toml"
    for content in (b"id = \n", b"\xff\xfe", b'id = "acme"\nsignatur = 5\n'):
        file.write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"acme\.toml") as raised:
            Scheme.from_file(file)
        assert raised.value.code == "scheme_invalid"
    with pytest.raises(FileNotFoundError):
        Scheme.from_file(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    "options",
    [
        {"tolerance": None},
        {"tolerance": 0},
        {"tolerance": float("nan")},
        {"tolerence": 60},
        {"max_body": "1 MiB"},
        {"public_url": "example.com"},
        {"config": {"unknown": "x"}},
        {"identity": "header"},
        {"events": 5},
        {"events": [object()]},
    ],
)
def test_options_that_are_none(options: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Verifier(PROVIDER, SECRET, **options)
    assert raised.value.code == "option_invalid"


def test_threads_share_a_verifier(verifier: Verifier, good: dict[str, str]) -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.extend(verifier.verify(BODY, good, now=NOW).id for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["dlv_1"] * 4000


@pytest.mark.parametrize(("size", "runs"), [(1 << 10, False), (1 << 20, False), ((1 << 20) + 1, True), (8 << 20, True)])
def test_other_threads_run_during_a_large_body_only(size: int, runs: bool) -> None:
    body = b"x" * size
    verifier = Verifier(PROVIDER, SECRET, max_body=16 << 20)
    good = headers(body, timestamp=NOW)
    ran = threading.Event()
    waiting = threading.Lock()
    waiting.acquire()
    thread = threading.Thread(target=lambda: (waiting.acquire(), ran.set()))
    thread.start()
    interval = sys.getswitchinterval()
    # from here on nobody else runs unless this thread lets go
    sys.setswitchinterval(1000)
    try:
        waiting.release()
        for _ in range(20):
            assert verifier.verify(body, good, now=NOW).body is body
        seen = ran.is_set()
    finally:
        sys.setswitchinterval(interval)
        thread.join()
    assert seen is runs


def test_a_panic_is_an_error_like_any_other(verifier: Verifier, good: dict[str, str], capfd: Any) -> None:
    for _ in range(1000):
        with pytest.raises(VerificationError) as raised:
            _engine.panic()
        assert (raised.value.code, raised.value.status) == ("internal_error", 500)
    assert verifier.verify(BODY, good, now=NOW).id == "dlv_1"
    capfd.readouterr()


GITHUB = Signer("github", "s3cret").sign(b'{"a": 1}').headers

PLAIN = Signer("github", "s3cret").sign(b"plain").headers
SQUARE = Signer("square", "s3cret").sign(b"{}", url="https://example.com/hooks/t0ken").headers

CAUSES: dict[str, tuple[str, str, bytes, dict[str, str]]] = {
    "body_reserialized": ("github", "s3cret", b'{"a":1}', GITHUB),
    "body_newline": ("github", "s3cret", b"plain\n", PLAIN),
    "secret_quoted": ("github", '"s3cret"', b"plain", PLAIN),
    "url_rewritten": ("square", "s3cret", b"{}", SQUARE),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_failure_is_explained(cause: str) -> None:
    scheme, secret, body, given = CAUSES[cause]
    verifier = Verifier(scheme, secret, explain_failures=True)
    why = verifier.explain(body, given, method="POST", url="http://example.com/hooks/t0ken")
    assert why is not None
    assert (why.cause, why.confidence) == (cause, "certain")
    assert why.fix
    assert why.steps
    assert "t0ken" not in repr((why, why.fix, why.steps))
    assert repr(why).startswith(f"<Explanation {cause} (certain): ")
    assert isinstance(why, Explanation)


def test_what_there_is_nothing_to_explain_about() -> None:
    verifier = Verifier("github", "s3cret", explain_failures=True)
    assert verifier.explain(b'{"a": 1}', GITHUB) is None
    assert verifier.explain(b'{"a": 1}', {}) is None


def test_a_guess_says_what_to_look_at() -> None:
    why = Verifier("github", "another", explain_failures=True).explain(b'{"a": 1}', GITHUB)
    assert why is not None
    assert (why.cause, why.confidence) == ("secret_or_body", "guess")
    assert len(why.steps) >= 2
    why = Verifier("github", "another").explain(b'{"a": 1}', GITHUB)
    assert why is not None
    assert "explain_failures" in why.steps[0]


def test_an_explanation_of_what_is_no_request_is_the_error() -> None:
    verifier = Verifier("github", "s3cret")
    for body, given in (({"a": 1}, GITHUB), (b"", 5)):
        with pytest.raises(VerificationError):
            verifier.explain(body, given)
