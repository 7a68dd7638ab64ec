"""Reads both clocks, whether the wall clock is right (adjtimex(2)), and the name of this boot.

A Raspberry Pi has no clock that survives a power cut.
"""

import ctypes
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from appliance.core.moment import Moment, moment

TIME_ERROR = 5  # sys/timex.h: the clock is not synchronised
# A right clock becomes a wrong one after half a day without NTP; one that is set is right within this time. Some forty
# moments a second are made, and asking the kernel for each was most of what they cost.
ASKED_S = 1.0
TIMEX_BYTES = 256  # struct timex is 208 bytes on 64-bit Linux; read only, with `modes` zero
BATTERY_CLOCK = Path("/sys/class/rtc/rtc0")
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")  # random(4): another at each boot


def boot_id() -> str:
    """The kernel's name of this boot, another at each; empty where /proc does not show it."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


class KernelClock:
    """The clocks of this computer."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._has_battery = BATTERY_CLOCK.exists()
        self._asked_s, self._is_synchronised = -ASKED_S, False

    def now(self) -> Moment:
        now_s = monotonic()
        if now_s - self._asked_s >= ASKED_S:
            self._asked_s, self._is_synchronised = now_s, self.is_synchronised()
        is_right = self._is_synchronised
        return moment(datetime.now(UTC), now_s, is_synchronised=is_right, has_battery=self._has_battery)

    def is_synchronised(self) -> bool:
        """Whether something (NTP) keeps the clock right; asking changes nothing. No: also where asking is forbidden."""
        state = int(self._libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))  # -1: a sandbox does not let it pass
        return 0 <= state < TIME_ERROR
