"""The name under which a shared store keeps an application's events apart."""

from __future__ import annotations

from hookproof._errors import ConfigurationError


def checked_scope(scope: object) -> str:
    """`scope`, if it can be one."""
    # Printable ASCII, so that it stands in keys, tables and logs as it was written.
    if isinstance(scope, str) and 0 < len(scope) <= 255 and scope.isascii() and scope.isprintable():
        return scope
    raise ConfigurationError(
        "`scope` names the endpoint or tenant of a shared store: 1 to 255 printable ASCII characters", "option_invalid"
    )
