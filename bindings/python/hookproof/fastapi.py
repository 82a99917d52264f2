"""FastAPI and Starlette.

@app.post("/webhooks/agentbot")
@receive(receiver)
async def on_delivery(delivery):
    ...
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from hookproof import _asgi_scope
from hookproof._errors import VerificationError
from hookproof._handler import Handler, check_framework
from hookproof._input import too_large
from hookproof._reception import Answer, answer_async

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from fastapi.routing import APIRoute

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

    View = Callable[..., Awaitable[Any]]

__all__ = ["current", "receive", "route_class", "verified"]


@overload
def receive(receiver: Receiver) -> Callable[[Callable[..., Any]], View]: ...


@overload
def receive(receiver: Receiver, handler: Callable[..., Any] | None) -> View: ...


def receive(receiver: Receiver, handler: Callable[..., Any] | None = None) -> Any:
    """Makes an endpoint of a handler, which then only runs for deliveries that are authentic, fresh and new.

    The handler, `async` or not, takes a `delivery`, which is `request.state.delivery`, too; if it takes a `claim`, it
    gets that. Whatever else it takes, FastAPI provides as for any endpoint, before the delivery is verified; where that
    must not be, use `route_class`. It returns what any endpoint returns, or nothing.

    A receiver with `enqueue` needs no handler: `app.add_api_route(path, receive(receiver), methods=["POST"])`.

    Raises `ConfigurationError` with `option_invalid`.
    """
    if handler is None and receiver.enqueue is None:
        return lambda handler: _endpoint(receiver, handler)
    return _endpoint(receiver, handler)


def route_class(receiver: Receiver) -> type[APIRoute]:
    """A route class that verifies before FastAPI looks at anything else of the request, its dependencies included.

    router = APIRouter(route_class=route_class(receiver))

    @router.post("/webhooks/agentbot")
    async def on_delivery(delivery: Annotated[Delivery, Depends(current)]): ...
    """
    from fastapi.routing import APIRoute

    check_framework(receiver, awaits=True)

    class DeliveryRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handle = super().get_route_handler()

            async def receiving(request: Request) -> Response:
                async def run(delivery: Delivery, claim: Any) -> tuple[Response, int]:
                    request.state.delivery = delivery
                    request.state.claim = claim
                    response = await whole(await handle(request))
                    return response, response.status_code

                response: Response = to_response(await answer_async(receiver, to_request(request), run))
                return response

            return receiving

    return DeliveryRoute


def current(request: Request) -> Delivery:
    """A dependency: the delivery of a `route_class`."""
    delivery: Delivery = request.state.delivery
    return delivery


def verified(receiver: Receiver) -> Callable[[Request], Awaitable[Delivery]]:
    """A dependency that verifies, and no more: it cannot see the answer's status, so it never claims.

    async def on_delivery(delivery: Annotated[Delivery, Depends(verified(receiver))]): ...
    """
    check_framework(receiver, awaits=True)
    without_store = receiver.without_store()

    async def dependency(request: Request) -> Delivery:
        async def run(delivery: Delivery, claim: Any) -> tuple[Delivery, int]:
            request.state.delivery = delivery
            return delivery, 200

        found = await answer_async(without_store, to_request(request), run)
        if isinstance(found, Answer):
            raise HTTPException(found.status, headers=dict(found.headers))
        delivery: Delivery = found
        return delivery

    return dependency


def _endpoint(receiver: Receiver, function: Callable[..., Any] | None) -> View:
    handler = Handler(receiver, function, awaits=True)
    is_async = inspect.iscoroutinefunction(handler.function)
    name, signature = _signature(handler)
    passes_request = name in handler.signature.parameters

    @wraps(handler.function)
    async def endpoint(*positional: Any, **named: Any) -> Any:
        # FastAPI passes everything by name; Starlette the request alone, behind `self` in a class.
        request = named.pop(name) if name in named else positional[-1]
        before = () if not positional else positional[:-1]
        if passes_request:
            named[name] = request

        async def run(delivery: Delivery, claim: Any) -> tuple[Any, int]:
            request.state.delivery = delivery
            arguments = {**named, **handler.arguments(delivery, claim)}
            if is_async:
                result = await handler.function(*before, **arguments)
            else:
                result = await run_in_threadpool(handler.function, *before, **arguments)
                if hasattr(result, "__await__"):
                    result = await result
            if result is None:
                return Response(), 200
            if isinstance(result, Response):
                result = await whole(result)
                return result, result.status_code
            # FastAPI makes the response of it, with the route's status.
            return result, getattr(request.scope.get("route"), "status_code", None) or 200

        return to_response(await answer_async(receiver, to_request(request), run, handler.takes_claim))

    endpoint.__signature__ = signature  # type: ignore[attr-defined]
    if function is None:
        endpoint.__name__ = endpoint.__qualname__ = f"receive_{receiver.scheme.id.replace('-', '_')}"
    return endpoint


def _signature(handler: Handler) -> tuple[str, inspect.Signature]:
    """What the endpoint takes of FastAPI: all that the handler takes but the receiver's own, and the request."""
    scope = getattr(inspect.unwrap(handler.function), "__globals__", {})
    named = None
    parameters = []
    for parameter in handler.signature.parameters.values():
        if parameter.name in ("delivery", "claim"):
            continue
        annotation = parameter.annotation
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, scope)  # noqa: S307 - as FastAPI does with the same text
            except Exception:  # a name that is only imported for type checkers
                annotation = parameter.annotation
        if annotation is Request or (parameter.name == "request" and annotation is inspect.Parameter.empty):
            named, annotation = parameter.name, Request
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            parameter = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        parameters.append(parameter.replace(annotation=annotation))
    if named is None:
        named = "request_of_hookproof"
        parameters.append(inspect.Parameter(named, inspect.Parameter.KEYWORD_ONLY, annotation=Request))
    order = sorted(parameters, key=lambda parameter: parameter.kind)
    return named, inspect.Signature(order)


def to_request(request: Request) -> Incoming:
    """A request, as a reception takes it."""
    scope = request.scope
    return (_read, scope["headers"], scope["method"], _url, request)


def _url(request: Request) -> str:
    return _asgi_scope.url(request.scope)


def to_response(given: Any) -> Any:
    """What a handler returned, or the kernel answers, as Starlette sends it."""
    if isinstance(given, Answer):
        return Response(given.body, given.status, dict(given.headers))
    return given


async def whole(response: Response) -> Response:
    """A response that is not streamed: what breaks off while it is sent would have been settled as a success."""
    if not isinstance(response, StreamingResponse):
        return response
    chunks = [chunk if isinstance(chunk, bytes) else str(chunk).encode() async for chunk in response.body_iterator]
    gathered = Response(b"".join(chunks), response.status_code, background=response.background)
    gathered.raw_headers += [(name, value) for name, value in response.raw_headers if name != b"content-length"]
    return gathered


async def _read(request: Request, limit: int) -> bytes:
    """The body as it came, whatever ran before; the request keeps it for whatever runs afterwards."""
    announced = _asgi_scope.content_length(request.scope)
    if announced is not None and announced > limit:
        raise too_large(limit)
    chunks = []
    length = 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            if length > limit:
                raise too_large(limit)
            chunks.append(chunk)
    except RuntimeError:
        raise _not_raw("something called `request.form()` or `request.stream()` before") from None
    except ClientDisconnect:
        raise _not_raw("a middleware read it and did not hand it on, or the client went away") from None
    if announced is not None and length < announced:
        raise _not_raw(f"only {length} of its {announced} bytes were left")
    request._body = body = b"".join(chunks)
    return body


def _not_raw(why: str) -> VerificationError:
    return VerificationError(
        f"the raw body is gone: {why}. Whatever looks at the body in front of the receiver (a middleware, a `Form` "
        "parameter) must call `await request.body()`, which keeps it",
        "body_not_raw",
        500,
    )
