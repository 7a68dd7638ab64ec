"""Tampering: another program changed our state in the kernel. It is logged, and shown to people for some minutes."""

import logging

from appliance.core.moment import Moment

log = logging.getLogger(__name__)

SHOWN_S = 300.0  # long enough for a person who looks at the page now and then


class Tampering:
    """Remembers the latest incident of one kind."""

    def __init__(self) -> None:
        self._latest: tuple[str, float] | None = None

    def note(self, culprit: str, deed: str, now: Moment) -> None:
        """Log an incident that the caller repairs in this same step."""
        log.error("%s %s; it is put in force again", culprit, deed)
        at = now.wall.strftime("%H:%M:%S UTC")
        self._latest = f"{culprit} {deed} at {at}; it was put in force again", now.monotonic_s

    def text(self, now: Moment) -> str | None:
        """The latest incident as a sentence for people; `None`: none within `SHOWN_S`."""
        if self._latest is None or now.monotonic_s - self._latest[1] > SHOWN_S:
            return None
        return self._latest[0]
