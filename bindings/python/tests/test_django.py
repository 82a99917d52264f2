"""Django: views with and without `async`, class-based views, and Django REST framework beside them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import django_urls
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import clear_url_caches, path
from django.views import View
from rest_framework.decorators import api_view
from rest_framework.response import Response
from sending import BODY, PROVIDER, SECRET, headers

from hookproof import ConfigurationError, Delivery, LeaseLost, MemoryStore, Receiver
from hookproof.django import ReceiveMixin, receive
from hookproof.testing import post

URL = "/webhooks/agentbot"


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(PROVIDER, SECRET, store=MemoryStore())


@pytest.fixture(autouse=True)
def no_routes() -> Iterator[None]:
    yield
    django_urls.urlpatterns.clear()
    clear_url_caches()


def route(view: Callable[..., Any], to: str = "webhooks/agentbot") -> None:
    django_urls.urlpatterns.append(path(to, view))
    clear_url_caches()


def send(body: bytes = BODY, url: str = URL, **named: Any) -> Any:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    given = {**headers(body), **named.pop("headers", {})}
    type = given.pop("content-type")
    return client.post(url, data=body, content_type=type, headers=given, **named)


def test_a_delivery_runs_the_handler_once(receiver: Receiver) -> None:
    seen = []

    @receive(receiver)
    def on_delivery(request: HttpRequest, delivery: Delivery) -> None:
        assert request.delivery is delivery  # type: ignore[attr-defined]
        assert request.body == delivery.body
        seen.append(delivery.id)

    route(on_delivery)
    first, second = send(), send()
    assert (first.status_code, first.content) == (200, b"")
    assert (second.status_code, second.content, second["hookproof-outcome"]) == (200, b"", "duplicate")
    assert seen == ["dlv_1"]


def test_refusals(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    route(receive(receiver, lambda request, delivery: None))
    answer = send(headers=headers(secret="another"))
    assert (answer.status_code, answer.json()) == (401, {"title": "Unauthorized", "status": 401})
    assert answer["content-type"] == "application/problem+json"
    assert send(b"x" * ((1 << 20) + 1)).status_code == 413
    assert "refused signature_mismatch" in caplog.text


def test_a_body_larger_than_djangos_own_limit() -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), max_body=10 << 20)
    route(receive(receiver, lambda request, delivery: HttpResponse(str(len(request.body)))))
    assert send(b"x" * (5 << 20)).content == str(5 << 20).encode()


def breaks_off() -> Iterator[bytes]:
    yield b"begun"
    raise OSError("broke off")


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        (lambda: 1 / 0, 500),
        (lambda: HttpResponseNotFound(), 404),
        (lambda: StreamingHttpResponse(breaks_off()), 500),
        (lambda: "no response", 500),
    ],
)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse")
def test_a_failure_lets_the_retry_run(receiver: Receiver, fails: Callable[[], Any], status: int) -> None:
    runs = []

    @receive(receiver)
    def on_delivery(request: HttpRequest, delivery: Delivery) -> Any:
        runs.append(1)
        return fails() if len(runs) == 1 else None

    route(on_delivery)
    assert [send().status_code for _ in range(2)] == [status, 200]
    assert len(runs) == 2


def test_a_streamed_answer_is_whole(receiver: Receiver) -> None:
    route(receive(receiver, lambda request, delivery: StreamingHttpResponse([b"a", b"b"], headers={"x-y": "z"})))
    answer = send()
    assert (answer.content, answer["x-y"]) == (b"ab", "z")


def test_a_path_and_a_claim(receiver: Receiver) -> None:
    @receive(receiver)
    def on_delivery(request: HttpRequest, tenant: str, delivery: Delivery, claim: Any) -> HttpResponse:
        claim.extend()
        if tenant == "lost":
            raise LeaseLost
        return HttpResponse(tenant)

    route(on_delivery, "webhooks/<tenant>")
    assert send(b"1", "/webhooks/lost").status_code == 409
    assert send(b"2", "/webhooks/a").content == b"a"


class BodyReader:
    """A middleware that looks at the body first."""

    reads: Callable[[HttpRequest], Any]

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        type(self).reads(request)
        return self.get_response(request)


FORM = b"a=1"
FORM_TYPE = {"content-type": "application/x-www-form-urlencoded"}
MULTIPART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
MULTIPART_TYPE = {"content-type": "multipart/form-data; boundary=b"}


@pytest.mark.parametrize(
    ("reads", "body", "type", "status"),
    [
        (lambda request: request.body, BODY, {}, 200),
        (lambda request: request.POST, BODY, {}, 200),
        (lambda request: request.POST, FORM, FORM_TYPE, 200),
        (lambda request: request.POST, MULTIPART, MULTIPART_TYPE, 500),
        (lambda request: request.read(), BODY, {}, 500),
        (lambda request: request.read(3), BODY, {}, 500),
    ],
)
def test_a_middleware_that_reads_the_body(
    receiver: Receiver, reads: Any, body: bytes, type: dict[str, str], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    BodyReader.reads = staticmethod(reads)
    route(receive(receiver, lambda request, delivery: None))
    with override_settings(MIDDLEWARE=[f"{__name__}.BodyReader"]):
        assert send(body, headers=type).status_code == status
    if status == 500:
        assert "refused body_not_raw" in caplog.text
        assert "middleware" in caplog.text


def test_a_body_that_is_not_all_there(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    route(receive(receiver, lambda request, delivery: None))
    environ = {"CONTENT_LENGTH": len(BODY), "wsgi.input": io.BytesIO(BODY[:5])}
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers().items()}
    assert Client().generic("POST", URL, **given, **environ).status_code == 500
    assert f"only 5 of its {len(BODY)} bytes were left" in caplog.text


def test_chunks(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    route(receive(receiver, lambda request, delivery: None))
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(BODY)}
    client = Client()
    given = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers().items()}
    assert client.generic("POST", URL, **given, **environ).status_code == 500
    assert "Let a proxy buffer requests, or run Django under ASGI" in caplog.text


def test_an_async_view(receiver: Receiver) -> None:
    import asyncio

    @receive(receiver)
    async def on_delivery(request: HttpRequest, delivery: Delivery) -> HttpResponse:
        await asyncio.sleep(0)
        return HttpResponse(request.body)

    route(on_delivery)

    async def play() -> list[Any]:
        client = AsyncClient()
        given = headers()
        type = given.pop("content-type")
        return [await client.post(URL, data=BODY, content_type=type, headers=given) for _ in range(2)]

    first, second = asyncio.run(play())
    assert first.content == BODY
    assert second["hookproof-outcome"] == "duplicate"
    # and under WSGI, where Django runs an event loop for it
    assert send(b"other").content == b"other"


@pytest.mark.parametrize("is_async", [False, True])
def test_a_class_based_view(receiver: Receiver, is_async: bool) -> None:
    common = receiver

    class Agentbot(ReceiveMixin, View):
        receiver = common
        word = "default"

        if is_async:

            async def on_delivery(self, request: HttpRequest, delivery: Delivery, tenant: str) -> HttpResponse:
                return HttpResponse(f"{self.word} {tenant} {self.request.method} {delivery.id}")
        else:

            def on_delivery(self, request: HttpRequest, delivery: Delivery, tenant: str) -> HttpResponse:
                return HttpResponse(f"{self.word} {tenant} {self.request.method} {delivery.id}")

    route(Agentbot.as_view(word="mine"), "webhooks/<tenant>")
    assert send().content == b"mine agentbot POST dlv_1"
    assert send()["hookproof-outcome"] == "duplicate"


def test_a_class_based_view_that_lacks_something() -> None:
    class Without(ReceiveMixin, View): ...

    with pytest.raises(ImproperlyConfigured):
        Without.as_view()


def test_beside_django_rest_framework(receiver: Receiver) -> None:
    @api_view(["POST"])
    def other(request: Any) -> Response:
        return Response({"parsed": request.data})

    @api_view(["POST"])
    @receive(receiver)
    def both(request: Any, delivery: Delivery) -> Response:
        return Response({"id": delivery.id, "parsed": request.data})

    route(other, "other")
    route(both, "both")
    assert send(url="/other").json() == {"parsed": {"event": "message.created", "data": {"n": 1}}}
    assert send(url="/both").json()["parsed"]["event"] == "message.created"


def test_handshakes() -> None:
    receiver = Receiver("x-twitter", "Convoy", store=MemoryStore(), handshake=True)
    route(receive(receiver, lambda request, delivery: None), "x")
    answer = Client().get("/x?crc_token=uzwcfYtzr9")
    assert answer.json()["response_token"].startswith("sha256=")


def test_enqueue_needs_no_handler() -> None:
    queue: list[Any] = []
    route(receive(Receiver(PROVIDER, SECRET, store=MemoryStore(), enqueue=queue.append)))
    assert [send().status_code for _ in range(2)] == [200, 200]
    assert len(queue) == 1


def test_handlers_that_are_none(receiver: Receiver) -> None:
    for handler in (lambda request: None, lambda request, delivery=None: None):
        with pytest.raises(ConfigurationError):
            receive(receiver)(handler)


def test_async_parts_need_an_async_view() -> None:
    async def secret(request: Any) -> str:
        return SECRET

    receiver = Receiver(PROVIDER, secret, store=MemoryStore())
    with pytest.raises(ConfigurationError, match="does not await"):
        receive(receiver, lambda request, delivery: None)

    @receive(receiver)
    async def on_delivery(request: HttpRequest, delivery: Delivery) -> None: ...

    route(on_delivery)
    assert send().status_code == 200


def test_the_test_client_helper(receiver: Receiver) -> None:
    route(receive(receiver, lambda request, delivery: HttpResponse(delivery.event_type)))
    assert post(Client(), URL, PROVIDER, SECRET, {"event": "x"}).content == b"x"
