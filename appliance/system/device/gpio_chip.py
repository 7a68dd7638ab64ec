"""The GPIO chip of the pin header, found by what the kernel calls it.

Its number is not fixed: on a Raspberry Pi 5 it was 4, and is 0 with later kernels; another driver may come first on any
board. gpiozero takes 4 or 0 by the board's revision, and would drive other lines where that is wrong.
"""

import fcntl
import os
import struct
from collections.abc import Callable
from pathlib import Path

CHIPS = Path("/dev")
# The labels of the header's chip, by the kernel's drivers: Pi 3 and Zero 2 W, Pi 4, Pi 5.
LABELS = ("pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1")
CHIP_INFO = struct.Struct("32s32sI")  # name, label, lines: `struct gpiochip_info` of linux/gpio.h
GET_CHIP_INFO = 0x8044B401  # GPIO_GET_CHIPINFO_IOCTL: read 68 bytes, of the kind 0xB4, number 1


class NoChip(Exception):
    """There is no chip of a pin header; the text says which there are."""


def label_of(chip: Path) -> str:
    """What the kernel calls this chip. Raises `OSError`."""
    descriptor = os.open(chip, os.O_RDONLY | os.O_CLOEXEC)
    try:
        found = fcntl.ioctl(descriptor, GET_CHIP_INFO, bytes(CHIP_INFO.size))
    finally:
        os.close(descriptor)
    _, label, _ = CHIP_INFO.unpack(found)
    return str(label.rstrip(b"\0").decode(errors="replace"))


def header_chip(folder: Path = CHIPS, label: Callable[[Path], str] = label_of) -> int:
    """The number of the header's chip. Raises `NoChip`, and `OSError` where it may not be opened."""
    numbers = sorted(int(one.name.removeprefix("gpiochip")) for one in folder.glob("gpiochip[0-9]*"))
    labels = {number: label(folder / f"gpiochip{number}") for number in numbers}
    for number, found in labels.items():
        if found in LABELS:
            return number
    known = ", ".join(f"gpiochip{number} is {found}" for number, found in labels.items()) or "there is none"
    raise NoChip(f"no GPIO chip of a pin header: {known}")
