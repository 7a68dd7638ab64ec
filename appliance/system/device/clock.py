"""The kernel's own clock, by adjtimex(2), and its name of this boot. A Raspberry Pi's clock survives no power cut."""

import ctypes
from pathlib import Path

TIME_ERROR = 5  # sys/timex.h: the clock is not synchronised
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
    """Whether the wall clock is right, as far as the kernel can know."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self.has_battery = BATTERY_CLOCK.exists()

    def is_synchronised(self) -> bool:
        """Whether something (NTP) keeps the clock right; asking changes nothing. No: also where asking is forbidden."""
        state = int(self._libc.adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)))  # -1: a sandbox does not let it pass
        return 0 <= state < TIME_ERROR
