"""Flask.

@app.post("/webhooks/agentbot")
@receive(receiver)
def on_delivery(delivery):
    ...
"""

from __future__ import annotations

import gc
from functools import wraps
from inspect import iscoroutinefunction
from io import BytesIO
from typing import TYPE_CHECKING, Any, TypeVar, overload

import flask
from flask.globals import app_ctx
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from hookproof import _environ
from hookproof._engine import content_length, read_announced
from hookproof._errors import ConfigurationError, VerificationError
from hookproof._handler import Handler, never_runs
from hookproof._input import too_large
from hookproof._reception import Answer, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask.ctx import AppContext

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

__all__ = ["receive", "register"]

Function = TypeVar("Function", bound="Callable[..., Any]")


@overload
def receive(receiver: Receiver) -> Callable[[Callable[..., Any]], Callable[..., flask.Response]]: ...


@overload
def receive(receiver: Receiver, handler: Callable[..., Any] | None) -> Callable[..., flask.Response]: ...


def receive(receiver: Receiver, handler: Callable[..., Any] | None = None) -> Any:
    """Makes a view of a handler, which then only runs for deliveries that are authentic, fresh and new.

    The handler takes a `delivery`, which is `flask.g.delivery`, too; if it takes a `claim`, it gets that. It returns
    what any view returns, or nothing. Put the route above: `receive` refuses a function that has a route already,
    because Flask would call it unverified.

    A receiver with `enqueue` needs no handler: `app.add_url_rule(path, view_func=receive(receiver), methods=["POST"])`.

    Raises `ConfigurationError` with `option_invalid`.
    """
    if handler is None and receiver.enqueue is None:
        return lambda handler: _view(receiver, handler)
    return _view(receiver, handler)


def register(
    app: flask.Flask | flask.Blueprint, rule: str, receiver: Receiver, handler: Callable[..., Any] | None = None
) -> Any:
    """Adds a route for a receiver, with the methods that it needs: handshakes come as GET.

    Without a handler it is a decorator: `@register(app, "/webhooks/zoom", receiver)`.
    """

    def add(handler: Callable[..., Any] | None) -> Callable[..., Any]:
        view = _view(receiver, handler)
        app.add_url_rule(rule, endpoint=view.__name__, view_func=view, methods=receiver.methods)
        return view

    return add if handler is None and receiver.enqueue is None else add(handler)


def _view(receiver: Receiver, function: Callable[..., Any] | None) -> Callable[..., flask.Response]:
    handler = Handler(receiver, function, awaits=False)
    if function is not None and _has_route(function):
        raise ConfigurationError(
            f"`{handler.name}` has a route already, so Flask would call it unverified: "
            "put `@app.post(...)` above `@receive(...)`",
            "option_invalid",
        )

    is_async, takes_claim = iscoroutinefunction(handler.function), handler.takes_claim

    @wraps(handler.function)
    def view(*decorated: Any, **path: Any) -> flask.Response:
        if decorated:
            raise never_runs(decorated[0])
        # Each use of a proxy of Flask's looks the same object up again.
        request: flask.Request = flask.request._get_current_object()  # type: ignore[attr-defined]
        context: AppContext = app_ctx._get_current_object()  # type: ignore[attr-defined]
        app = context.app

        def run(delivery: Delivery, claim: Any) -> tuple[flask.Response, int]:
            context.g.delivery = delivery
            call = app.ensure_sync(handler.function) if is_async else handler.function
            given = call(**path, delivery=delivery, claim=claim) if takes_claim else call(**path, delivery=delivery)
            response = app.make_response("" if given is None else given)
            # What breaks off while it is sent would have been settled as a success.
            if type(response.response) is not list:
                response.make_sequence()
            return response, response.status_code

        result = answer(receiver, to_request(request), run, takes_claim)
        return to_response(result, app) if isinstance(result, Answer) else result

    if function is None:
        view.__name__ = view.__qualname__ = f"receive_{receiver.scheme.id.replace('-', '_')}"
    # The handler's parameters are not the view's.
    del view.__wrapped__
    return view


def to_request(request: flask.Request) -> Incoming:
    """A request, as a reception takes it."""
    return (_read, request.environ, request.method, _url, request)


def _url(request: flask.Request) -> str:
    return _environ.url(request.environ)


def to_response(given: Answer, app: flask.Flask) -> flask.Response:
    """What the kernel answers, as Flask's response."""
    response = app.response_class(given.body, given.status)
    response.headers.update(given.headers)
    if not given.body:
        response.headers.pop("content-type", None)
    return response


_CULPRIT = (
    "something read `request.form`, `request.files`, `request.stream` or `request.get_data(cache=False)` before (a "
    "`before_request` function, a middleware), which must call `request.get_data()` first"
)


def _read(request: flask.Request, limit: int) -> bytes:
    """The body as it came, whatever ran before; Flask keeps it for whatever runs afterwards."""
    environ = request.environ
    # One more than the limit: at the limit itself, werkzeug cuts a chunked body off without a word.
    request.max_content_length = limit + 1
    if "stream" not in request.__dict__:
        # Nobody has looked at it: what werkzeug would put around the stream costs more than a verification.
        body = read_announced(environ, limit, _CULPRIT)
        if body is not None:
            environ["wsgi.input"] = BytesIO(body)
            return body
    announced = content_length(environ)
    if announced is not None and announced > limit:
        raise too_large(limit)
    try:
        body = request.get_data(cache=True)
    except RequestEntityTooLarge:
        raise too_large(limit) from None
    except ClientDisconnected:
        body = b""
    if announced is None and _environ.has_no_end(environ):
        raise VerificationError(_environ.NO_END, "body_not_raw", 500)
    if announced is not None and len(body) < announced:
        raise _environ.incomplete(body, announced, _CULPRIT)
    return body


def _has_route(function: Callable[..., Any]) -> bool:
    """Whether Flask would call this function by itself.

    `app.post(...)` hands the function on as it is, so nothing about it shows that it has a route; the applications and
    blueprints know. They are found by looking at all objects once, when the handler is decorated: a wrong order would
    otherwise show at the first request only, or never.
    """
    for scaffold in [thing for thing in gc.get_objects() if issubclass(type(thing), (flask.Flask, flask.Blueprint))]:
        if function in scaffold.view_functions.values():
            return True
        # A blueprint keeps its routes as closures until it is registered.
        for later in getattr(scaffold, "deferred_functions", ()):
            if any(_holds(cell, function) for cell in getattr(later, "__closure__", None) or ()):
                return True
    return False


def _holds(cell: Any, function: Callable[..., Any]) -> bool:
    try:
        return cell.cell_contents is function
    except ValueError:
        return False
