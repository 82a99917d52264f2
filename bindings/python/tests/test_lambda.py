"""AWS Lambda: the events of API Gateway, function URLs and load balancers."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sending import BODY, PROVIDER, SECRET, headers

from hookproof import ConfigurationError, Delivery, MemoryStore, Receiver, Signer
from hookproof.aws_lambda import receive


def rest(body: bytes | None = BODY, given: dict[str, str] | None = None) -> dict[str, Any]:
    given = given or headers(body or b"")
    return {
        "httpMethod": "POST",
        "path": "/webhooks/agentbot",
        "headers": given,
        "multiValueHeaders": {name: [value] for name, value in given.items()},
        "requestContext": {"path": "/prod/webhooks/agentbot"},
        "body": None if body is None else body.decode(),
        "isBase64Encoded": False,
    }


def http(body: bytes = BODY, given: dict[str, str] | None = None) -> dict[str, Any]:
    return {
        "version": "2.0",
        "rawPath": "/webhooks/agentbot",
        "rawQueryString": "",
        "headers": {name.lower(): value for name, value in (given or headers(body)).items()},
        "requestContext": {"http": {"method": "POST"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(PROVIDER, SECRET, store=MemoryStore())


@pytest.mark.parametrize("event", [rest, http])
def test_a_delivery_runs_the_handler_once(receiver: Receiver, event: Any) -> None:
    seen = []

    @receive(receiver)
    def lambda_handler(delivery: Delivery, context: Any, event: Any) -> None:
        seen.append((delivery.body, context, event["isBase64Encoded"]))

    made = event()
    first, second = lambda_handler(made, "context"), lambda_handler(made, "context")
    assert first == {"statusCode": 200, "body": ""}
    assert (second["statusCode"], second["headers"]["hookproof-outcome"]) == (200, "duplicate")
    assert seen == [(BODY, "context", made["isBase64Encoded"])]


@pytest.mark.parametrize(
    ("returned", "answer"),
    [
        ("text", {"statusCode": 200, "body": "text"}),
        ({"statusCode": 204}, {"statusCode": 204}),
        ({"a": 1}, {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": '{"a": 1}'}),
    ],
)
def test_what_a_handler_returns(receiver: Receiver, returned: Any, answer: Any) -> None:
    assert receive(receiver, lambda delivery: returned)(rest(), None) == answer


def test_refusals(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    function = receive(receiver, lambda delivery: None)
    answer = function(rest(given=headers(secret="another")), None)
    assert answer["statusCode"] == 401
    assert json.loads(answer["body"]) == {"title": "Unauthorized", "status": 401}
    assert function(http(b"x" * (3 << 20)), None)["statusCode"] == 413
    assert function(rest(b"x" * (3 << 20)), None)["statusCode"] == 413
    assert function({**rest(), "body": {"parsed": True}}, None)["statusCode"] == 500
    assert function({**http(), "body": "%%%"}, None)["statusCode"] == 500
    assert function(rest(None, headers(b"")), None)["statusCode"] == 200
    assert function({}, None)["statusCode"] == 401
    assert "something parsed it in front of the receiver" in caplog.text.lower()


def test_an_exception_releases_the_claim(receiver: Receiver) -> None:
    runs = []

    @receive(receiver)
    def lambda_handler(delivery: Delivery) -> None:
        runs.append(1)
        if len(runs) == 1:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        lambda_handler(rest(), None)
    assert lambda_handler(rest(), None)["statusCode"] == 200


def test_the_url_is_what_was_requested() -> None:
    receiver = Receiver("hubspot-v2", "secret", store=MemoryStore(), allow_legacy=True)
    url = "https://hooks.example.com/prod/webhooks/agentbot?a=1&b=%2F"
    signed = Signer("hubspot-v2", "secret").sign(BODY, url=url).headers
    event = http(given={**signed, "host": "hooks.example.com"})
    event |= {"rawPath": "/prod/webhooks/agentbot", "rawQueryString": "a=1&b=%2F"}
    assert receive(receiver, lambda delivery: None)(event, None)["statusCode"] == 200
    event = rest(given={**signed, "Host": "hooks.example.com"})
    event["multiValueQueryStringParameters"] = {"a": ["1"], "b": ["/"]}
    assert receive(receiver, lambda delivery: None)(event, None)["statusCode"] == 200
    event["multiValueQueryStringParameters"] = {"a": ["2"]}
    assert receive(receiver, lambda delivery: None)(event, None)["statusCode"] == 401


def test_handlers_that_are_none(receiver: Receiver) -> None:
    with pytest.raises(ConfigurationError):
        receive(receiver)(lambda event, context: None)
