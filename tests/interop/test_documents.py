"""What the sender sends, the documents' own sample code accepts, run as it stands."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Iterator

import pytest
from conftest import HERE, SECRET, hookproof
from werkzeug.serving import make_server

# every value that JSON and its printers can differ about
DATA = json.dumps(
    {
        "text": 'a "quote", a \\, a / and \u2028 \u00e9 \U0001f600 \x7f \b',
        "numbers": [1.0, 1e2, 1e-7, -0.0, 0.1, 123456789012345680000, 1e21, 5e-324],
        "10": "integer-like keys come first",
        "2": {"z": None, "a": [], "b": {}},
        "": True,
    }
)


def events(provider: str) -> list[str]:
    facts = json.loads(hookproof("providers", provider, "--json").stdout)
    return [event["type"] for event in facts["sender"]["events"]]


def sent(provider: str, url: str, *arguments: str, data: str | None = None) -> bool:
    given = ["--data", "-"] if data else []
    done = hookproof("send", "--provider", provider, url, *given, *arguments, body=(data or "").encode())
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


NODE = ["get-a-team", "my-gpt-assistants", "agentbot"]


@pytest.mark.parametrize("provider", NODE)
def test_node_samples_accept_every_event_and_any_data(samples: str, provider: str) -> None:
    url = f"{samples}/{provider}"
    for event in events(provider):
        assert sent(provider, url, "--event", event), event
    assert sent(provider, url, data=DATA)


@pytest.mark.parametrize("provider", NODE)
def test_node_samples_refuse_what_is_wrong(samples: str, provider: str) -> None:
    for fault in ("tampered-body", "wrong-secret", "missing-header"):
        assert not sent(provider, f"{samples}/{provider}", "--fault", fault), fault


@pytest.fixture(scope="module")
def flask_sample(request: pytest.FixtureRequest) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HOOKPROOF_SECRET", SECRET)
    spec = importlib.util.spec_from_file_location("sample", HERE / "documents/my_gpt_assistants.py")
    assert spec is not None
    assert spec.loader is not None
    sample = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sample)
    patch.undo()
    server = make_server("127.0.0.1", 0, sample.app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/webhook"
    server.shutdown()
    thread.join()


def test_the_flask_sample_accepts_every_event_and_any_data(flask_sample: str) -> None:
    for event in events("my-gpt-assistants"):
        assert sent("my-gpt-assistants", flask_sample, "--event", event), event
    assert sent("my-gpt-assistants", flask_sample, data=DATA)
    for fault in ("tampered-body", "wrong-secret"):
        assert not sent("my-gpt-assistants", flask_sample, "--fault", fault), fault
