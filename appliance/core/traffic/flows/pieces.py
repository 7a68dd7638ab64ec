"""Joins the pieces of a stream that arrive in any order, repeated and overlapping, up to a bound.

What came first counts: a later piece with other bytes for the same place changes nothing. Two bytes of memory for each
byte of the stream, however small the pieces are.
"""


class Pieces:
    """The first bytes of one stream, at most `most_bytes` of them."""

    __slots__ = ("_bytes", "_most", "_seen", "_whole")

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = bytearray()
        self._seen = bytearray()  # 1 for each byte that has come
        self._whole = 0  # so many came without a gap

    @property
    def held_bytes(self) -> int:
        """The room that it takes."""
        return 2 * len(self._bytes)

    @property
    def data(self) -> bytes:
        """The bytes that came without a gap from the first one on."""
        return bytes(self._bytes[: self._whole])

    def add(self, at: int, piece: bytes) -> bool:
        """Add a piece at this place; whether `data` has grown."""
        end = min(at + len(piece), self._most)
        if end <= self._whole:
            return False
        missing = end - len(self._bytes)
        if missing > 0:
            self._bytes += bytes(missing)
            self._seen += bytes(missing)
        start = max(at, self._whole)
        while (first := self._seen.find(0, start, end)) >= 0:
            start = self._seen.find(1, first, end)
            start = end if start < 0 else start
            self._bytes[first:start] = piece[first - at : start - at]
            self._seen[first:start] = b"\1" * (start - first)
        before, gap = self._whole, self._seen.find(0, self._whole)
        self._whole = len(self._seen) if gap < 0 else gap
        return self._whole > before
