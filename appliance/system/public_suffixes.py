"""Finds the registrable domain of a name by the public suffix list.

The list is a file of a library; the first question reads it offline, in 50 ms. The library's own set of it would take
1.2 MB: here it is one text of 0.2 MB, and a sorted array of where its lines are. It is read line by line: ten thousand
names at once would be 2 MB in small pieces, and what a process frees in small pieces stays in its memory. A look-up
takes 4 to 10 us: results are not cached. Only names under a top-level domain of the list count as sites: this excludes
`printer.local`, single labels, addresses, and the names of reverse look-ups.
"""

import re
from array import array
from bisect import bisect_left, insort
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

LONGEST_NAME = 253  # RFC 1035, without the last dot
_SITE_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")  # names that a dashboard can show
_REVERSE = ".arpa"  # a listed suffix, but of reverse look-ups and of home networks
_RULE = re.compile(r"(?!//)([!*]?)\.?(\S+)")  # of a line, until the first space; `//` begins a comment
_LIBRARY, _FILE = "publicsuffixlist", "public_suffix_list.dat"  # its code is not loaded

# What the list has about a name, as its first character in the text.
_EXCEPTION, _WILDCARD, _EXACT = b"!*="  # `!city.kawasaki.jp` goes before `*.kawasaki.jp`, and that before `kawasaki.jp`

# A line's place in the array: a hash of its name, then where it begins in the text, which is shorter than 16 MB.
_START_BITS = 24
_HASH_MASK = (1 << (63 - _START_BITS)) - 1  # the two fit into a signed number of 64 bits


class PublicSuffixes:
    """A callable that folds a name to its registrable domain: `www.example.co.uk` to `example.co.uk`."""

    def __init__(self) -> None:
        self._text = b""  # a line for each rule
        self._places = array("q")  # of the lines, sorted

    def __call__(self, name: str) -> str | None:
        """The registrable domain in lower case, IDN as `xn--`; `None` where it is no site of the Internet.

        `None` too as long as the list cannot be read: the process has no free descriptor.
        """
        encoded = _encoded(name) if len(name) <= LONGEST_NAME + 1 else None
        if encoded is None:
            return None
        if not self._text:
            try:
                self._read()
            except OSError:
                return None
        labels = encoded.split(".")
        length = self._suffix_length(labels)
        return ".".join(labels[-length - 1 :]) if 0 < length < len(labels) else None

    def _suffix_length(self, labels: Sequence[str]) -> int:
        """The number of labels of the public suffix; 0: the list has nothing about this top-level domain."""
        for start in range(len(labels)):
            length = len(labels) - start
            kind = self._kind(".".join(labels[start:]).encode())
            if kind == _EXCEPTION:
                return length - 1
            if kind == _WILDCARD and start:
                return length + 1
            if kind:
                return length  # a wildcard's own name is a suffix too: the list's tests have it so
        return 0

    def _kind(self, name: bytes) -> int:
        """What the list has about this very name; 0: nothing."""
        line, looked_for, kinds = name + b"\n", _hash(name), []
        for at in range(bisect_left(self._places, looked_for << _START_BITS), len(self._places)):
            hashed, start = divmod(self._places[at], 1 << _START_BITS)
            if hashed != looked_for:
                break
            if self._text.startswith(line, start + 1):
                kinds.append(self._text[start])
        return min(kinds, default=0)

    def _read(self) -> None:
        spec = find_spec(_LIBRARY)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(_LIBRARY)
        text, places = bytearray(), array("q")
        with Path(spec.origin).with_name(_FILE).open(encoding="utf-8") as lines:
            for rule in filter(None, map(_RULE.match, lines)):
                kind, name = rule[1] or chr(_EXACT), _in_dns(rule[2].lower())
                insort(places, (_hash(name.encode()) << _START_BITS) + len(text))  # sorting makes a list of 0.4 MB
                text += f"{kind}{name}\n".encode()
        self._text, self._places = bytes(text), places


def _hash(name: bytes) -> int:
    return hash(name) & _HASH_MASK


def _in_dns(name: str) -> str:
    return name if name.isascii() else name.encode("idna").decode()


def _encoded(name: str) -> str | None:
    """The name in the list's form; `None` where it cannot be a site's."""
    try:
        name = _in_dns(name)
    except UnicodeError:
        return None
    name = name.lower().removesuffix(".")
    return name if _SITE_NAME.fullmatch(name) and not name.endswith(_REVERSE) else None
