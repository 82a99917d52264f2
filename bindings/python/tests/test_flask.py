"""Flask: the right order, the raw body, and every answer of a reception."""

from __future__ import annotations

import io
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import flask
import pytest
from flask import Blueprint, Flask
from sending import BODY, PROVIDER, SECRET, headers

from hookproof import ConfigurationError, Delivery, LeaseLost, MemoryStore, Receiver
from hookproof.flask import receive, register
from hookproof.testing import post

URL = "/webhooks/agentbot"
Given = Any


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(PROVIDER, SECRET, store=MemoryStore())


@pytest.fixture
def app() -> Flask:
    return Flask(__name__)


def send(app: Flask, body: bytes = BODY, **named: Any) -> Any:
    return app.test_client().post(URL, data=body, headers={**headers(body), **named.pop("headers", {})}, **named)


def test_a_delivery_runs_the_handler_once(app: Flask, receiver: Receiver) -> None:
    seen = []

    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> None:
        assert flask.g.delivery is delivery
        assert flask.request.get_json() == delivery.json()
        seen.append(delivery.id)

    first, second = send(app), send(app)
    assert (first.status_code, first.data) == (200, b"")
    assert (second.status_code, second.data, second.headers["hookproof-outcome"]) == (200, b"", "duplicate")
    assert seen == ["dlv_1"]


@pytest.mark.parametrize(
    ("returns", "status", "data"),
    [
        (None, 200, b""),
        ("ok", 200, b"ok"),
        (("", 204), 204, b""),
        ({"a": 1}, 200, b'{"a":1}\n'),
        (("made", 201, {"x-y": "z"}), 201, b"made"),
        (lambda: iter(["a", "b"]), 200, b"ab"),
    ],
)
def test_what_a_handler_returns(app: Flask, receiver: Receiver, returns: Any, status: int, data: bytes) -> None:
    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> Any:
        return returns() if callable(returns) else returns

    answer = send(app)
    assert (answer.status_code, answer.data) == (status, data)
    assert send(app).headers["hookproof-outcome"] == "duplicate"


def breaks_off() -> Iterator[str]:
    yield "begun"
    raise OSError("broke off")


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        (lambda: 1 / 0, 500),
        (lambda: flask.abort(418), 418),
        (lambda: ("no", 503), 503),
        (lambda: flask.redirect("/elsewhere"), 302),
        (breaks_off, 500),
        (lambda: object(), 500),
    ],
)
def test_a_failure_lets_the_retry_run(app: Flask, receiver: Receiver, fails: Callable[[], Any], status: int) -> None:
    runs = []

    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> Any:
        runs.append(1)
        return fails() if len(runs) == 1 else None

    assert send(app).status_code == status
    assert send(app).status_code == 200
    assert len(runs) == 2


def test_a_copy_meets_the_claim_in_flight(app: Flask, receiver: Receiver) -> None:
    begun, go_on = threading.Event(), threading.Event()

    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> None:
        begun.set()
        go_on.wait(5)

    answers = []
    thread = threading.Thread(target=lambda: answers.append(send(app)))
    thread.start()
    begun.wait(5)
    copy = send(app)
    go_on.set()
    thread.join()
    assert copy.status_code == 409
    assert 1 <= int(copy.headers["retry-after"]) <= 5
    assert copy.get_json() == {"title": "Conflict", "status": 409}
    assert answers[0].status_code == 200


REFUSALS: dict[str, Callable[[Flask], Any]] = {
    "signature_missing": lambda app: app.test_client().post(URL, data=BODY),
    "signature_mismatch": lambda app: send(app, headers=headers(secret="another")),
    "signature_malformed": lambda app: send(app, headers={"x-agentbot-signature": "nonsense"}),
    "timestamp_too_old": lambda app: send(app, headers=headers(timestamp=1_700_000_000)),
    "body_too_large": lambda app: send(app, b"x" * ((1 << 20) + 1)),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refusal_tells_the_outside_nothing(
    app: Flask, receiver: Receiver, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> None:
        raise AssertionError("a refused request ran")

    answer = REFUSALS[code](app)
    title = {401: "Unauthorized", 413: "Content Too Large"}[answer.status_code]
    assert answer.get_json() == {"title": title, "status": answer.status_code}
    assert answer.headers["content-type"] == "application/problem+json"
    assert code not in answer.get_data(as_text=True) + str(answer.headers)
    assert f"refused {code} agentbot" in caplog.text


def test_the_wrong_order_fails_at_import(app: Flask, receiver: Receiver) -> None:
    with pytest.raises(ConfigurationError, match=r"`@app\.post\(\.\.\.\)` above") as raised:

        @receive(receiver)
        @app.post(URL)
        def on_delivery(delivery: Delivery) -> None: ...

    assert raised.value.code == "option_invalid"


def test_the_wrong_order_on_a_blueprint_fails_at_import(receiver: Receiver) -> None:
    blueprint = Blueprint("hooks", __name__)
    with pytest.raises(ConfigurationError, match="has a route already"):

        @receive(receiver)
        @blueprint.post(URL)
        def on_delivery(delivery: Delivery) -> None: ...


def test_what_ran_unverified_does_not_run(app: Flask) -> None:
    # Even if the order could not be seen: Flask has nothing to pass for `delivery`.
    @app.post(URL)
    def on_delivery(delivery: Delivery) -> None:
        raise AssertionError

    assert send(app).status_code == 500


@pytest.mark.parametrize(
    "handler",
    [
        lambda: None,
        lambda event: None,
        lambda **named: None,
        lambda delivery=None: None,
        eval("lambda delivery, /: None"),
        "on_delivery",
        None,
    ],
)
def test_handlers_that_are_none(receiver: Receiver, handler: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        receive(receiver)(handler)
    assert raised.value.code == "option_invalid"


def test_a_blueprint_and_a_path(app: Flask, receiver: Receiver) -> None:
    blueprint = Blueprint("hooks", __name__, url_prefix="/webhooks")
    seen = []

    @blueprint.post("/<tenant>")
    @receive(receiver)
    def on_delivery(delivery: Delivery, tenant: str) -> None:
        seen.append(tenant)

    app.register_blueprint(blueprint)
    assert send(app).status_code == 200
    assert seen == ["agentbot"]


def consumed_by(function: Callable[[], Any]) -> Flask:
    app = Flask(__name__)
    app.before_request(lambda: function() and None)
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore())
    app.post(URL)(receive(receiver)(lambda delivery: ("taken", 200)))
    return app


@pytest.mark.parametrize(
    "reads",
    [
        lambda: flask.request.get_json(),
        lambda: flask.request.get_data(),
        lambda: flask.request.data,
        lambda: flask.request.form.get("a"),
        lambda: flask.request.get_data(as_text=True),
    ],
)
def test_what_ran_before_and_left_the_body(reads: Callable[[], Any]) -> None:
    assert send(consumed_by(reads)).status_code == 200


FORM = b"a=1&b=2"
FORM_TYPE = {"content-type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("reads", "body", "type"),
    [
        (lambda: flask.request.form, FORM, FORM_TYPE),
        (lambda: flask.request.files, FORM, FORM_TYPE),
        (lambda: flask.request.values, FORM, FORM_TYPE),
        (lambda: flask.request.stream.read(), BODY, {}),
        (lambda: flask.request.stream.read(5), BODY, {}),
        (lambda: flask.request.get_data(cache=False), BODY, {}),
        (lambda: flask.request.environ["wsgi.input"].read(), BODY, {}),
    ],
)
def test_a_consumed_body_says_what_to_change(
    reads: Callable[[], Any], body: bytes, type: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    answer = send(consumed_by(lambda: [reads()]), body, headers=type)
    assert answer.status_code == 500
    assert answer.get_json() == {"title": "Internal Server Error", "status": 500}
    assert "refused body_not_raw" in caplog.text
    assert "must call `request.get_data()` first" in caplog.text


def test_an_empty_body_is_a_body(app: Flask, receiver: Receiver) -> None:
    app.post(URL)(receive(receiver)(lambda delivery: delivery.body or "empty"))
    assert send(app, b"").data == b"empty"


@pytest.mark.parametrize("size", [0, 1, 100, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("configured", [None, 10, 100 << 20])
def test_the_limit_in_chunks(app: Flask, receiver: Receiver, size: int, configured: int | None) -> None:
    app.config["MAX_CONTENT_LENGTH"] = configured
    app.post(URL)(receive(receiver)(lambda delivery: str(len(delivery.body))))
    body = b"x" * size
    answer = app.test_client().post(
        URL,
        input_stream=io.BytesIO(body),
        headers={**headers(body), "transfer-encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == (413 if size > 1 << 20 else 200)
    if answer.status_code == 200:
        assert answer.data == str(size).encode()


def test_chunks_whose_end_nobody_tells(app: Flask, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    app.post(URL)(receive(receiver)(lambda delivery: None))
    answer = app.test_client().post(
        URL, input_stream=io.BytesIO(BODY), headers={**headers(), "transfer-encoding": "chunked"}
    )
    assert answer.status_code == 500
    assert "wsgi.input_terminated" in caplog.text


def test_a_body_over_the_limit_is_not_read(app: Flask, receiver: Receiver) -> None:
    class Untouched(io.BytesIO):
        def read(self, *size: Any) -> bytes:
            raise AssertionError("read")

        readinto = readline = read  # type: ignore[assignment]

    app.post(URL)(receive(receiver)(lambda delivery: None))
    environ = {"CONTENT_LENGTH": str(5 << 20)}
    answer = app.test_client().post(URL, input_stream=Untouched(), headers=headers(), environ_overrides=environ)
    assert answer.status_code == 413


def test_an_async_handler(app: Flask, receiver: Receiver) -> None:
    pytest.importorskip("asgiref")

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> str:
        return delivery.id or ""

    assert send(app).data == b"dlv_1"


def test_a_claim(app: Flask, receiver: Receiver) -> None:
    fences = []

    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery, claim: Any) -> Any:
        claim.extend()
        fences.append(claim.fence)
        return ("again", 503) if len(fences) == 1 else None

    send(app)
    assert send(app).status_code == 200
    assert fences[0] < fences[1]


def test_a_lost_lease_is_no_success(app: Flask, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery, claim: Any) -> None:
        raise LeaseLost

    answer = send(app)
    assert answer.status_code == 409
    assert "lost_lease agentbot" in caplog.text


def test_the_handler_may_be_given_at_once(app: Flask, receiver: Receiver) -> None:
    app.add_url_rule(URL, "hook", receive(receiver, lambda delivery: "ok"), methods=["POST"])
    assert send(app).data == b"ok"


def test_register_adds_the_methods_of_handshakes(app: Flask) -> None:
    receiver = Receiver("x-twitter", "Convoy", store=MemoryStore(), handshake=True)

    @register(app, "/webhooks/x", receiver)
    def on_delivery(delivery: Delivery) -> None: ...

    answer = app.test_client().get("/webhooks/x?crc_token=uzwcfYtzr9")
    assert answer.get_json() == {"response_token": "sha256=HXvxTdsfShG6k2zC9NVANwFquJBdOugRYHax2vNiiOo="}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert app.test_client().get("/webhooks/x").status_code == 401


def test_enqueue_needs_no_handler(app: Flask) -> None:
    queue: list[Any] = []
    receiver = Receiver(
        PROVIDER, SECRET, store=MemoryStore(), enqueue=lambda delivery: queue.append(delivery.to_message())
    )
    register(app, URL, receiver)
    assert [send(app).status_code for _ in range(2)] == [200, 200]
    assert [message["id"] for message in queue] == ["dlv_1"]
    with pytest.raises(ConfigurationError, match="would never run"):
        receive(receiver, lambda delivery: None)
    with pytest.raises(ConfigurationError, match="would never run"):
        receive(receiver)(lambda delivery: None)


def test_tenants_have_their_own_keys_and_secrets(app: Flask) -> None:
    secrets = {"one": "secret of one", "two": "secret of two"}

    def secret(request: flask.Request) -> tuple[str, str] | None:
        tenant = (request.view_args or {})["tenant"]
        return (tenant, secrets[tenant]) if tenant in secrets else None

    receiver = Receiver(PROVIDER, secret, store=MemoryStore())
    runs = []

    @app.post("/webhooks/<tenant>")
    @receive(receiver)
    def on_delivery(delivery: Delivery, tenant: str) -> None:
        runs.append(tenant)

    def to(tenant: str, secret: str) -> int:
        status: int = (
            app.test_client().post(f"/webhooks/{tenant}", data=BODY, headers=headers(secret=secret)).status_code
        )
        return status

    assert to("one", "secret of one") == 200
    assert to("two", "secret of two") == 200
    assert to("one", "secret of one") == 200
    assert to("one", "secret of two") == 401
    assert to("three", "secret of one") == 401
    assert runs == ["one", "two"]


def test_async_parts_are_refused_at_decoration() -> None:
    async def secret(request: Any) -> str:
        return SECRET

    with pytest.raises(ConfigurationError, match="which this framework does not await"):
        receive(Receiver(PROVIDER, secret, store=MemoryStore()), lambda delivery: None)


def test_the_test_client_helper(app: Flask, receiver: Receiver) -> None:
    app.post(URL)(receive(receiver)(lambda delivery: delivery.json()))
    answer = post(app.test_client(), URL, PROVIDER, SECRET, {"event": "ö"})
    assert answer.get_json() == {"event": "ö"}


def test_nothing_of_a_secret_or_a_body_is_logged(
    app: Flask, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = b'{"event":"message.created","data":"canary-body"}'
    app.post(URL)(receive(receiver)(lambda delivery: None))
    good = headers(body)
    for given in (good, {**good, "x-agentbot-signature": "t=1,v1=zz"}, headers(body, secret="other")):
        app.test_client().post(URL, data=body, headers=given)
    assert "canary" not in caplog.text
    signature = good["X-Agentbot-Signature"].split("v1=")[1]
    assert signature not in caplog.text
    assert "accepted agentbot id=dlv_1 type=message.created key=" in caplog.text
