"""Disturbance: somebody meddled with what is ours in the kernel, and a person is to hear of it."""

import logging

from appliance.core.moment import Moment

log = logging.getLogger(__name__)

TOLD_S = 300.0  # long enough to be seen by somebody who looks at the page now and then


class Tampering:
    """The latest of one kind."""

    def __init__(self) -> None:
        self._latest: tuple[str, float] | None = None

    def note(self, who: str, what: str, now: Moment) -> None:
        """It has happened, and is mended in this very step."""
        log.error("%s %s; it is put in force again", who, what)
        at = now.wall.strftime("%H:%M:%S UTC")
        self._latest = f"{who} {what} at {at}; it was put in force again", now.monotonic_s

    def text(self, now: Moment) -> str | None:
        """What has happened lately, for a person; `None`: nothing."""
        if self._latest is None or now.monotonic_s - self._latest[1] > TOLD_S:
            return None
        return self._latest[0]
