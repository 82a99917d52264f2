"""Django.

@receive(receiver)
def on_delivery(request, delivery):
    ...

urlpatterns = [path("webhooks/agentbot", on_delivery)]
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.http.request import RawPostDataException, UnreadablePostError
from django.utils.decorators import classonlymethod
from django.views import View

from hookproof import _environ
from hookproof._engine import content_length
from hookproof._errors import ConfigurationError, VerificationError
from hookproof._handler import Handler
from hookproof._input import too_large
from hookproof._reception import Answer, answer, answer_async

if TYPE_CHECKING:
    from collections.abc import Callable

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

__all__ = ["ReceiveMixin", "receive"]


@overload
def receive(receiver: Receiver) -> Callable[[Callable[..., Any]], Callable[..., Any]]: ...


@overload
def receive(receiver: Receiver, handler: Callable[..., Any] | None) -> Callable[..., Any]: ...


def receive(receiver: Receiver, handler: Callable[..., Any] | None = None) -> Any:
    """Makes a view of a handler, which then only runs for deliveries that are authentic, fresh and new.

    The handler, `async` or not, takes the `request` and a `delivery`, which is `request.delivery`, too; if it takes a
    `claim`, it gets that. It returns a response, or nothing. The view is exempt from CSRF protection: the signature is
    the protection.

    A receiver with `enqueue` needs no handler: `path("webhooks/agentbot", receive(receiver))`.

    Raises `ConfigurationError` with `option_invalid`.
    """
    if handler is None and receiver.enqueue is None:
        return lambda handler: _view(receiver, handler)
    return _view(receiver, handler)


class ReceiveMixin:
    """The same for a class-based view.

    class Agentbot(ReceiveMixin, View):
        receiver = receiver

        def on_delivery(self, request, delivery): ...
    """

    receiver: Receiver

    @classonlymethod
    def as_view(cls, **initkwargs: Any) -> Callable[..., Any]:
        """The view, for `urlpatterns`."""
        receiver = getattr(cls, "receiver", None)
        handler = getattr(cls, "on_delivery", None)
        if receiver is None or handler is None or not issubclass(cls, View):
            raise ImproperlyConfigured(f"`{cls.__name__}` needs `View` as a base, a `receiver` and `on_delivery`")

        def run(request: HttpRequest, *args: Any, **named: Any) -> Any:
            return _set_up(cls, initkwargs, request, args, named).on_delivery(request, *args, **named)

        async def run_async(request: HttpRequest, *args: Any, **named: Any) -> Any:
            return await run(request, *args, **named)

        view = _view(receiver, wraps(handler)(run_async if inspect.iscoroutinefunction(handler) else run))
        view.view_class = cls  # type: ignore[attr-defined]
        view.view_initkwargs = initkwargs  # type: ignore[attr-defined]
        return view


def _set_up(cls: Any, initkwargs: dict[str, Any], request: HttpRequest, args: Any, named: Any) -> Any:
    self = cls(**initkwargs)
    self.setup(request, *args, **{name: value for name, value in named.items() if name not in ("delivery", "claim")})
    return self


def _view(receiver: Receiver, function: Callable[..., Any] | None) -> Callable[..., Any]:
    is_async = inspect.iscoroutinefunction(function) or (function is None and receiver.needs_async is not None)
    handler = Handler(receiver, function, awaits=is_async)
    if getattr(function, "csrf_exempt", False) and hasattr(function, "receiver"):
        raise ConfigurationError(f"`{handler.name}` is a view of a receiver already", "option_invalid")
    takes_request = function is not None

    def call(request: HttpRequest, path: tuple[Any, ...], named: dict[str, Any], delivery: Delivery, claim: Any) -> Any:
        request.delivery = delivery  # type: ignore[attr-defined]
        before = (request, *path) if takes_request else ()
        return handler.function(*before, **named, **handler.arguments(delivery, claim))

    def answered(request: HttpRequest, *path: Any, **named: Any) -> HttpResponseBase:
        def run(delivery: Delivery, claim: Any) -> tuple[HttpResponseBase, int]:
            response = _whole(to_response(call(request, path, named, delivery, claim)))
            return response, response.status_code

        return to_response(answer(receiver, to_request(request), run, handler.takes_claim))

    async def answered_async(request: HttpRequest, *path: Any, **named: Any) -> HttpResponseBase:
        async def run(delivery: Delivery, claim: Any) -> tuple[HttpResponseBase, int]:
            result = call(request, path, named, delivery, claim)
            response = await _whole_async(to_response(await result if hasattr(result, "__await__") else result))
            return response, response.status_code

        return to_response(await answer_async(receiver, to_request(request), run, handler.takes_claim))

    view: Callable[..., Any] = answered_async if is_async else answered
    if function is not None:
        view = wraps(function)(view)
    view.csrf_exempt = True  # type: ignore[attr-defined]
    view.receiver = receiver  # type: ignore[attr-defined]
    return view


def to_request(request: HttpRequest) -> Incoming:
    """A request, as a reception takes it."""
    plain = _plain(request)
    return (_read, plain.META, plain.method or "POST", _url, request)


def _plain(request: HttpRequest) -> HttpRequest:
    """Django's own request, which that of Django REST framework wraps."""
    return getattr(request, "_request", request)


def _url(request: HttpRequest) -> str:
    plain = _plain(request)
    return _environ.url(plain.META) if "wsgi.url_scheme" in plain.META else plain.build_absolute_uri()


def to_response(given: Any) -> HttpResponseBase:
    """What a handler returned, or the kernel answers, as Django sends it."""
    if isinstance(given, Answer):
        response = HttpResponse(given.body, status=given.status)
        if not given.body:
            del response["content-type"]
        for name, value in given.headers:
            response[name] = value
        return response
    if given is None:
        return HttpResponse()
    if not isinstance(given, HttpResponseBase):
        raise TypeError(f"the handler returned a `{type(given).__name__}`: a response is expected, or nothing")
    return given


def _whole(response: HttpResponseBase) -> HttpResponseBase:
    """A response that is not streamed: what breaks off while it is sent would have been settled as a success."""
    if not isinstance(response, StreamingHttpResponse):
        return response
    return HttpResponse(b"".join(response), status=response.status_code, headers=dict(response.items()))


async def _whole_async(response: HttpResponseBase) -> HttpResponseBase:
    if isinstance(response, StreamingHttpResponse) and response.is_async:
        content = b"".join([chunk async for chunk in response])
        return HttpResponse(content, status=response.status_code, headers=dict(response.items()))
    return _whole(response)


def _read(request: HttpRequest, limit: int) -> bytes:
    """The body as it came, whatever ran before; the request keeps it for whatever runs afterwards."""
    request = _plain(request)
    announced = content_length(request.META)
    if announced is not None and announced > limit:
        raise too_large(limit)
    try:
        # Django's own limit, `DATA_UPLOAD_MAX_MEMORY_SIZE`, is about forms and lower than some providers' bodies.
        if hasattr(request, "_body") or getattr(request, "_read_started", False):
            body = request.body
        else:
            body = request._body = request.read(limit + 1)
    except RawPostDataException:
        raise VerificationError(
            "the raw body is gone: something read `request.POST` or `request.FILES` of a multipart form, or "
            "`request.read()`, before (a middleware), which must read `request.body` first",
            "body_not_raw",
            500,
        ) from None
    except UnreadablePostError:
        raise VerificationError("the raw body broke off: the client went away", "body_not_raw", 500) from None
    except RequestDataTooBig:
        raise too_large(limit) from None
    if len(body) > limit:
        raise too_large(limit)
    if announced is None and request.META.get("HTTP_TRANSFER_ENCODING") and "wsgi.input" in request.META:
        raise VerificationError(
            "the raw body cannot be read: it came in chunks, which Django does not read under WSGI. Let a proxy buffer "
            "requests, or run Django under ASGI",
            "body_not_raw",
            500,
        )
    if announced is not None and len(body) < announced:
        raise VerificationError(
            f"the raw body is gone: only {len(body)} of its {announced} bytes were left. Either a middleware read "
            "`wsgi.input`, which must put it back, or the client went away",
            "body_not_raw",
            500,
        )
    return body
