"""Decides whether an incoming webhook is authentic, fresh and new.

from flask import Flask
from hookproof import Receiver, SQLiteStore
from hookproof.flask import receive

receiver = Receiver("agentbot", os.environ["AGENTBOT_SECRET"], store=SQLiteStore("deliveries.db", scope="crm"))
app = Flask(__name__)

@app.post("/webhooks/agentbot")
@receive(receiver)
def on_delivery(delivery):
    print(delivery.event_type, delivery.id, delivery.json())
"""

from hookproof._engine import VERSION, Delivery, Explanation, MemoryStore
from hookproof._errors import ConfigurationError, LeaseLost, VerificationError
from hookproof._scheme import Scheme, Secret
from hookproof._verifier import Signed, Signer, Stream, Verifier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hookproof._claim import AsyncClaim, Claim
    from hookproof._delivery import Item
    from hookproof._outcome import Outcome
    from hookproof._receiver import Receiver
    from hookproof.stores.sqlite import SQLiteStore

__all__ = [
    "AsyncClaim",
    "Claim",
    "ConfigurationError",
    "Delivery",
    "Explanation",
    "Item",
    "LeaseLost",
    "MemoryStore",
    "Outcome",
    "Receiver",
    "SQLiteStore",
    "Scheme",
    "Secret",
    "Signed",
    "Signer",
    "Stream",
    "VerificationError",
    "Verifier",
]

__version__ = VERSION

# What costs more to import than a verifier does is imported when it is asked for.
_LATER = {
    "AsyncClaim": "hookproof._claim",
    "Claim": "hookproof._claim",
    "Item": "hookproof._delivery",
    "Outcome": "hookproof._outcome",
    "Receiver": "hookproof._receiver",
    "SQLiteStore": "hookproof.stores.sqlite",
}


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module `hookproof` has no attribute `{name}`")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
