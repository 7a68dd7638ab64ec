"""Bounds the log's growth: strangers can provoke lines, but only so many a second.

Each logger has its own allowance, so that a flood from the server hides no line of metering. The last line before a
gap announces the gap, and the first line after it gives the number of lines left out; so a flood writes at most two
lines for each one of the allowance.
"""

import logging
from collections.abc import Callable
from time import monotonic

from appliance.core.access.rate_limit import Rate, RateLimit

LINES_PER_S = 2.0  # of each logger: so many can still be read, and are 25 MB a day
BURST_S = 10  # seconds' worth of lines at once: an hour's start and a fault each write a dozen
TRACEBACK_LINES = 20  # charged for a traceback, beside its message
BURST_LINES = max(2 * TRACEBACK_LINES, round(LINES_PER_S * BURST_S))
MOST_LOGGERS = 200  # there are as many as modules


class LogRateLimit(logging.Filter):
    """Passes `LINES_PER_S` of each logger; a filter of the handler that writes the log."""

    def __init__(self, clock_s: Callable[[], float] = monotonic) -> None:
        """`clock_s`: never jumps; the records' own time does."""
        super().__init__()
        self._allowance = RateLimit(Rate(LINES_PER_S, BURST_LINES), MOST_LOGGERS)
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
