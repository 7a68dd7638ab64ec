"""Backups by themselves: one each day at a local time, of which the latest few are kept.

A day whose backup fails is tried again, less and less often, until it is made or the next day's is due; meanwhile it is
a trouble, of which notifications tell. None begins while the time is not known or in maintenance, when nothing may be
written to the state directory: one that goes on then gives way, and is begun again afterwards.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from appliance.core.moment import Moment
from appliance.core.text import clipped
from appliance.ports import Backups

log = logging.getLogger(__name__)

# A server that restarts is there in ten minutes; one that is down for days is asked a few times a day.
FIRST_RETRY_S, LONGEST_RETRY_S = 600.0, 21_600.0


class BackupWatch:
    """Has backups made. `at`: the local time of each day's. `is_held`: whether none may begin now."""

    def __init__(self, backups: Backups, *, at: time, zone: ZoneInfo, is_held: Callable[[], bool]) -> None:
        self._backups, self._at, self._zone, self._is_held = backups, at, zone, is_held
        self._running: date | None = None  # the day whose backup is being made
        self._done: date | None = None
        self._fault: str | None = None
        self._failures, self._not_before_s = 0, 0.0
        self._gives_way = False

    def step(self, now: Moment) -> None:
        """Begin the backup that is due, and take note of how one has ended."""
        if self._running is not None:
            self._finish(self._running, now)
            return
        if not now.is_trusted or self._is_held():
            return
        due = self._due(now)
        if due != self._done and now.monotonic_s >= self._not_before_s:
            self._running = due
            self._backups.begin(due)

    def end(self) -> None:
        """End the one that goes on, with the service."""
        self._backups.end()

    def hold(self) -> None:
        """End the one that goes on, because nothing may be written any more."""
        if self._running is not None:
            self._gives_way = True
            self._backups.end()

    def settle(self) -> None:
        """Wait until it has ended."""
        self._backups.settle()

    def release(self) -> None:
        """The next step begins it again."""

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence while the latest backup has failed."""
        del now
        return [f"the backup of the day fails and is tried again: {self._fault}"] if self._fault else []

    def _due(self, now: Moment) -> date:
        """The latest day whose time has come."""
        today = now.wall.astimezone(self._zone).date()
        return today if datetime.combine(today, self._at, self._zone) <= now.wall else today - timedelta(days=1)

    def _finish(self, day: date, now: Moment) -> None:
        outcome = self._backups.outcome()
        if outcome is None:
            return
        self._running, gave_way, self._gives_way = None, self._gives_way, False
        if outcome != "" and gave_way:
            log.info("the backup of %s gives way to maintenance, and is made afterwards", day)
            return
        if outcome == "":
            log.info("the backup of %s is made", day)
            self._done, self._fault, self._failures, self._not_before_s = day, None, 0, 0.0
            return
        self._fault = clipped(outcome)
        self._not_before_s = now.monotonic_s + min(FIRST_RETRY_S * 2 ** min(self._failures, 16), LONGEST_RETRY_S)
        self._failures += 1
        log.error("the backup of %s fails: %s", day, self._fault)
