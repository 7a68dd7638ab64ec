"""Reads both clocks, and asks the kernel by adjtimex(2) whether the wall clock is right: a Pi's stops without power."""

import ctypes
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from appliance.core.moment import Moment, moment

TIME_ERROR = 5  # sys/timex.h: the clock is not synchronised
TIMEX_BYTES = 256  # struct timex is 208 bytes on 64-bit Linux; read only, with `modes` zero
BATTERY_CLOCK = Path("/sys/class/rtc/rtc0")


class KernelClock:
    """The clocks of this computer."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._has_battery = BATTERY_CLOCK.exists()

    def now(self) -> Moment:
        """The present instant."""
        return moment(
            datetime.now(UTC),
            monotonic(),
            is_synchronised=self._is_synchronised(),
            has_battery=self._has_battery,
        )

    def _is_synchronised(self) -> bool:
        """Whether something (NTP) keeps the clock right; asking changes nothing. No: also where asking is forbidden."""
        state = int(self._libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))  # -1: a sandbox does not let it pass
        return 0 <= state < TIME_ERROR
