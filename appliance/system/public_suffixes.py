"""Finds the registrable domain of a name by the public suffix list.

The list is a file of a library; the first question reads it offline, in 50 ms. The library's own set of it would take
1.2 MB: here it is one text of 0.2 MB, and a sorted array of hashes. A look-up takes 4 to 10 us: results are not cached.
Only names under a top-level domain of the list count as sites: this excludes `printer.local`, single labels, addresses,
and the names of reverse look-ups.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

LONGEST_NAME = 253  # RFC 1035, without the last dot
_SITE_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")  # names that a dashboard can show
_REVERSE = ".arpa"  # a listed suffix, but of reverse look-ups and of home networks
_RULE = re.compile(r"^(?!//)\S+", re.MULTILINE)  # of a line, until the first space; `//` begins a comment


# What the list has about a name, as its first character in the text.
_EXCEPTION, _WILDCARD, _EXACT = "!*="  # `!city.kawasaki.jp` goes before `*.kawasaki.jp`, and that before `kawasaki.jp`


class PublicSuffixes:
    """A callable that folds a name to its registrable domain: `www.example.co.uk` to `example.co.uk`."""

    def __init__(self) -> None:
        self._text = ""  # a line for each name
        self._hashes = array("q")  # of the names, sorted
        self._starts = array("I")  # of their lines

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
            kind = self._kind(".".join(labels[start:]))
            if kind == _EXCEPTION:
                return length - 1
            if kind == _WILDCARD and start:
                return length + 1
            if kind:
                return length  # a wildcard's own name is a suffix too: the list's tests have it so
        return 0

    def _kind(self, name: str) -> str:
        """What the list has about this very name; empty: nothing."""
        line, looked_for = f"{name}\n", hash(name)
        for at in range(bisect_left(self._hashes, looked_for), len(self._hashes)):
            if self._hashes[at] != looked_for:
                break
            if self._text.startswith(line, self._starts[at] + 1):
                return self._text[self._starts[at]]
        return ""

    def _read(self) -> None:
        from publicsuffixlist import PSLFILE

        kinds: dict[str, str] = {}
        for match in _RULE.finditer(Path(PSLFILE).read_text(encoding="utf-8")):
            rule = match[0].lower()
            kind = {"!": _EXCEPTION, "*": _WILDCARD}.get(rule[0], _EXACT)
            name = _in_dns(rule.lstrip("!*."))
            kinds[name] = min(kind, kinds.get(name, _EXACT))
        names = sorted(kinds, key=hash)
        self._hashes.extend(map(hash, names))
        self._starts.extend(accumulate((len(name) + 2 for name in names[:-1]), initial=0))
        self._text = "".join(f"{kinds[name]}{name}\n" for name in names)


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
