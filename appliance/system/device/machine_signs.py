"""Reads what the kernel says of the computer's own hardware: supply, medium, file system, connections, clock.

Each file is missing on some computers: an SD card has no estimate of its life, and only a Raspberry Pi tells of its
supply. What is missing, damaged or forbidden reads `None`, which is not the same as good.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from appliance.core.machine import MachineSigns
from appliance.system.device.clock import KernelClock

VOLTAGE = "rpi_volt"  # the driver's name in hwmon (drivers/hwmon/raspberrypi-hwmon.c)
UNDERVOLTAGE_BIT = 0  # of the firmware's get_throttled, as are the two sets of bits below
THROTTLED_BITS = (1, 2, 3)  # the clock is capped, throttled, or held at the soft limit of the temperature, now
SECTOR_BYTES = 512  # of /sys/class/block/*/size and /proc/diskstats, whatever the medium's own are
WRITTEN_FIELD = 6  # of /sys/class/block/*/stat: sectors written (Documentation/block/stat.rst)
LIFE_STEP_PERCENT = 10  # of eMMC's life_time: 0x01 is up to 10 %, 0x0b beyond 100 % (JESD84-B51, 7.4.7)
NOWHERE = Path("/dev/null/none")  # exists on no computer
MOST_BYTES = 4096  # of a file in sysfs or procfs

Known = TypeVar("Known")


class MachineSignReader:
    """Reads the signs. `state_dir`: on the medium in question; `top`: where /sys and /proc are."""

    def __init__(self, state_dir: Path, top: Path = Path("/")) -> None:
        self._state_dir, self._sys, self._proc = state_dir, top / "sys", top / "proc"
        self._clock = KernelClock()

    def read(self) -> MachineSigns:
        """All signs as they are now. A medium that fails may hold it up."""
        card, netfilter = self._card(), self._proc / "sys/net/netfilter"
        life = partial(_number, base=16)
        firmware = next(iter([*self._sys.glob("devices/platform/*/*firmware/get_throttled")]), None)
        throttled = None if firmware is None else _number(firmware, base=16)
        return MachineSigns(
            undervoltage=self._undervoltage(throttled),
            throttled=None if throttled is None else any(throttled >> bit & 1 for bit in THROTTLED_BITS),
            card_used_percent=_times(_known(card / "device/life_time", _worst_life), LIFE_STEP_PERCENT),
            card_spare=life(card / "device/pre_eol_info") or None,  # 0: the maker says nothing
            card_bytes=_times(_number(card / "size"), SECTOR_BYTES),
            card_written_bytes=_times(_known(card / "stat", _written_sectors), SECTOR_BYTES),
            state_is_read_only=self._is_read_only(),
            connections=_number(netfilter / "nf_conntrack_count"),
            most_connections=_number(netfilter / "nf_conntrack_max"),
            clock_is_kept=self._clock.is_synchronised(),
        )

    def _undervoltage(self, throttled: int | None) -> bool | None:
        """By the driver, which remembers a drop of a moment until it looks again, and by the firmware."""
        chips = [one for one in self._sys.glob("class/hwmon/hwmon*") if _known(one / "name", str.strip) == VOLTAGE]
        alarms = [alarm for one in chips if (alarm := _number(one / "in0_lcrit_alarm")) is not None]
        if throttled is not None:
            alarms.append(throttled >> UNDERVOLTAGE_BIT & 1)
        return any(alarms) if alarms else None

    def _card(self) -> Path:
        """The whole medium under the state directory; `NOWHERE`: it is in memory, on a network, or on several."""
        try:
            device = self._existing().stat().st_dev
            block = (self._sys / f"dev/block/{os.major(device)}:{os.minor(device)}").resolve(strict=True)
        except OSError:
            return NOWHERE
        return block.parent if (block / "partition").exists() else block

    def _is_read_only(self) -> bool | None:
        try:
            return bool(os.statvfs(self._existing()).f_flag & os.ST_RDONLY)
        except OSError:
            return None

    def _existing(self) -> Path:
        return next(one for one in (self._state_dir, *self._state_dir.absolute().parents) if one.exists())


def _known(path: Path, read: Callable[[str], Known]) -> Known | None:
    try:
        with path.open("rb") as file:
            return read(file.read(MOST_BYTES).decode())
    except (OSError, ValueError, IndexError):
        return None


def _number(path: Path, base: int = 10) -> int | None:
    return _known(path, partial(int, base=base))


def _worst_life(text: str) -> int:
    """The worse of the estimates for the two kinds of memory cells; 0: the maker gives none."""
    worst = max(int(word, 16) for word in text.split())
    if worst == 0:
        raise ValueError("the maker gives no estimate")
    return worst


def _written_sectors(text: str) -> int:
    return int(text.split()[WRITTEN_FIELD])


def _times(number: int | None, factor: int) -> int | None:
    return None if number is None else number * factor
