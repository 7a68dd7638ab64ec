"""Sets of the kernel: which one has a target, and as which range of numbers.

Single addresses are in hash sets, prefixes in interval sets, for all departments or for one. A set keeps a mark with
each element: the origin and the number of its block.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from msgspec import Struct

from appliance.core.blocking.block import BlockOrigin
from appliance.core.blocking.targets import TargetKind, kind_of


class Family(StrEnum):
    """The five kinds of sets, by what they contain."""

    HOSTS4 = "hosts4"
    HOSTS6 = "hosts6"
    PREFIXES4 = "prefixes4"
    PREFIXES6 = "prefixes6"
    MACS = "macs"


class Shape(Struct, frozen=True):
    """The elements of a set: nftables' name of their type, its bits, and whether they are ranges."""

    type: str
    bits: int
    is_interval: bool = False


SHAPES: Mapping[Family, Shape] = {
    Family.HOSTS4: Shape("ipv4_addr", 32),
    Family.HOSTS6: Shape("ipv6_addr", 128),
    Family.PREFIXES4: Shape("ipv4_addr", 32, is_interval=True),
    Family.PREFIXES6: Shape("ipv6_addr", 128, is_interval=True),
    Family.MACS: Shape("ether_addr", 48),
}


class BlockSet(NamedTuple):
    """One set in the kernel. `department`: `None` for all."""

    family: Family
    department: str | None


class Element(NamedTuple):
    """What the kernel keeps with an element. `remaining_s`: until it drops the element; `None`: never."""

    mark: int
    remaining_s: float | None


# The mark's upper four bits are the origin, so that the kernel can count by it; 0 would look like no mark.
ORIGIN_SHIFT = 28
ORIGIN_MASK = 0xF << ORIGIN_SHIFT
MOST_NUMBERS = 1 << ORIGIN_SHIFT
ORIGIN_MARKS: Mapping[BlockOrigin, int] = {origin: at << ORIGIN_SHIFT for at, origin in enumerate(BlockOrigin, start=1)}


def mark_of(origin: str, number: int) -> int:
    """The mark of a block's elements. `origin`: for a list with its name."""
    return _origin_mark(origin) | number


@lru_cache(maxsize=256)  # a list's 100,000 blocks share it
def _origin_mark(origin: str) -> int:
    return ORIGIN_MARKS[BlockOrigin(origin.partition(":")[0])]


@lru_cache(maxsize=1024)  # five for each department
def block_set(family: Family, department: str | None) -> BlockSet:
    """The set, as one shared value."""
    return BlockSet(family, department)


def number_in(mark: int) -> int:
    """The number of the block in this mark."""
    return mark & ~ORIGIN_MASK


def set_and_range(target: str) -> tuple[Family, int, int]:
    """The family of a target's set, and the first and last number of its range. The target is no name.

    A boot asks for those of 100,000 addresses, which are of IPv4 mostly.
    """
    is_v4 = ":" not in target
    if not is_v4 and kind_of(target) is TargetKind.MAC:
        number = int(target.replace(":", ""), 16)
        return Family.MACS, number, number
    address, slash, length = target.partition("/")
    first = int.from_bytes(inet_pton(AF_INET if is_v4 else AF_INET6, address), "big")
    if not slash:
        return (Family.HOSTS4 if is_v4 else Family.HOSTS6), first, first
    last = first + (1 << (32 if is_v4 else 128) - int(length)) - 1
    return (Family.PREFIXES4 if is_v4 else Family.PREFIXES6), first, last
