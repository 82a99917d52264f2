"""AWS Lambda behind API Gateway (REST and HTTP), a function URL or a load balancer.

@receive(receiver)
def lambda_handler(delivery):
    ...
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, overload

from hookproof._errors import VerificationError
from hookproof._handler import Handler
from hookproof._input import too_large
from hookproof._reception import Answer, answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hookproof._engine import Delivery
    from hookproof._receiver import Receiver
    from hookproof._reception import Incoming

    Function = Callable[[Mapping[str, Any], Any], dict[str, Any]]

__all__ = ["receive"]


@overload
def receive(receiver: Receiver) -> Callable[[Callable[..., Any]], Function]: ...


@overload
def receive(receiver: Receiver, handler: Callable[..., Any] | None) -> Function: ...


def receive(receiver: Receiver, handler: Callable[..., Any] | None = None) -> Any:
    """Makes a Lambda function of a handler, which then only runs for deliveries that are authentic, fresh and new.

    The handler takes a `delivery` and, if it wants them, the `claim`, the `event` and the `context`. It returns an
    answer as API Gateway takes it (a dict with `statusCode`, or whatever becomes a body), or nothing. An exception
    leaves the function after the claim was released, so that API Gateway answers 502 and the provider tries again.

    Raises `ConfigurationError` with `option_invalid`.
    """
    if handler is None and receiver.enqueue is None:
        return lambda handler: _function(receiver, handler)
    return _function(receiver, handler)


def _function(receiver: Receiver, function: Callable[..., Any] | None) -> Function:
    handler = Handler(receiver, function, awaits=False)
    takes = [name for name in ("event", "context") if name in handler.signature.parameters]

    @wraps(handler.function)
    def lambda_handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        def run(delivery: Delivery, claim: Any) -> tuple[dict[str, Any], int]:
            given = {"event": event, "context": context}
            further = {name: given[name] for name in takes}
            response = to_response(handler.function(**further, **handler.arguments(delivery, claim)))
            return response, int(response["statusCode"])

        return to_response(answer(receiver, to_request(event), run, handler.takes_claim))

    return lambda_handler


def to_request(event: Mapping[str, Any]) -> Incoming:
    """An event, as a reception takes it."""
    http = event.get("requestContext", {}).get("http")
    headers = event.get("multiValueHeaders") or event.get("headers") or {}
    method = http["method"] if http else event.get("httpMethod", "POST")
    return (_read, headers, method, lambda event: _url(event, headers), event)


def to_response(given: Any) -> dict[str, Any]:
    """What a handler returned, or the kernel answers, as API Gateway takes it."""
    if isinstance(given, Answer):
        return {"statusCode": given.status, "headers": dict(given.headers), "body": given.body.decode()}
    if given is None:
        return {"statusCode": 200, "body": ""}
    if isinstance(given, dict) and "statusCode" in given:
        return given
    if isinstance(given, str):
        return {"statusCode": 200, "body": given}
    from json import dumps

    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": dumps(given)}


def _read(event: Mapping[str, Any], limit: int) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise VerificationError(
            f"the raw body is gone: `event['body']` is a `{type(body).__name__}`. Something parsed it in front of the "
            "receiver (a middleware of Powertools, a mapping template): hand on the event as API Gateway sends it",
            "body_not_raw",
            500,
        )
    if not event.get("isBase64Encoded"):
        return body.encode()
    # Four characters are three bytes: judged before decoding makes a copy.
    if len(body) // 4 * 3 > limit + 3:
        raise too_large(limit)
    from base64 import b64decode

    try:
        return b64decode(body, validate=True)
    except ValueError:
        raise VerificationError("the raw body is gone: `event['body']` is not base64", "body_not_raw", 500) from None


def _url(event: Mapping[str, Any], headers: Mapping[str, Any]) -> str | None:
    """The address that was requested: what the provider signed, where it signs one."""
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    if isinstance(host, list):
        host = host[0] if host else None
    if event.get("version") == "2.0":
        path, query = event.get("rawPath", "/"), event.get("rawQueryString", "")
    else:
        from urllib.parse import urlencode

        path = event.get("requestContext", {}).get("path") or event.get("path", "/")
        several = event.get("multiValueQueryStringParameters") or {}
        single = event.get("queryStringParameters") or {}
        query = urlencode(several or single, doseq=True)
    target = f"{path}?{query}" if query else path
    return f"https://{host}{target}" if host else target
