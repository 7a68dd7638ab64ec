"""What a computer wrote to its card, in order, with its flushes: the log of QEMU's `blklogwrites`, and what a power cut
leaves of it.

Source of the format: the kernel's Documentation/admin-guide/device-mapper/log-writes.rst and dm-log-writes.c. A disk
may have written what it was given since the last flush, or not, or a part of it, in any order.
"""

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import BinaryIO

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One request. `sector`: where on the card, in units of `Log.sector`, as `count`; `end`: in the log, in bytes."""

    sector: int
    count: int
    flags: int
    data: int  # where it is in the log, in bytes
    end: int


@dataclass(frozen=True, slots=True)
class Log:
    """The requests of a log. `sector`: bytes."""

    path: Path
    sector: int
    entries: Sequence[Entry]


def of_partition(log: Log, start: int, size: int = 1 << 60) -> Log:
    """What concerns `size` bytes of the card from `start` on, as a log of that part; flushes are of the whole card.

    Raises `ValueError` where a request goes over its edge.
    """
    first, last = start // log.sector, (start + size) // log.sector
    entries = []
    for one in log.entries:
        for edge in (first, last):
            if one.sector < edge < one.sector + one.count:
                raise ValueError(f"A request for {one.count} sectors at {one.sector} goes over the edge at {edge}.")
        inside = first <= one.sector < last
        entries.append(replace(one, sector=one.sector - first if inside else 0, count=one.count if inside else 0))
    return replace(log, entries=entries)


class Unflushed(Enum):
    """What becomes of the writes since the last flush."""

    KEPT = "kept"
    DROPPED = "dropped"
    HALVED = "halved"


def read_log(path: Path) -> Log:
    """Return the requests; one that was cut off at the end is left out."""
    with path.open("rb") as file:
        magic, version, _, sector = struct.unpack("<QQQI", file.read(28))
        assert (magic, version) == (MAGIC, 1)
        return Log(path, sector, list(_entries(file, sector, path.stat().st_size)))


def _entries(file: BinaryIO, sector: int, size: int) -> Iterator[Entry]:
    at = sector
    while at + sector <= size:
        file.seek(at)
        start, count, flags, _ = struct.unpack("<QQQQ", file.read(32))
        data = at + sector
        at = data + (0 if flags & DISCARD else count * sector)
        if at > size or not (count or flags):
            return
        yield Entry(start, count, flags, data, at)


class Replay:
    """A card, or a part of it, to which a log is applied, up to a growing point; `card`: a copy from before."""

    def __init__(self, log: Log, card: Path) -> None:
        self._log, self._card = log, card
        self.safe = 0  # entries that are on the card

    def advance(self, point: int, unflushed: Unflushed, chance: random.Random) -> list[Entry]:
        """Bring all that was flushed before `point` entries onto the card; return what a power cut there adds to it."""
        entries = self._log.entries[:point]
        flushes = [number for number, one in enumerate(entries) if one.flags & (FLUSH | FUA)]
        # A flush brings what came before it; FUA brings only itself, which is treated as if it were in no hurry.
        flushed = max((number for number in flushes if entries[number].flags & FLUSH), default=0)
        self.apply(entries[self.safe : flushed])
        self.safe = max(self.safe, flushed)
        late = entries[self.safe :]
        forced = [one for one in late if one.flags & FUA]
        match unflushed:
            case Unflushed.KEPT:
                return list(late)
            case Unflushed.DROPPED:
                return forced
            case Unflushed.HALVED:
                return [one for one in late if one.flags & FUA or chance.random() < 0.5]

    def apply(self, entries: Sequence[Entry], card: Path | None = None) -> None:
        """Write these to the card, or to a copy of it."""
        with self._log.path.open("rb") as log, (card or self._card).open("r+b") as file:
            for one in entries:
                length = one.count * self._log.sector
                file.seek(one.sector * self._log.sector)
                if one.flags & DISCARD:
                    file.write(bytes(length))
                    continue
                log.seek(one.data)
                file.write(log.read(length))
