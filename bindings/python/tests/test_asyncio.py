"""FastAPI, Starlette and plain ASGI: the raw body, and every answer of a reception."""

# Without `from __future__ import annotations`: FastAPI would not find what a test defines inside a function.

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, Body, Depends, FastAPI, Form, Request, Response
from fastapi.testclient import TestClient
from pydantic import BaseModel
from sending import BODY, PROVIDER, SECRET, headers
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

import hookproof.asgi
from hookproof import ConfigurationError, Delivery, LeaseLost, MemoryStore, Receiver
from hookproof.fastapi import current, receive, route_class, verified

if TYPE_CHECKING:
    from hookproof import Claim

URL = "/webhooks/agentbot"


class AsyncStore:
    """A store whose steps are awaited, over a store that answers at once."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.scope = ""
        self.threads: set[int] = set()

    async def claim(self, *given: Any) -> Any:
        await asyncio.sleep(0)
        return self.inner.claim(*given)

    async def complete(self, *given: Any) -> bool:
        return self.inner.complete(*given)

    async def release(self, *given: Any) -> bool:
        return self.inner.release(*given)

    async def extend(self, *given: Any) -> bool:
        return self.inner.extend(*given)


class BlockingStore:
    """A store that would stop the event loop."""

    scope = ""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.threads: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        step = getattr(self.inner, name)

        def call(*given: Any) -> Any:
            self.threads.add(threading.get_ident())
            return step(*given)

        return call

    def claim(self, *given: Any) -> Any:
        return self.__getattr__("claim")(*given)


@pytest.fixture(params=[MemoryStore, AsyncStore, BlockingStore])
def receiver(request: pytest.FixtureRequest) -> Receiver:
    return Receiver(PROVIDER, SECRET, store=request.param())


@pytest.fixture
def app() -> FastAPI:
    return FastAPI()


def send(app: Any, body: bytes = BODY, url: str = URL, **named: Any) -> Any:
    client = TestClient(app, raise_server_exceptions=False)
    return client.post(url, content=body, headers={**headers(body), **named.pop("headers", {})}, **named)


def test_a_delivery_runs_the_handler_once(app: FastAPI, receiver: Receiver) -> None:
    seen = []

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery, request: Request) -> None:
        assert request.state.delivery is delivery
        assert await request.json() == delivery.json()
        seen.append(delivery.id)

    first, second = send(app), send(app)
    assert (first.status_code, first.content) == (200, b"")
    assert (second.status_code, second.content, second.headers["hookproof-outcome"]) == (200, b"", "duplicate")
    assert seen == ["dlv_1"]


def test_a_store_that_waits_never_stops_the_loop(app: FastAPI) -> None:
    store = BlockingStore()
    loops = set()

    @app.post(URL)
    @receive(Receiver(PROVIDER, SECRET, store=store))
    async def on_delivery(delivery: Delivery) -> None:
        loops.add(threading.get_ident())

    assert send(app).status_code == 200
    assert store.threads
    assert not store.threads & loops


class Wanted(BaseModel):
    x: int


def test_what_fastapi_gives_a_handler(app: FastAPI, receiver: Receiver) -> None:
    closed = []

    async def session() -> AsyncIterator[str]:
        yield "session"
        closed.append(True)

    @app.post("/webhooks/{tenant}", status_code=202)
    @receive(receiver)
    async def on_delivery(
        tenant: str,
        delivery: Delivery,
        later: BackgroundTasks,
        db: Annotated[str, Depends(session)],
        answer: Response,
        q: int = 5,
    ) -> Any:
        answer.headers["x-y"] = "z"
        return {"tenant": tenant, "q": q, "db": db, "id": delivery.id}

    answer = send(app, url=f"{URL}?q=7")
    assert answer.json() == {"tenant": "agentbot", "q": 7, "db": "session", "id": "dlv_1"}
    assert (answer.status_code, answer.headers["x-y"], closed) == (202, "z", [True])


def test_names_that_only_type_checkers_know(app: FastAPI, receiver: Receiver) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: "Delivery", claim: "Claim") -> str:
        return type(claim).__name__

    expected = "AsyncClaim" if isinstance(receiver.store, AsyncStore) else "Claim"
    assert send(app).json() == expected


def test_a_handler_that_is_not_async_runs_in_a_thread(app: FastAPI, receiver: Receiver) -> None:
    @app.post(URL)
    @receive(receiver)
    def on_delivery(delivery: Delivery) -> Any:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return {"id": delivery.id}

    assert send(app).json() == {"id": "dlv_1"}


async def breaks_off() -> AsyncIterator[bytes]:
    yield b"begun"
    raise OSError("broke off")


def raises(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("fails", "status"),
    [
        (lambda: 1 / 0, 500),
        (lambda: raises(HTTPException(418)), 418),
        (lambda: PlainTextResponse("no", 503), 503),
        (lambda: StreamingResponse(breaks_off()), 500),
        (lambda: raises(asyncio.CancelledError()), 500),
    ],
)
def test_a_failure_lets_the_retry_run(app: FastAPI, receiver: Receiver, fails: Callable[[], Any], status: int) -> None:
    runs = []

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> Any:
        runs.append(1)
        return fails() if len(runs) == 1 else None

    with suppress(asyncio.CancelledError):
        assert send(app).status_code == status
    assert send(app).status_code == 200
    assert len(runs) == 2


def test_a_streamed_answer_is_whole(app: FastAPI, receiver: Receiver) -> None:
    async def chunks() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> Any:
        return StreamingResponse(chunks(), 201, {"x-y": "z"})

    answer = send(app)
    assert (answer.status_code, answer.content, answer.headers["x-y"]) == (201, b"ab", "z")


def test_a_lost_lease_is_no_success(app: FastAPI, receiver: Receiver) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None:
        raise LeaseLost

    assert send(app).status_code == 409


def test_refusals(app: FastAPI, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None: ...

    answer = send(app, headers=headers(secret="another"))
    assert (answer.status_code, answer.json()) == (401, {"title": "Unauthorized", "status": 401})
    assert answer.headers["content-type"] == "application/problem+json"
    assert send(app, b"x" * ((1 << 20) + 1)).status_code == 413
    assert "refused signature_mismatch" in caplog.text


@pytest.mark.parametrize("size", [0, 1 << 20, (1 << 20) + 1])
def test_the_limit_in_chunks(app: FastAPI, receiver: Receiver, size: int) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> int:
        return len(delivery.body)

    body = b"x" * size
    answer = TestClient(app).post(URL, content=iter([body[:1000], body[1000:]]), headers=headers(body))
    assert answer.status_code == (200 if size <= 1 << 20 else 413)


def test_a_body_parameter_leaves_the_raw_body(app: FastAPI, receiver: Receiver) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery, event: Annotated[dict[str, Any], Body()]) -> str:
        return str(event["event"])

    assert send(app).json() == "message.created"


def test_a_form_says_what_to_change(app: FastAPI, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery, a: Annotated[str, Form()]) -> None: ...

    answer = send(app, b"a=1", headers={"content-type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 500
    assert "refused body_not_raw" in caplog.text
    assert "`await request.body()`" in caplog.text


@pytest.mark.parametrize("reads", ["body", "json", "nothing"])
def test_a_middleware_that_reads_the_body(app: FastAPI, receiver: Receiver, reads: str) -> None:
    async def dispatch(request: Request, call_next: Any) -> Any:
        if reads != "nothing":
            await getattr(request, reads)()
        return await call_next(request)

    app.add_middleware(BaseHTTPMiddleware, dispatch=dispatch)

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None: ...

    assert send(app).status_code == 200


def test_a_middleware_that_takes_the_body_away(
    app: FastAPI, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    class Takes:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            async def empty() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            if scope["type"] == "http":
                await receive()
                receive = empty
            await self.app(scope, receive, send)

    app.add_middleware(Takes)

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None: ...

    assert send(app).status_code == 500
    assert "refused body_not_raw" in caplog.text


def test_a_route_class_verifies_before_anything_else(receiver: Receiver) -> None:
    resolved = []

    def dependency() -> None:
        resolved.append(1)

    router = APIRouter(route_class=route_class(receiver))

    @router.post(URL)
    async def on_delivery(
        delivery: Annotated[Delivery, Depends(current)], _: Annotated[None, Depends(dependency)], event: Wanted
    ) -> str:
        return f"{delivery.id} {event.x}"

    app = FastAPI()
    app.include_router(router)
    assert send(app, headers=headers(secret="another")).status_code == 401
    assert resolved == []
    assert send(app).status_code == 422
    body = b'{"x":5}'
    assert send(app, body).json() == "dlv_1 5"
    assert send(app, body).headers["hookproof-outcome"] == "duplicate"
    assert len(resolved) == 2


def test_a_route_class_releases_what_breaks_off(receiver: Receiver) -> None:
    router = APIRouter(route_class=route_class(receiver))
    runs = []

    @router.post(URL)
    async def on_delivery() -> StreamingResponse:
        runs.append(1)
        return StreamingResponse(breaks_off() if len(runs) == 1 else iter([b"whole"]))

    app = FastAPI()
    app.include_router(router)
    assert [send(app).status_code for _ in range(2)] == [500, 200]
    assert len(runs) == 2


def test_a_dependency_verifies_and_claims_nothing(app: FastAPI, receiver: Receiver) -> None:
    @app.post(URL)
    async def on_delivery(delivery: Annotated[Delivery, Depends(verified(receiver))]) -> str:
        return delivery.id or ""

    assert [send(app).json() for _ in range(2)] == ["dlv_1", "dlv_1"]
    assert send(app, headers=headers(secret="another")).status_code == 401


def test_starlette(receiver: Receiver) -> None:
    @receive(receiver)
    async def function(request: Request, delivery: Delivery) -> Response:
        return PlainTextResponse(request.path_params["tenant"])

    class Endpoint(HTTPEndpoint):
        word = "class"

        @receive(receiver)
        async def post(self, delivery: Delivery) -> Response:
            return PlainTextResponse(f"{self.word} {delivery.id}")

    app = Starlette(
        routes=[
            Route("/function/{tenant}", function, methods=["POST"]),
            Mount("/m", routes=[Route("/class", Endpoint)]),
        ]
    )
    assert send(app, url="/function/a").text == "a"
    body = b'{"n":2}'
    assert send(app, body, url="/m/class").text == "class dlv_1"


def test_secrets_and_hooks_may_be_awaited(app: FastAPI) -> None:
    outcomes = []

    async def secret(request: Request) -> tuple[str, str]:
        await asyncio.sleep(0)
        return request.path_params["tenant"], SECRET

    async def on_outcome(outcome: Any) -> None:
        await asyncio.sleep(0)
        outcomes.append(outcome.kind)

    receiver = Receiver(PROVIDER, secret, store=AsyncStore(), on_outcome=on_outcome)

    @app.post("/webhooks/{tenant}")
    @receive(receiver)
    async def on_delivery(delivery: Delivery, tenant: str) -> None: ...

    assert [send(app, url=f"/webhooks/{tenant}").status_code for tenant in ("a", "b", "a")] == [200, 200, 200]
    assert outcomes == ["accepted", "accepted", "duplicate"]


def test_enqueue_may_be_awaited(app: FastAPI) -> None:
    queue: asyncio.Queue[Any] = asyncio.Queue()
    receiver = Receiver(PROVIDER, SECRET, store=AsyncStore(), enqueue=queue.put)
    app.add_api_route(URL, receive(receiver), methods=["POST"])
    assert [send(app).status_code for _ in range(2)] == [200, 200]
    assert queue.qsize() == 1
    with pytest.raises(ConfigurationError):
        receive(receiver, lambda delivery: None)


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


async def request(app: Any, body: bytes = BODY) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.post(URL, content=body, headers=headers(body))


def test_a_cancelled_request_is_finished(app: FastAPI, receiver: Receiver) -> None:
    finished = []

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None:
        await asyncio.sleep(0.2)
        finished.append(1)

    async def play() -> Any:
        task = asyncio.create_task(request(app))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        in_flight = await request(app)
        await asyncio.sleep(0.3)
        return in_flight, await request(app)

    in_flight, afterwards = run(play())
    assert in_flight.status_code == 409
    assert finished == [1]
    assert afterwards.headers["hookproof-outcome"] == "duplicate"


def test_twenty_copies_at_once(app: FastAPI, receiver: Receiver) -> None:
    runs = []

    @app.post(URL)
    @receive(receiver)
    async def on_delivery(delivery: Delivery) -> None:
        await asyncio.sleep(0.05)
        runs.append(1)

    async def play() -> list[int]:
        return sorted([answer.status_code for answer in await asyncio.gather(*(request(app) for _ in range(20)))])

    assert run(play()) == [200] + [409] * 19
    assert runs == [1]


@pytest.mark.parametrize("store", [MemoryStore, AsyncStore, BlockingStore])
def test_a_long_handler_keeps_its_claim(app: FastAPI, store: Any) -> None:
    runs = []

    @app.post(URL)
    @receive(Receiver(PROVIDER, SECRET, store=store(), lease=0.15))
    async def on_delivery(delivery: Delivery) -> None:
        runs.append(1)
        await asyncio.sleep(0.6)

    async def play() -> tuple[int, int]:
        first = asyncio.create_task(request(app))
        await asyncio.sleep(0.4)
        return (await request(app)).status_code, (await first).status_code

    assert run(play()) == (409, 200)
    assert runs == [1]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    message = await receive()
    await send(
        {"type": "http.response.start", "status": 201, "headers": [(b"x-id", scope["hookproof.delivery"].id.encode())]}
    )
    await send({"type": "http.response.body", "body": message["body"], "more_body": True})
    await send({"type": "http.response.body", "body": b"!"})


def test_plain_asgi(receiver: Receiver) -> None:
    app = hookproof.asgi.receive(receiver, echo)
    first, second = send(app), send(app)
    assert (first.status_code, first.content, first.headers["x-id"]) == (201, BODY + b"!", "dlv_1")
    assert second.headers["hookproof-outcome"] == "duplicate"
    assert send(app, b"x" * (2 << 20)).status_code == 413
    assert send(app, headers=headers(secret="another")).status_code == 401


def test_plain_asgi_on_one_path(receiver: Receiver) -> None:
    async def open_to_all(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("delivery" if "hookproof.delivery" in scope else "open")(scope, receive, send)

    app = hookproof.asgi.receive(receiver, open_to_all, path=URL)
    assert send(app, url="/elsewhere", headers={"x-agentbot-signature": ""}).text == "open"
    assert send(app).text == "delivery"


def test_plain_asgi_that_breaks_off(receiver: Receiver) -> None:
    runs = []

    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        runs.append(1)
        if len(runs) > 1:
            return await echo(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise OSError

    app = hookproof.asgi.receive(receiver, breaks)
    assert [send(app).status_code for _ in range(2)] == [500, 201]


def test_handlers_that_are_none(receiver: Receiver) -> None:
    for handler in (lambda: None, lambda delivery=None: None, 5):
        with pytest.raises(ConfigurationError):
            receive(receiver)(handler)  # type: ignore[arg-type]
