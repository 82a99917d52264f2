"""One request on its way: claims, leases, stores that fail, and who is told what."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import Any

import pytest
from sending import BODY, PROVIDER, SECRET, event, headers

from hookproof import ConfigurationError, Delivery, LeaseLost, MemoryStore, Outcome, Receiver, Secret, _reception
from hookproof._reception import Answer, answer
from hookproof._renewal import Renewals


class Recorder:
    """A store that writes down its steps, and fails when it is told to."""

    scope = ""

    def __init__(self, **fails: list[Any]) -> None:
        self.inner = MemoryStore()
        self.steps: list[str] = []
        self.fails = fails

    def __getattr__(self, name: str) -> Any:
        if name not in ("claim", "complete", "release", "extend"):
            raise AttributeError(name)

        def step(*given: Any) -> Any:
            self.steps.append(name)
            planned = self.fails.get(name)
            if planned:
                answer = planned.pop(0)
                if isinstance(answer, BaseException):
                    raise answer
                if answer is not None:
                    return answer
            return getattr(self.inner, name)(*given)

        return step


def play(
    receiver: Receiver, handler: Any = lambda delivery, claim: ("ok", 200), body: bytes = BODY, **named: Any
) -> Any:
    given = named.pop("given") if "given" in named else headers(body, **named)
    return answer(receiver, (lambda _, limit: body, given, "POST", lambda _: None, None), handler)


def test_the_steps_of_a_success() -> None:
    store = Recorder()
    receiver = Receiver(PROVIDER, SECRET, store=store)
    assert play(receiver) == "ok"
    assert store.steps == ["claim", "complete"]
    again = play(receiver)
    assert (again.status, dict(again.headers)["hookproof-outcome"]) == (200, "duplicate")
    assert store.steps == ["claim", "complete", "claim"]


def test_an_unauthenticated_request_never_touches_the_store() -> None:
    store = Recorder()
    receiver = Receiver(PROVIDER, SECRET, store=store)
    for given in ({}, headers(secret="another"), headers(timestamp=1)):
        assert play(receiver, given=given).status == 401
    assert store.steps == []


@pytest.mark.parametrize("error", [OSError("down"), TimeoutError(), KeyError("x")])
def test_a_store_that_is_down_refuses(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    store = Recorder(claim=[error])
    said = play(Receiver(PROVIDER, SECRET, store=store), lambda *_: pytest.fail("ran without a claim"))
    assert (said.status, int(dict(said.headers)["retry-after"]) > 0) == (503, True)
    # the claim may have been taken although nobody heard the answer
    assert store.steps == ["claim", "release"]
    assert "refused store_unavailable" in caplog.text


@pytest.mark.parametrize(
    "nonsense", [None, 5, (), ("claimed",), ("claimed", "x"), ("done", b"short"), ("new", 1), ("claimed", -1)]
)
def test_a_store_that_answers_nonsense(nonsense: Any) -> None:
    class Nonsense(Recorder):
        def claim(self, *given: Any) -> Any:
            return nonsense

    said = play(Receiver(PROVIDER, SECRET, store=Nonsense()), lambda *_: pytest.fail("ran without a claim"))
    assert said.status == 503


def test_complete_is_tried_three_times_within_a_second(caplog: pytest.LogCaptureFixture) -> None:
    store = Recorder(complete=[OSError(), OSError()])
    started = time.monotonic()
    assert play(Receiver(PROVIDER, SECRET, store=store)) == "ok"
    assert time.monotonic() - started < 1
    assert store.steps == ["claim", "complete", "complete", "complete"]

    store = Recorder(complete=[OSError()] * 3)
    assert play(Receiver(PROVIDER, SECRET, store=store)) == "ok"
    assert store.steps == ["claim", "complete", "complete", "complete"]
    assert "complete_failed agentbot" in caplog.text


@pytest.mark.parametrize(
    "raised", [ValueError("x"), SystemExit(1), KeyboardInterrupt(), StopIteration(), GeneratorExit()]
)
def test_whatever_a_handler_raises_releases_the_claim(raised: BaseException) -> None:
    store = Recorder()

    def handler(delivery: Delivery, claim: Any) -> Any:
        raise raised

    with pytest.raises(type(raised)) as seen:
        play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert seen.value is raised
    assert store.steps == ["claim", "release"]


def test_a_handlers_own_verification_error_is_its_own() -> None:
    from hookproof import VerificationError

    def handler(delivery: Delivery, claim: Any) -> Any:
        raise VerificationError("of another verifier", "signature_mismatch", 401)

    store = Recorder()
    with pytest.raises(VerificationError, match="of another verifier"):
        play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert store.steps == ["claim", "release"]


def test_a_lease_that_was_lost_at_complete(caplog: pytest.LogCaptureFixture) -> None:
    store = Recorder(complete=[False])
    assert play(Receiver(PROVIDER, SECRET, store=store)) == "ok"
    assert "lost_lease agentbot" in caplog.text


def test_a_lease_that_was_lost_inside_a_transaction() -> None:
    store = Recorder(extend=[False])

    def handler(delivery: Delivery, claim: Any) -> Any:
        with pytest.raises(LeaseLost):
            claim.extend()
        assert claim.lost
        raise LeaseLost

    said = play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert isinstance(said, Answer)
    assert said.status == 409
    assert store.steps == ["claim", "extend"]


class InTransaction(Recorder):
    """A store that lives in the user's database: what a transaction completes is there once it is committed."""

    def complete_in(self, transaction: list[Any], key: bytes, token: bytes, retention_ms: int) -> None:
        if not self.inner.extend(key, token, 1000):
            raise LeaseLost
        transaction.append(lambda: self.inner.complete(key, token, retention_ms))


def test_complete_in_is_confirmed_by_the_store() -> None:
    store = InTransaction()

    def handler(delivery: Delivery, claim: Any) -> Any:
        transaction: list[Any] = []
        claim.complete_in(transaction)
        transaction[0]()
        return "ok", 200

    assert play(Receiver(PROVIDER, SECRET, store=store), handler) == "ok"
    assert store.steps == ["claim", "claim"]


def test_a_2xx_after_a_transaction_that_was_rolled_back_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    store = InTransaction()

    def handler(delivery: Delivery, claim: Any) -> Any:
        claim.complete_in([])
        return "ok", 200

    said = play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert isinstance(said, Answer)
    assert said.status == 500
    assert store.steps == ["claim", "claim", "release"]
    assert "the transaction with `complete_in` was not committed" in caplog.text
    assert play(Receiver(PROVIDER, SECRET, store=store)) == "ok", "the sender's next try runs"


def test_complete_in_that_the_store_cannot_confirm_is_no_2xx() -> None:
    store = InTransaction()

    def handler(delivery: Delivery, claim: Any) -> Any:
        transaction: list[Any] = []
        claim.complete_in(transaction)
        transaction[0]()
        store.fails["claim"] = [ConnectionError()]
        return "ok", 200

    said = play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert isinstance(said, Answer)
    assert (said.status, dict(said.headers).get("retry-after")) == (503, "5")


def test_a_transaction_that_is_still_open_is_no_2xx() -> None:
    store = InTransaction()

    def handler(delivery: Delivery, claim: Any) -> Any:
        claim.complete_in([])
        store.fails["claim"] = [("in_flight", 1000)]
        return "ok", 200

    said = play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert isinstance(said, Answer)
    assert said.status == 409
    assert store.steps == ["claim", "claim"]


def test_complete_in_a_transaction_that_fails_afterwards_releases() -> None:
    store = InTransaction()

    def handler(delivery: Delivery, claim: Any) -> Any:
        claim.complete_in([])
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        play(Receiver(PROVIDER, SECRET, store=store), handler)
    assert store.steps == ["claim", "release"]


def test_complete_in_needs_a_store_that_can() -> None:
    def handler(delivery: Delivery, claim: Any) -> Any:
        with pytest.raises(ConfigurationError, match="lives in your database"):
            claim.complete_in(None)
        return "ok", 200

    assert play(Receiver(PROVIDER, SECRET, store=MemoryStore()), handler) == "ok"


def test_a_long_handler_keeps_its_claim() -> None:
    store = Recorder()
    receiver = Receiver(PROVIDER, SECRET, store=store, lease=0.15)

    def handler(delivery: Delivery, claim: Any) -> Any:
        time.sleep(0.5)
        return "ok", 200

    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(play(receiver, handler)))
    thread.start()
    time.sleep(0.4)
    copy = play(receiver, lambda *_: pytest.fail("ran twice"))
    thread.join()
    assert (copy.status, answers) == (409, ["ok"])
    extended = store.steps.count("extend")
    assert 5 <= extended <= 11
    time.sleep(0.2)
    assert store.steps.count("extend") == extended, "renewed after its end"


def test_a_store_that_fails_to_extend_is_asked_again() -> None:
    store = Recorder(extend=[OSError("down"), None])
    receiver = Receiver(PROVIDER, SECRET, store=store, lease=0.15)
    assert play(receiver, lambda *_: (time.sleep(0.2), ("ok", 200))[1]) == "ok"
    assert store.steps.count("extend") >= 2


def test_renewal_ends_with_max_handler() -> None:
    store = Recorder()
    receiver = Receiver(PROVIDER, SECRET, store=store, lease=0.09, max_handler=0.1)
    play(receiver, lambda *_: (time.sleep(0.5), ("ok", 200))[1])
    assert store.steps.count("extend") <= 4


class Extended:
    """A claim that counts how often, and notes when first, it is extended."""

    def __init__(self) -> None:
        self.times = 0
        self.first = 0.0

    def extend(self) -> None:
        self.first = self.first or time.monotonic()
        self.times += 1


@pytest.fixture
def renewals() -> Renewals:
    return Renewals()


def test_a_renewal_that_has_ended_never_begins(renewals: Renewals) -> None:
    claims: list[Any] = [Extended() for _ in range(100)]
    for claim in claims:
        renewals.add(claim, 0.05, 10)
        renewals.end(claim)
    time.sleep(0.15)
    assert [claim.times for claim in claims] == [0] * 100
    assert not renewals._waiting


def test_the_thread_that_begins_renewals_ends_and_comes_back(renewals: Renewals) -> None:
    for _ in range(2):
        claim: Any = Extended()
        renewals.add(claim, 0.02, 10)
        time.sleep(0.1)
        renewals.end(claim)
        assert claim.times >= 2
        assert not renewals._begun
        # as if it had looked for ten seconds and found nothing
        with renewals._changed:
            renewals._running = False


def test_renewals_that_are_due_at_different_times(renewals: Renewals) -> None:
    started = time.monotonic()
    claims: dict[float, Any] = {after: Extended() for after in (0.3, 0.1, 0.2)}
    for after, claim in claims.items():
        renewals.add(claim, after, 10)
    time.sleep(0.45)
    for claim in claims.values():
        renewals.end(claim)
    assert {after: round(claim.first - started, 1) for after, claim in claims.items()} == {0.1: 0.1, 0.2: 0.2, 0.3: 0.3}


def test_many_threads_add_and_end_renewals(renewals: Renewals) -> None:
    """However an addition and the thread's own looking are interleaved, no renewal is late and none goes on."""
    held: list[Any] = []

    def work() -> None:
        for n in range(200):
            claim: Any = Extended()
            renewals.add(claim, 0.02 if n % 50 == 0 else 0.3, 10)
            if n % 50 == 0:
                time.sleep(0.1)
                held.append(claim)
            renewals.end(claim)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(held) == 32
    assert min(claim.times for claim in held) >= 1
    counted = sum(claim.times for claim in held)
    time.sleep(0.1)
    assert sum(claim.times for claim in held) <= counted + 1
    assert not renewals._waiting
    assert not renewals._begun


def test_a_claim_in_memory_is_never_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unused(Renewals):
        def add(self, *given: Any) -> None:
            pytest.fail("it dies with its process")

    monkeypatch.setattr(_reception, "renewals", Unused())
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), lease=0.05, max_handler=5)

    def handler(delivery: Delivery, claim: Any) -> tuple[str, int]:
        for step in (lambda: None, claim.extend):
            step()
            time.sleep(0.15)
            assert play(receiver).status == 409
        return "ok", 200

    assert play(receiver, handler) == "ok"
    assert dict(play(receiver).headers)["hookproof-outcome"] == "duplicate"


def test_a_claim_in_memory_ends_with_max_handler(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), lease=0.05, max_handler=0.1)

    def handler(delivery: Delivery, claim: Any) -> tuple[str, int]:
        time.sleep(0.3)
        assert play(receiver) == "ok"
        return "late", 200

    assert play(receiver, handler) == "late"
    assert "lost_lease agentbot" in caplog.text


def test_without_a_thread_to_be_had_a_delivery_is_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_reception, "renewals", Renewals())
    monkeypatch.setattr(threading.Thread, "start", start)
    assert play(Receiver(PROVIDER, SECRET, store=Recorder())) == "ok"
    assert "no thread can be started" in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded")
def test_renewal_works_in_a_forked_worker() -> None:
    store = Recorder()
    receiver = Receiver(PROVIDER, SECRET, store=store, lease=0.09)
    play(receiver, lambda *_: (time.sleep(0.1), ("ok", 200))[1])
    child = os.fork()
    if child == 0:
        store.steps.clear()
        play(receiver, lambda *_: (time.sleep(0.3), ("ok", 200))[1], event(2))
        os._exit(0 if store.steps.count("extend") >= 3 else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_who_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told: list[Outcome] = []
    receiver = Receiver(PROVIDER, Secret(SECRET, name="2026"), store=MemoryStore(), on_outcome=told.append)
    play(receiver)
    play(receiver)
    play(receiver, given={})
    with pytest.raises(ZeroDivisionError):
        play(receiver, lambda *_: 1 / 0, event(2))
    play(receiver, lambda *_: ("no", 418), event(3))
    assert [outcome.kind for outcome in told] == ["accepted", "duplicate", "refused", "failed", "failed"]
    assert [outcome.status for outcome in told] == [200, 200, 401, 500, 418]
    first = told[0]
    assert (first.scheme, first.id, first.event_type, first.secret_name) == (
        PROVIDER,
        "dlv_1",
        "message.created",
        "2026",
    )
    assert first.key_prefix is not None
    assert len(first.key_prefix) == 8
    assert 0 < first.duration_ms < 1000
    assert (told[2].code, told[2].message) == (
        "signature_missing",
        "the signature is absent or empty: it is expected in header x-agentbot-signature",
    )
    levels = [(record.levelname, record.message.split()[0]) for record in caplog.records if record.name == "hookproof"]
    assert levels == [
        ("INFO", "accepted"),
        ("INFO", "duplicate"),
        ("WARNING", "refused"),
        ("ERROR", "failed"),
        ("ERROR", "failed"),
    ]
    assert caplog.records[0].hookproof is first  # type: ignore[attr-defined]


def test_a_hook_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), on_outcome=lambda outcome: 1 / 0)
    assert play(receiver) == "ok"
    assert "`on_outcome` failed" in caplog.text


def test_nothing_can_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    body = b'{"event":"a\\nrefused forged agentbot"}'
    play(Receiver(PROVIDER, Secret(SECRET, name="old\nrefused forged"), store=MemoryStore()), body=body)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "hookproof"]
    assert "\n" not in line
    assert "secret='old\\nrefused forged'" in line


def test_opentelemetry() -> None:
    from opentelemetry import metrics, trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    reader = InMemoryMetricReader()
    metrics.set_meter_provider(MeterProvider([reader]))
    spans = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(tracing)

    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore())
    with trace.get_tracer("test").start_as_current_span("request"):
        play(receiver)
    play(receiver, given={})

    data = reader.get_metrics_data()
    assert data is not None
    found = {metric.name: metric.data.data_points for metric in data.resource_metrics[0].scope_metrics[0].metrics}
    counted = {tuple(sorted((point.attributes or {}).items())): point.value for point in found["hookproof.deliveries"]}
    assert counted == {
        (("hookproof.outcome", "accepted"), ("hookproof.scheme", "agentbot")): 1,
        (
            ("hookproof.code", "signature_missing"),
            ("hookproof.outcome", "refused"),
            ("hookproof.scheme", "agentbot"),
        ): 1,
    }
    assert found["hookproof.duration"]
    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["hookproof.outcome"] == "accepted"
    assert span.attributes["hookproof.id"] == "dlv_1"
    assert "canary" not in str(span.attributes)


def test_quotes_around_a_secret_are_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(PROVIDER, f'"{SECRET}"', store=MemoryStore())
    assert "stands in quotes" in caplog.text
    assert SECRET not in caplog.text
    caplog.clear()
    play(receiver, given={})
    assert "quotes" not in caplog.text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"store": object()},
        {"store": "memory"},
        {"store": None, "clock": 5},
        {"store": None, "on_outcome": "print"},
        {"store": MemoryStore(), "retention": 1},
        {"store": MemoryStore(), "lease": 0},
        {"store": MemoryStore(), "lease": 86_000},
        {"store": MemoryStore(), "leese": 5},
        {"store": MemoryStore(), "handshake": "yes"},
        {"store": MemoryStore(), "rate_limit": 5},
    ],
)
@pytest.mark.parametrize("secret", [SECRET, lambda request: SECRET])
def test_options_that_are_none(options: Any, secret: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Receiver(PROVIDER, secret, **options)
    assert raised.value.code == "option_invalid"


def test_a_secret_for_each_tenant_is_judged_when_it_is_found(caplog: pytest.LogCaptureFixture) -> None:
    for found, status in ((None, 401), ("", 500), ([], 500), (("tenant", SECRET), 200), ([SECRET, "old"], 200)):
        receiver = Receiver(PROVIDER, lambda request, found=found: found, store=MemoryStore())
        said = play(receiver)
        assert (200 if said == "ok" else said.status) == status
    assert "secret_empty" in caplog.text


def test_the_kernels_of_tenants_are_bounded() -> None:
    names = iter(range(2000))
    receiver = Receiver(PROVIDER, lambda request: (f"tenant {next(names)}", [f"s {next(names)}", SECRET]), store=None)
    for _ in range(1000):
        play(receiver)
    assert len(receiver._tenants) == 256


def test_a_rate_limit() -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), rate_limit={"limit": 2, "per": "60s"})
    said = [play(receiver, body=event(n)) for n in range(3)]
    assert said[:2] == ["ok", "ok"]
    assert (said[2].status, dict(said[2].headers)["retry-after"]) == (429, "60")


def test_a_conflict() -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), identity="id", conflict=True)
    assert play(receiver, body=event(1)) == "ok"
    assert play(receiver, body=event(2)).status == 409
    assert play(receiver, body=event(1)).status == 200


def test_no_conflict_with_what_was_not_kept() -> None:
    store = MemoryStore()
    receivers = [Receiver(PROVIDER, SECRET, store=store, identity="id", conflict=asked) for asked in (False, True)]
    assert play(receivers[0], body=event(1)) == "ok"
    assert play(receivers[1], body=event(2)).status == 200


def test_without_a_store_everything_runs() -> None:
    receiver = Receiver(PROVIDER, SECRET, store=None)
    assert [play(receiver, lambda delivery, claim: (claim, 200)) for _ in range(2)] == [None, None]


def test_a_full_store_refuses() -> None:
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(2))
    said = [play(receiver, body=event(n)) for n in range(3)]
    assert said[:2] == ["ok", "ok"]
    assert said[2].status == 503


def test_the_clock_is_the_receivers() -> None:
    from hookproof.testing import FrozenClock

    clock = FrozenClock(1_700_000_000)
    receiver = Receiver(PROVIDER, SECRET, store=MemoryStore(), clock=clock)
    good = headers(timestamp=1_700_000_000)
    assert play(receiver, given=good) == "ok"
    clock.advance(301)
    assert play(receiver, given=good).status == 401
