"""Django's routes of a test: whatever the test puts there."""

from __future__ import annotations

from typing import Any

urlpatterns: list[Any] = []
