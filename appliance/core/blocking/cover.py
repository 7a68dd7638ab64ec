"""Cover: who holds which part of the address line, when ranges that must not pass lie in one another.

The kernel's interval sets take no overlaps, and would shorten a range rather than say so. So overlaps are resolved
here: wherever ranges overlap, the longest-lived one holds, and when it is lifted, the shorter one is there again. What
comes out are disjoint pieces; a change tells which pieces go and which come, and looks at nothing far from it.

Ranges are prefixes: two of them lie in one another or apart, and never overlap half. Addresses are numbers here, of
IPv4, IPv6 or hardware.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

# One change costs as much as resolving so many ranges anew: a search here, an insertion there, and a few sets.
RANGES_A_CHANGE = 20
MOST_ONE_BY_ONE = 1000  # ranges of which no change is worth resolving all anew


class Range(NamedTuple):
    """A prefix that must not pass until `ends`, an instant in seconds, or infinity. `mark`: what the kernel notes."""

    first: int
    last: int
    ends: float
    mark: int
    owner: Hashable


class Cover:
    """The ranges of one address family, and the disjoint pieces that they come to."""

    def __init__(self, bits: int, *, joins: bool = True) -> None:
        """`joins`: whether neighbours that are alike become one range, which a set of single addresses cannot hold."""
        self._bits = bits
        self._joins = joins
        self._ranges: dict[tuple[int, int], dict[Hashable, Range]] = {}  # by bounds and owner
        self._bounds: list[tuple[int, int]] = []  # sorted; one for each entry above
        self._pieces: dict[int, Range] = {}  # by first address
        self._firsts: list[int] = []  # of the pieces, sorted

    def __len__(self) -> int:
        """How many pieces there are."""
        return len(self._pieces)

    def __contains__(self, piece: Range) -> bool:
        """Whether this is one of the pieces."""
        return self._pieces.get(piece.first) == piece

    def pieces(self) -> Iterable[Range]:
        """The disjoint pieces, in no order."""
        return self._pieces.values()

    def resolve(self, dropped: Sequence[Range], put: Sequence[Range]) -> tuple[set[Range], set[Range]]:
        """Take some ranges away and put others; returns the pieces that are gone and those that are new."""
        bounds = dict.fromkeys((one.first, one.last) for one in (*dropped, *put))
        if len(bounds) * RANGES_A_CHANGE > len(self._bounds) + MOST_ONE_BY_ONE:
            return self._resolve_all(dropped, put)
        for one in dropped:
            self._take(one)
        for one in put:
            self._put(one)
        gone: set[Range] = set()
        new: set[Range] = set()
        for first, last in bounds:
            removed, added = self._resolve_between(first, last)
            gone, new = (gone | (removed - new)) - added, (new - removed) | (added - gone)
        return gone, new

    def _put(self, one: Range) -> None:
        bounds = one.first, one.last
        owners = self._ranges.get(bounds)
        if owners is None:
            self._ranges[bounds] = {one.owner: one}
            insort(self._bounds, bounds)
        else:
            owners[one.owner] = one

    def _take(self, one: Range) -> None:
        bounds = one.first, one.last
        owners = self._ranges[bounds]
        del owners[one.owner]
        if not owners:
            del self._ranges[bounds]
            del self._bounds[bisect_left(self._bounds, bounds)]

    def _resolve_all(self, dropped: Sequence[Range], put: Sequence[Range]) -> tuple[set[Range], set[Range]]:
        for one in dropped:
            del self._ranges[one.first, one.last][one.owner]
        for one in put:
            self._ranges.setdefault((one.first, one.last), {})[one.owner] = one
        self._ranges = {bounds: owners for bounds, owners in self._ranges.items() if owners}
        self._bounds = sorted(self._ranges)
        before = self._pieces
        ordered = sorted(self._bounds, key=lambda bounds: (bounds[0], -bounds[1]))
        self._pieces = {piece.first: piece for piece in disjoint(map(self._longest, ordered))}
        self._firsts = sorted(self._pieces)
        gone = {piece for piece in before.values() if self._pieces.get(piece.first) != piece}
        return gone, {piece for piece in self._pieces.values() if before.get(piece.first) != piece}

    def _resolve_between(self, first: int, last: int) -> tuple[set[Range], set[Range]]:
        """Anew between these addresses, which are the bounds of a range; pieces that reach beyond are cut or joined."""
        old = list(self._touching(first - 1, last + 1))
        beside = [one._replace(last=first - 1) for one in old if one.first < first]
        beside += [one._replace(first=last + 1) for one in old if one.last > last]
        inside = [
            piece._replace(first=max(piece.first, first), last=min(piece.last, last))
            for piece in disjoint(self._around(first, last))
            if piece.last >= first and piece.first <= last
        ]
        new = sorted([*beside, *inside])
        if self._joins:
            new = _joined(new)
        for piece in old:
            del self._pieces[piece.first]
        self._pieces.update((piece.first, piece) for piece in new)
        at = bisect_left(self._firsts, old[0].first if old else first)
        self._firsts[at : at + len(old)] = [piece.first for piece in new]
        return set(old) - set(new), set(new) - set(old)

    def _touching(self, first: int, last: int) -> Iterator[Range]:
        """The pieces that share an address with this stretch, in order."""
        at = max(bisect_right(self._firsts, first) - 1, 0)
        while at < len(self._firsts) and self._firsts[at] <= last:
            piece = self._pieces[self._firsts[at]]
            if piece.last >= first:
                yield piece
            at += 1

    def _around(self, first: int, last: int) -> Iterator[Range]:
        """The longest-lived range of each bounds that hold this stretch or lie in it, the outermost first."""
        size = 1 << self._bits
        while size > last - first + 1:
            start = first & -size
            if (start, start + size - 1) in self._ranges:
                yield self._longest((start, start + size - 1))
            size >>= 1
        at = bisect_left(self._bounds, (first, 0))
        within = self._bounds[at : bisect_right(self._bounds, (last, 1 << self._bits))]
        for bounds in sorted(within, key=lambda bounds: (bounds[0], -bounds[1])):
            if bounds[1] <= last:
                yield self._longest(bounds)

    def _longest(self, bounds: tuple[int, int]) -> Range:
        owners = self._ranges[bounds].values()
        return max(owners, key=lambda one: one.ends) if len(owners) > 1 else next(iter(owners))


def disjoint(ranges: Iterable[Range]) -> Iterator[Range]:
    """The disjoint pieces of these ranges, in order. They come by first address, the longer before the shorter."""
    holding: list[Range] = []  # in one another, each longer-lived than the one around it
    at = 0
    for one in ranges:
        while holding and holding[-1].last < one.first:
            top = holding.pop()
            if at <= top.last:
                yield top if top.first == at else top._replace(first=at)
                at = top.last + 1
        if holding and holding[-1].ends >= one.ends:
            continue
        if holding and at < one.first:
            yield holding[-1]._replace(first=at, last=one.first - 1)
        holding.append(one)
        at = one.first
    for top in reversed(holding):
        if at <= top.last:
            yield top if top.first == at else top._replace(first=at)
            at = top.last + 1


def _joined(pieces: Iterable[Range]) -> list[Range]:
    joined: list[Range] = []
    for piece in pieces:
        if (
            joined
            and joined[-1].last + 1 == piece.first
            and joined[-1]._replace(last=piece.last) == piece._replace(first=joined[-1].first)
        ):
            joined[-1] = piece._replace(first=joined[-1].first)
        else:
            joined.append(piece)
    return joined
