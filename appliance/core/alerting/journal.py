"""Sent alerts, for clients that were away: each has a number, and the latest are kept.

The numbers grow, over restarts too, and are microseconds since 1970 where the clock allows: so a client can ask for the
alerts after the latest number that it has seen, and is right even if the journal was lost.
"""

from collections import deque
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

MOST_KEPT = 500  # some days of a busy network, and at most 300 kB for one client that has seen none of them
LARGEST_NUMBER = 2**53 - 1  # beyond it a browser's numbers are no longer whole


class SentAlert(Struct, frozen=True):
    """A sent alert. `room`: its audience; `content`: the event as JSON."""

    number: int
    name: str
    room: str
    content: bytes


class AlertJournal:
    """The latest alerts, oldest first."""

    def __init__(self, kept: Iterable[SentAlert] = ()) -> None:
        self._alerts = deque(kept, maxlen=MOST_KEPT)

    def next_number(self, wall: datetime) -> int:
        """The number for an alert that is raised now; it grows even if the clock went back."""
        latest = self._alerts[-1].number if self._alerts else 0
        return min(max(latest + 1, round(wall.timestamp() * 1e6)), LARGEST_NUMBER)

    def append(self, alert: SentAlert) -> None:
        """Keep the alert, and forget the oldest beyond `MOST_KEPT`."""
        self._alerts.append(alert)

    def since(self, number: int, rooms: Iterable[str]) -> list[SentAlert]:
        """The alerts to these rooms after the one with this number."""
        wanted = frozenset(rooms)
        return [alert for alert in self._alerts if alert.number > number and alert.room in wanted]
