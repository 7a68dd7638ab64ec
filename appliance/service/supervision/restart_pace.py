"""The pace of restarts: a service that fails again and again starts ever more slowly, and never gives up.

systemd starts it again two seconds after each failure; Debian 12's (252) knows no delay that grows. So a start notes
its time in the unit's runtime directory, in memory, and one after many others waits first. A clean end forgets them
all. The kernel blocks, limits and counts meanwhile.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

log = logging.getLogger("appliance")

VARIABLE = "RUNTIME_DIRECTORY"  # of systemd's RuntimeDirectory; under no supervisor there is none, and no pace
FILE = "starts"
WITHIN_S = 600.0  # what happened longer ago is no row of failures any more
FREE_STARTS = 5  # a kill at any moment is mended at once, also twice or three times
LONGEST_S = 30.0  # a person who has mended the cause waits no longer
MOST_STARTS = 100  # that are noted; far more than there can be in that time


def pause_s(starts: Sequence[float], now_s: float) -> float:
    """How long a start waits after these ones, at seconds of the monotonic clock; it doubles with each."""
    recent = [one for one in starts if 0 <= now_s - one < WITHIN_S]
    beyond = len(recent) - FREE_STARTS
    return min(2.0**beyond, LONGEST_S) if beyond >= 0 else 0.0


class RestartPace:
    """The starts that did not come to a clean end. `folder`: value of `VARIABLE`; empty: nothing is noted."""

    def __init__(self, folder: str) -> None:
        self._file = Path(folder, FILE) if folder else None

    def wait(self, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        """Wait before this start, as long as is due, and note it."""
        if self._file is None:
            return
        starts = self._starts(self._file)
        due_s = pause_s(starts, clock())
        if due_s:
            minutes = WITHIN_S / 60
            text = "the service has started %d times within %.0f minutes without a clean end; the next waits %.0f s"
            log.warning(text, len(starts), minutes, due_s)
            sleep(due_s)
        with suppress(OSError):  # without a note it only starts sooner
            self._file.write_text(" ".join(str(one) for one in [*starts, clock()][-MOST_STARTS:]))

    def forget(self) -> None:
        """The service has ended cleanly: the next start is the first one."""
        if self._file is not None:
            with suppress(OSError):
                self._file.unlink(missing_ok=True)

    def _starts(self, file: Path) -> list[float]:
        try:
            return [float(word) for word in file.read_text().split()[-MOST_STARTS:]]
        except (OSError, ValueError):
            return []
