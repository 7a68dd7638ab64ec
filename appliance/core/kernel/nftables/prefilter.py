"""Regions: the stretches of the address line by which it is known that an address is in no blocked prefix.

An interval set is a tree: among 100,000 prefixes an address takes a step for each of 18 levels, which costs from a
third to half of what all rules cost without it. A hash set of the regions in which prefixes lie answers nine times as
soon, and only where it says yes is the tree gone through. It says nothing of how long: a region outlives its last
prefix until the change that takes it away.

Regions have two sizes. Most of what is on a list lies in one near region, which few servers share with it. What is
wider is known by its far regions; of these there are 65,536, so that not even a /1 lies in too many.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple

from appliance.core.blocking.sets import SHAPES, BlockSet, Family
from appliance.core.kernel.nftables.elements import Bounds

# The longest prefixes that the internet's networks take from one another (RFC 7454, section 6.1.3).
NEAR_BITS: Mapping[Family, int] = {Family.PREFIXES4: 24, Family.PREFIXES6: 48}
FAR_BITS = 16


class Grid(NamedTuple):
    """The regions of one size along the addresses of a set of prefixes."""

    block_set: BlockSet
    is_near: bool

    @property
    def name(self) -> str:
        """The kernel's set of those that pieces lie in, each by its first address."""
        return f"{'near' if self.is_near else 'far'}.{self.block_set.name}"

    @property
    def mask(self) -> str:
        """What of an address tells its region."""
        network = IPv4Network if self.block_set.family is Family.PREFIXES4 else IPv6Network
        return str(network((0, self._bits)).netmask)

    def regions(self, pieces: Iterable[Bounds]) -> Iterator[int]:
        """The regions by which these pieces are known here, one as often as pieces lie in it."""
        width = SHAPES[self.block_set.family].bits
        near, shift = width - NEAR_BITS[self.block_set.family], width - self._bits
        for first, last in pieces:
            if (first >> near == last >> near) is self.is_near:
                for region in range(first >> shift, (last >> shift) + 1):
                    yield region << shift

    @property
    def _bits(self) -> int:
        return NEAR_BITS[self.block_set.family] if self.is_near else FAR_BITS


def grids(block_set: BlockSet) -> Iterator[Grid]:
    """What stands before this set; nothing before a set of single addresses."""
    if block_set.family in NEAR_BITS:
        yield Grid(block_set, is_near=True)
        yield Grid(block_set, is_near=False)


class Prefilter:
    """The regions of a grid that pieces lie in, each by its first address."""

    def __init__(self, grid: Grid, pieces: Iterable[Bounds] = ()) -> None:
        self._grid = grid
        self._pieces = Counter(grid.regions(pieces))  # how many lie in each

    def __iter__(self) -> Iterator[int]:
        """All of them."""
        return iter(self._pieces)

    def apply(self, gone: Iterable[Bounds], new: Iterable[Bounds]) -> tuple[Collection[int], Collection[int]]:
        """Take some pieces away and put others; returns the regions that no piece is in any more, and the new ones."""
        moved = Counter(self._grid.regions(new))
        moved.subtract(self._grid.regions(gone))
        before = {region for region in moved if region in self._pieces}
        self._pieces.update(moved)
        left = {region for region in before if self._pieces[region] <= 0}
        entered = {region for region in moved if region not in before and self._pieces[region] > 0}
        for region in moved:
            if self._pieces[region] <= 0:
                del self._pieces[region]
        return left, entered
