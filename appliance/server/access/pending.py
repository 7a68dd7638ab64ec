"""Strangers: Engine.IO sessions without a login. Each has seconds to change that, and there are only so many at once.

python-engineio keeps a session for as long as it answers pings, whoever it is.
"""

from collections.abc import Collection, Iterable


class PendingSessions:
    """Since when each session has been without a login, the longest first. `now_s`: of a clock that never jumps."""

    def __init__(self, most: int, deadline_s: float) -> None:
        self._most = most
        self._deadline_s = deadline_s
        self._since_s: dict[str, float] = {}

    def open(self, session: str, now_s: float) -> str | None:
        """A session begins. Returns the one that gives way to it, where there are too many."""
        self._since_s[session] = now_s
        return next(iter(self._since_s)) if len(self._since_s) > self._most else None

    def close(self, session: str) -> None:
        """A session ends, or has logged in."""
        self._since_s.pop(session, None)

    def overdue(self, sessions: Iterable[str], at_home: Collection[str], now_s: float) -> list[str]:
        """Those of all sessions whose time is over. Who has logged out is a stranger again."""
        strangers = {session: now_s for session in sessions if session not in at_home}
        known = {session: since_s for session, since_s in self._since_s.items() if session in strangers}
        self._since_s = known | {session: strangers[session] for session in strangers.keys() - known.keys()}
        return [session for session, since_s in self._since_s.items() if now_s - since_s >= self._deadline_s]
