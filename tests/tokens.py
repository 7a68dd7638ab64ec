"""Tokens as the command line makes them, without a process for each."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from appliance.core.access.person import Role
from appliance.server import access
from appliance.system.storage.secret_file import load_secret

LASTS_S = 36_000  # beyond the longest test


def issued(state: Path, role: str = "admin", departments: Iterable[str] | None = None) -> str:
    """A token for the service with this state directory, which need not have started. `departments`: `None` for all."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    return access.issue(load_secret(state), Role(role), departments, LASTS_S, "token", datetime.now(UTC))
