"""Quiet: how many lines a stranger can make the log grow by, whatever he finds to provoke.

Each logger has an allowance of its own, so that what one stranger provokes in the server hides nothing that metering
has to say. The line after which others are left out says so, and the next that is written says how many they were;
so a flood writes at most two lines for each of the allowance.
"""

import logging
from collections.abc import Callable
from time import monotonic

from appliance.core.access.rate_limit import Rate, RateLimit

BURST_S = 10  # seconds' worth of lines at once: an hour's start and a fault each write a dozen
MOST_LOGGERS = 200  # there are as many as modules
TRACEBACK_LINES = 20  # what a traceback is charged as, beside its message


class LogRateLimit(logging.Filter):
    """Lets so many lines a second of each logger pass; for the handler that writes the log."""

    def __init__(self, lines_per_s: float, clock_s: Callable[[], float] = monotonic) -> None:
        """`clock_s`: never jumps; the records' own time does."""
        super().__init__()
        burst = max(2 * TRACEBACK_LINES, round(lines_per_s * BURST_S))
        self._allowance = RateLimit(Rate(lines_per_s, burst), MOST_LOGGERS)
        self._clock_s = clock_s
        self._left_out: dict[str, int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is written."""
        lines = TRACEBACK_LINES if record.exc_info else 1
        must_wait = self._allowance.spend(record.name, self._clock_s(), lines) > 0
        left_out = self._left_out.pop(record.name, None)
        if must_wait:
            self._left_out[record.name] = 0 if left_out is None else left_out + 1
            if left_out is None:
                record.exc_info = record.exc_text = None
                _note(record, "more lines follow too fast and are left out")
            return left_out is None
        if left_out:
            _note(record, f"{left_out} lines before it were left out")
        return True


def _note(record: logging.LogRecord, note: str) -> None:
    record.msg, record.args = f"{record.getMessage()} ({note})", ()
