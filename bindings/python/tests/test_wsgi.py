"""Plain WSGI: a middleware that an application does not notice."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from sending import BODY, PROVIDER, SECRET, headers
from werkzeug.test import Client

from hookproof import MemoryStore, Receiver
from hookproof._engine import content_length
from hookproof.wsgi import receive

URL = "/webhooks/agentbot"


def echo(environ: Any, start_response: Any) -> Any:
    start_response("201 Created", [("Content-Type", "text/plain"), ("X-Id", environ["hookproof.delivery"].id)])
    return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])), b"!"]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(PROVIDER, SECRET, store=MemoryStore())


def send(app: Any, body: bytes = BODY, url: str = URL, **named: Any) -> Any:
    return Client(app).post(
        url, data=body, headers={**headers(body), **named.pop("headers", {})}, buffered=True, **named
    )


def test_a_delivery_runs_the_application_once(receiver: Receiver) -> None:
    app = validator(receive(receiver, validator(echo)))
    first, second = send(app), send(app)
    assert (first.status_code, first.data, first.headers["x-id"]) == (201, BODY + b"!", "dlv_1")
    assert (second.status_code, second.headers["hookproof-outcome"]) == (200, "duplicate")


def test_refusals(receiver: Receiver) -> None:
    app = receive(receiver, echo)
    answer = send(app, headers=headers(secret="another"))
    assert (answer.status, answer.json) == ("401 Unauthorized", {"title": "Unauthorized", "status": 401})
    assert send(app, b"x" * ((1 << 20) + 1)).status_code == 413


@pytest.mark.parametrize("size", [0, 1, 1 << 16, 1 << 20, (1 << 20) + 1])
def test_the_limit_in_chunks(receiver: Receiver, size: int) -> None:
    body = b"x" * size
    answer = Client(receive(receiver, echo)).post(
        URL,
        input_stream=io.BytesIO(body),
        headers={**headers(body), "transfer-encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == (201 if size <= 1 << 20 else 413)


def test_a_body_that_is_gone(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    def reads(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read(5)
        return receive(receiver, echo)(environ, start_response)

    assert send(reads).status_code == 500
    assert "refused body_not_raw" in caplog.text
    answer = Client(receive(receiver, echo)).post(
        URL, input_stream=io.BytesIO(BODY), headers={**headers(), "transfer-encoding": "chunked"}
    )
    assert answer.status_code == 500


def test_other_paths_are_left_alone(receiver: Receiver) -> None:
    def open_to_all(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"delivery" if "hookproof.delivery" in environ else b"open"]

    app = receive(receiver, open_to_all, path=URL)
    assert Client(app).get("/elsewhere").data == b"open"
    assert send(app).data == b"delivery"


def test_an_application_that_breaks_off(receiver: Receiver) -> None:
    runs: list[int] = []
    closed = []

    class Chunks:
        def __iter__(self) -> Iterator[bytes]:
            yield b"begun"
            if len(runs) == 1:
                raise BrokenPipeError

        def close(self) -> None:
            closed.append(1)

    def breaks(environ: Any, start_response: Any) -> Any:
        runs.append(1)
        write = start_response("200 OK", [("content-type", "text/plain")])
        write(b"written, ")
        return Chunks()

    app = receive(receiver, breaks)
    with pytest.raises(BrokenPipeError):
        send(app)
    assert send(app).data == b"written, begun"
    assert len(closed) == 2


@pytest.mark.parametrize(
    ("environ", "announced"),
    [
        ({"CONTENT_LENGTH": "12"}, 12),
        ({"CONTENT_LENGTH": "007"}, 7),
        ({"CONTENT_LENGTH": 12}, 12),
        ({"CONTENT_LENGTH": "9" * 19}, int("9" * 19)),
        ({"CONTENT_LENGTH": "9" * 20}, None),
        ({"CONTENT_LENGTH": "12", "HTTP_TRANSFER_ENCODING": "chunked"}, None),
        ({"CONTENT_LENGTH": "12", "HTTP_TRANSFER_ENCODING": ""}, 12),
        *(
            ({"CONTENT_LENGTH": text}, None)
            for text in ("", None, "+12", "-1", " 12", "1_2", "0x1", "1.0", "\u0661", "\ud800")
        ),
        ({}, None),
    ],
)
def test_what_announces_a_length(environ: dict[str, Any], announced: int | None) -> None:
    assert content_length(environ) == announced


def test_a_server_may_hand_the_body_over_in_pieces(receiver: Receiver) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    sent: dict[str, Any] = {}
    app = receive(receiver, echo)
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers().items()}
    for length, status in ((len(BODY), "201 Created"), (len(BODY) + 1, "500 Internal Server Error")):
        environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": str(length), "wsgi.input": Slow(BODY), **given}
        answer = app(environ, lambda status, headers: sent.update(status=status))  # type: ignore[arg-type]
        assert (sent["status"], b"".join(answer).startswith(BODY)) == (status, status.startswith("201"))
