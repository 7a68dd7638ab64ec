"""Resolves nested prefixes into disjoint ranges; where several cover an address, the longest-lived wins.

The kernel's interval sets take no overlaps, and would shorten a range rather than refuse it. So a `Cover` keeps all
ranges that are wanted, and computes the disjoint *pieces* that the kernel gets (an interval cover):

    address     0              16              32                             63
    wanted      [ A, ends at 5                                                 ]
                               [ B, ends at 9  ]
                                   [ C, 7 ]
    pieces      [ A           ][ B             ][ A                            ]

C is covered by B, which lives longer, and has no piece. When B is lifted, its piece goes, and A's two pieces go with
it; there come A's parts around C, and C. A change returns just that: the pieces that go and those that come.

Ranges are prefixes: two of them are nested or disjoint, and never overlap in part. That makes two things easy:

    one sweep      By first address, the outer before the inner, the ranges that are open at an address form a stack.
                   Only a range that lives longer than the top is pushed, so the top always wins (`disjoint`).
    one stretch    A range that is added or dropped changes no piece outside its own bounds. Within them the pieces
                   follow from the ranges around it, at most one for each prefix length, and those inside
                   (`_resolve_stretch`). A change of many ranges is resolved as a whole, which then costs less.

Neighbouring pieces of one range are joined, so that a range that was split is whole again when what split it is gone.
In a set of single addresses none is in another, and a `SingleCover` keeps the longest-lived of each.

Addresses are numbers here, of IPv4, IPv6 or hardware.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

# Resolving one stretch costs as much as this many ranges in one sweep: a search here, an insertion there, a few sets.
RANGES_A_STRETCH = 20
FEWEST_SWEPT = 1000  # ranges; below that a change of a few is never worth a sweep

Bounds = tuple[int, int]


class Range(NamedTuple):
    """A blocked prefix. `ends`: an instant in seconds, or infinity. `mark`: what the kernel keeps with its element."""

    first: int
    last: int
    ends: float
    mark: int
    owner: Hashable


Key = TypeVar("Key", int, Bounds)


class _Wanted(Generic[Key]):
    """The wanted ranges of one set, of which several may have the same key, and the pieces that the kernel gets."""

    def __init__(self) -> None:
        self._ranges: dict[Key, tuple[Range, ...]] = {}  # one for each owner
        self._pieces: dict[int, Range] = {}  # by first address

    def __len__(self) -> int:
        """The number of pieces."""
        return len(self._pieces)

    def __contains__(self, piece: Range) -> bool:
        """Whether this is one of the pieces."""
        return self._pieces.get(piece.first) == piece

    def pieces(self) -> Iterable[Range]:
        """The disjoint pieces, in no order."""
        return self._pieces.values()

    def _add(self, key: Key, one: Range) -> None:
        others: tuple[Range, ...] = self._ranges.get(key, ())
        self._ranges[key] = (*_without(others, one), one) if others else (one,)

    def _remove(self, key: Key, one: Range) -> None:
        left = _without(self._ranges[key], one)
        if left:
            self._ranges[key] = left
        else:
            del self._ranges[key]

    def _longest(self, key: Key) -> Range:
        ranges = self._ranges[key]
        return max(ranges, key=lambda one: one.ends) if len(ranges) > 1 else ranges[0]


class SingleCover(_Wanted[int]):
    """The wanted single addresses of one set, by address, and for each the one that the kernel gets."""

    def resolve(self, dropped: Sequence[Range], put: Sequence[Range]) -> tuple[set[Range], set[Range]]:
        """Drop some wanted addresses and put others; returns the pieces that go and those that come."""
        for one in dropped:
            self._remove(one.first, one)
        for one in put:
            self._add(one.first, one)
        gone: set[Range] = set()
        new: set[Range] = set()
        for address in dict.fromkeys(one.first for one in (*dropped, *put)):
            before = self._pieces.get(address)
            if address not in self._ranges:
                gone.add(self._pieces.pop(address))
            elif before != (after := self._longest(address)):
                self._pieces[address] = after
                new.add(after)
                if before is not None:
                    gone.add(before)
        return gone, new


class Cover(_Wanted[Bounds]):
    """The wanted ranges of one address family, by bounds, and their disjoint pieces."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self._bits = bits
        self._bounds: list[Bounds] = []  # sorted; of all wanted ranges
        self._firsts: list[int] = []  # of the pieces, sorted

    def resolve(self, dropped: Sequence[Range], put: Sequence[Range]) -> tuple[set[Range], set[Range]]:
        """Drop some wanted ranges and put others; returns the pieces that go and those that come."""
        stretches = dict.fromkeys((one.first, one.last) for one in (*dropped, *put))
        if len(stretches) * RANGES_A_STRETCH > len(self._bounds) + FEWEST_SWEPT:
            return self._resolve_all(dropped, put)
        for one in dropped:
            self._take(one)
        for one in put:
            self._put(one)
        gone: set[Range] = set()
        new: set[Range] = set()
        for first, last in stretches:
            removed, added = self._resolve_stretch(first, last)
            # Stretches may be nested, so a later one may undo what an earlier one did; the kernel need not know of it.
            never_put, still_there = removed & new, added & gone
            gone = (gone | removed) - never_put - still_there
            new = (new | added) - never_put - still_there
        return gone, new

    def _put(self, one: Range) -> None:
        bounds = one.first, one.last
        if bounds not in self._ranges:
            insort(self._bounds, bounds)
        self._add(bounds, one)

    def _take(self, one: Range) -> None:
        bounds = one.first, one.last
        self._remove(bounds, one)
        if bounds not in self._ranges:
            del self._bounds[bisect_left(self._bounds, bounds)]

    def _resolve_all(self, dropped: Sequence[Range], put: Sequence[Range]) -> tuple[set[Range], set[Range]]:
        for one in dropped:
            self._remove((one.first, one.last), one)
        for one in put:
            self._add((one.first, one.last), one)
        self._bounds = sorted(self._ranges)
        before = self._pieces
        ordered = sorted(self._bounds, key=lambda bounds: (bounds[0], -bounds[1]))
        self._pieces = {piece.first: piece for piece in disjoint(map(self._longest, ordered))}
        self._firsts = [*self._pieces]  # in order, as the bounds are
        gone = {piece for piece in before.values() if self._pieces.get(piece.first) != piece}
        return gone, {piece for piece in self._pieces.values() if before.get(piece.first) != piece}

    def _resolve_stretch(self, first: int, last: int) -> tuple[set[Range], set[Range]]:
        """Resolve the bounds of one range again; returns the pieces that go and those that come."""
        old = list(self._touching(first - 1, last + 1))  # the neighbours too, because they may be joined
        before = [one._replace(last=first - 1) for one in old if one.first < first]
        after = [one._replace(first=last + 1) for one in old if one.last > last]
        within = [
            piece._replace(first=max(piece.first, first), last=min(piece.last, last))
            for piece in disjoint(self._around(first, last))
            if piece.last >= first and piece.first <= last
        ]
        new = _joined([*before, *within, *after])
        self._replace_pieces(old, new, first)
        return set(old) - set(new), set(new) - set(old)

    def _replace_pieces(self, old: Sequence[Range], new: Sequence[Range], first: int) -> None:
        """Put these pieces in place of those, which are all that touch a stretch from `first` on; both in order."""
        for piece in old:
            del self._pieces[piece.first]
        self._pieces.update((piece.first, piece) for piece in new)
        at = bisect_left(self._firsts, old[0].first if old else first)
        self._firsts[at : at + len(old)] = [piece.first for piece in new]

    def _touching(self, first: int, last: int) -> Iterator[Range]:
        """The pieces that have an address in this stretch, in order."""
        at = max(bisect_right(self._firsts, first) - 1, 0)
        while at < len(self._firsts) and self._firsts[at] <= last:
            piece = self._pieces[self._firsts[at]]
            if piece.last >= first:
                yield piece
            at += 1

    def _around(self, first: int, last: int) -> Iterator[Range]:
        """The longest-lived range of all bounds that enclose this stretch or lie in it, the outer before the inner."""
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


def _without(ranges: Iterable[Range], one: Range) -> tuple[Range, ...]:
    """These without the one of the same owner."""
    return tuple(other for other in ranges if other.owner != one.owner)


def disjoint(ranges: Iterable[Range]) -> Iterator[Range]:
    """The disjoint pieces of these ranges, in order. `ranges`: by first address, the longer before the shorter."""
    stack: list[Range] = []  # the ranges that are open, nested, each longer-lived than the one around it
    at = 0  # the first address that has no piece yet
    for one in ranges:
        while stack and stack[-1].last < one.first:
            top = stack.pop()
            if at <= top.last:
                yield top if top.first == at else top._replace(first=at)
                at = top.last + 1
        if stack and stack[-1].ends >= one.ends:
            continue
        if stack and at < one.first:
            yield stack[-1]._replace(first=at, last=one.first - 1)
        stack.append(one)
        at = one.first
    for top in reversed(stack):
        if at <= top.last:
            yield top if top.first == at else top._replace(first=at)
            at = top.last + 1


def _joined(pieces: Iterable[Range]) -> list[Range]:
    """The same with neighbouring pieces of one range as one. The pieces come in order."""
    joined: list[Range] = []
    for piece in pieces:
        longer = joined[-1]._replace(last=piece.last) if joined and joined[-1].last + 1 == piece.first else None
        if longer is not None and longer == piece._replace(first=longer.first):
            joined[-1] = longer
        else:
            joined.append(piece)
    return joined
