"""Limits Engine.IO sessions without a login: each has seconds to log in, and there are only so many at once.

python-engineio keeps a session for as long as it answers pings, whoever it is.
"""

from collections.abc import Collection, Iterable


class PendingSessions:
    """Since when each session has been without a login, the longest first. `now_s`: of a clock that never jumps."""

    def __init__(self, most: int, deadline_s: float) -> None:
        self._most = most
        self._deadline_s = deadline_s
        self._since_s: dict[str, float] = {}

    def start_deadline(self, session: str, now_s: float) -> str | None:
        """Start the deadline of a new session. Returns the session to drop where there are too many, else `None`."""
        self._since_s[session] = now_s
        return next(iter(self._since_s)) if len(self._since_s) > self._most else None

    def end_deadline(self, session: str) -> None:
        """Forget a session that ended or logged in."""
        self._since_s.pop(session, None)

    def overdue(self, sessions: Iterable[str], logged_in: Collection[str], now_s: float) -> list[str]:
        """Of all `sessions`, those whose deadline has passed. A session that logged out gets a new deadline."""
        pending = {session: now_s for session in sessions if session not in logged_in}
        known = {session: since_s for session, since_s in self._since_s.items() if session in pending}
        self._since_s = known | {session: pending[session] for session in pending.keys() - known.keys()}
        return [session for session, since_s in self._since_s.items() if now_s - since_s >= self._deadline_s]
