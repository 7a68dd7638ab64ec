"""Encodes ranges as elements of the kernel's sets, in netlink attributes, and decodes what the kernel lists.

A hash set has one element for each address. An interval set has one at the begin of a range, with the mark and the
remaining time, and one behind its last address, unless that is the last of all (linux/netfilter/nf_tables.h).
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from math import inf

from appliance.core.blocking.cover import Range
from appliance.core.blocking.sets import Element, Shape
from appliance.core.kernel.netlink import ATTRIBUTE, NESTED, attribute, attributes, members, text
from appliance.core.kernel.nftables.ruleset import OPEN

LARGEST_LIST_BYTES = 60_000  # an attribute's length has 16 bits
SHORTEST_MS = 1  # 0 means for ever
LONGEST_MS = 10 * 365 * 86_400 * 1000  # far below what the kernel takes (2^63 ns), and long enough

# NFTA_SET_ELEM_* and NFTA_DATA_VALUE
LIST, MEMBER = 3, 1 | NESTED
KEY, DATA, FLAGS, TIMEOUT, EXPIRATION = 1, 2, 3, 4, 5
JUMP = -3  # linux/netfilter/nf_tables.h: NFT_JUMP
IS_END = attribute(FLAGS, (1).to_bytes(4, "big"))
MARK_HEADER = ATTRIBUTE.pack(12, DATA | NESTED) + ATTRIBUTE.pack(8, 1)
TIMEOUT_HEADER = ATTRIBUTE.pack(12, TIMEOUT)

Bounds = tuple[int, int]
Point = tuple[int, Element | None]  # an address and its element; `None`: the address behind a range's last


def added(shape: Shape, pieces: Iterable[Range], at_s: float) -> Iterator[bytes]:
    """Encode these pieces for adding. They end as long after now as their `ends` is after `at_s`."""
    key_of, order = _keys(shape), sys.byteorder
    length = 4 + len(key_of(0)) + len(MARK_HEADER) + 4
    for_ever = ATTRIBUTE.pack(length, MEMBER)
    until = ATTRIBUTE.pack(length + len(TIMEOUT_HEADER) + 8, MEMBER)
    for first, last, ends, mark, _ in pieces:
        marked = key_of(first) + MARK_HEADER + mark.to_bytes(4, order)
        if ends == inf:
            element = for_ever + marked
        else:
            remaining_ms = min(max(int((ends - at_s) * 1000), SHORTEST_MS), LONGEST_MS)
            element = until + marked + TIMEOUT_HEADER + remaining_ms.to_bytes(8, "big")
        yield element + _end(shape, last) if shape.is_interval else element


def removed(shape: Shape, bounds: Iterable[Bounds]) -> Iterator[bytes]:
    """Encode these pieces for removing."""
    key_of = _keys(shape)
    for first, last in bounds:
        yield _member(key_of(first)) + (_end(shape, last) if shape.is_interval else b"")


def bare(shape: Shape, numbers: Iterable[int]) -> Iterator[bytes]:
    """Encode single numbers without a mark, for adding and for removing."""
    return map(_member, map(_keys(shape), numbers))


def opening(table: str, for_s: float) -> tuple[list[bytes], list[bytes]]:
    """The bodies that empty a table's set `OPEN`, and that fill it for so long; 0: it stays empty."""
    if for_s <= 0:
        return [everything(table, OPEN)], []
    remaining_ms = max(int(for_s * 1000), SHORTEST_MS)
    key = attribute(KEY | NESTED, attribute(1, bytes(4)))
    element = _member(key + TIMEOUT_HEADER + remaining_ms.to_bytes(8, "big"))
    return [everything(table, OPEN)], [*lists(table, OPEN, [element])]


def leading(number: int, chain: str) -> bytes:
    """Encode an element of a map that leads packets with a number of two bytes to a chain, from which they return."""
    target = attribute(1, JUMP.to_bytes(4, "big", signed=True)) + attribute(2, text(chain))  # NFTA_VERDICT_*
    key = attribute(KEY | NESTED, attribute(1, number.to_bytes(2, "big")))
    return _member(key + attribute(DATA | NESTED, attribute(2 | NESTED, target)))


def lists(table: str, set_name: str, elements: Iterable[bytes]) -> Iterator[bytes]:
    """Pack elements of a set into the bodies of messages, each within the limit of a list."""
    named = everything(table, set_name)
    body: list[bytes] = []
    length = 0
    for element in elements:
        if length + len(element) > LARGEST_LIST_BYTES:
            yield named + attribute(LIST | NESTED, b"".join(body))
            body, length = [], 0
        body.append(element)
        length += len(element)
    if body:
        yield named + attribute(LIST | NESTED, b"".join(body))


def everything(table: str, set_name: str) -> bytes:
    """The body of a message that removes all elements of a set."""
    return attribute(1, text(table)) + attribute(2, text(set_name))


def points(shape: Shape, answer: bytes) -> list[Point]:
    """Decode a message's body that lists a set: the begins of its pieces, and of intervals the addresses behind."""
    at = 8 + (shape.bits + 31) // 32 * 4
    return [
        (int.from_bytes(element[8 : 8 + shape.bits // 8], "big"), _standing(element, at))
        for element in members(attributes(answer).get(LIST, b""))
    ]


class SeenElements:
    """The elements that the listing of a set has shown so far."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._marks: dict[int, int] = {}
        self._ends = {1 << shape.bits}  # behind the last address of all, where the kernel has no element

    def add(self, points: Iterable[Point]) -> None:
        """Add a portion of the listing."""
        for number, standing in points:
            if standing is None:
                self._ends.add(number)
            else:
                self._marks[number] = standing.mark

    def __contains__(self, piece: Range) -> bool:
        """Whether the piece was listed with its mark and its end."""
        ends = not self._shape.is_interval or piece.last + 1 in self._ends
        return ends and self._marks.get(piece.first) == piece.mark


def _standing(element: bytes, at: int) -> Element | None:
    """The content of a listed element behind its key; `None`: the element ends a range.

    The kernel writes ours in one of two forms, so a long set is decoded by byte offsets, six times as fast.
    """
    if len(element) == at + 36:  # data, timeout, expiration
        remaining_s = int.from_bytes(element[at + 28 : at + 36], "big") / 1000
        return Element(int.from_bytes(element[at + 8 : at + 12], sys.byteorder), remaining_s)
    if len(element) == at + 12:  # data
        return Element(int.from_bytes(element[at + 8 : at + 12], sys.byteorder), None)
    found = attributes(element)
    if DATA not in found:
        return None
    remaining = found.get(EXPIRATION)
    mark = int.from_bytes(attributes(found[DATA])[1], sys.byteorder)
    return Element(mark, int.from_bytes(remaining, "big") / 1000 if remaining else None)


def _keys(shape: Shape) -> Callable[[int], bytes]:
    size = shape.bits // 8
    padding = bytes(-size % 4)
    header = ATTRIBUTE.pack(8 + size + len(padding), KEY | NESTED) + ATTRIBUTE.pack(4 + size, 1)
    return lambda number: header + number.to_bytes(size, "big") + padding


def _end(shape: Shape, last: int) -> bytes:
    if last + 1 == 1 << shape.bits:
        return b""
    return _member(_keys(shape)(last + 1) + IS_END)


def _member(element: bytes) -> bytes:
    return ATTRIBUTE.pack(4 + len(element), MEMBER) + element
