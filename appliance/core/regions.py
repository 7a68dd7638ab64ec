"""Regions: the 65,536 stretches of the address line by which it is known that an address is in no blocked prefix.

An interval set is a tree: among 100,000 prefixes an address takes a step for each of 18 levels, and a packet has two
addresses, of which the host's is in none as a rule. A hash set of the regions in which prefixes lie answers nine times
as soon, and only where it says yes is the tree gone through. It says nothing of how long: a region outlives its last
prefix until the change that takes it away.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from appliance.core.elements import Bounds
from appliance.core.slots import SHAPES, Family, Shape, Slot

# IPv4's /16: there are too few /8 for a list not to be in each, and a /1 is in 32,768 of these, which is bearable.
REGION_BITS = 16
REGION_SHAPES: Mapping[Family, Shape] = {
    Family.PREFIXES4: SHAPES[Family.HOSTS4],
    Family.PREFIXES6: SHAPES[Family.HOSTS6],
}
REGION_MASKS: Mapping[Family, str] = {Family.PREFIXES4: "255.255.0.0", Family.PREFIXES6: "ffff::"}


def regions_name(slot: Slot) -> str:
    """The kernel's set of the regions of a set of prefixes."""
    return f"in.{slot.name}"


class Regions:
    """The regions in which the pieces of one set of prefixes lie, each by its first address."""

    def __init__(self, shape: Shape, pieces: Iterable[Bounds] = ()) -> None:
        self._shift = shape.bits - REGION_BITS
        self._pieces = Counter(self._touched(pieces))  # how many lie in each

    def __iter__(self) -> Iterator[int]:
        """All of them."""
        return iter(self._pieces)

    def change(self, gone: Iterable[Bounds], new: Iterable[Bounds]) -> tuple[Collection[int], Collection[int]]:
        """Take some pieces away and put others; returns the regions that no piece is in any more, and the new ones."""
        moved = Counter(self._touched(new))
        moved.subtract(self._touched(gone))
        before = {region for region in moved if region in self._pieces}
        self._pieces.update(moved)
        left = {region for region in before if self._pieces[region] <= 0}
        entered = {region for region in moved if region not in before and self._pieces[region] > 0}
        for region in moved:
            if self._pieces[region] <= 0:
                del self._pieces[region]
        return left, entered

    def _touched(self, pieces: Iterable[Bounds]) -> Iterator[int]:
        for first, last in pieces:
            for region in range(first >> self._shift, (last >> self._shift) + 1):
                yield region << self._shift
