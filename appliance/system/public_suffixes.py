"""Finds the registrable domain of a name by the public suffix list.

The list is a file of the library; the first question loads it offline, in 60 ms and 3 MB. A look-up takes 4 us: results
are not cached. Only names under a top-level domain of the list count as sites: this excludes `printer.local`, single
labels, addresses, and the names of reverse look-ups.
"""

import re
from typing import Any

LONGEST_NAME = 253  # RFC 1035, without the last dot
_SITE_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")  # names that a dashboard can show
_REVERSE = ".arpa"  # a listed suffix, but of reverse look-ups and of home networks


class PublicSuffixes:
    """A callable that folds a name to its registrable domain: `www.example.co.uk` to `example.co.uk`."""

    def __init__(self) -> None:
        self._list: Any = None

    def __call__(self, name: str) -> str | None:
        """The registrable domain in lower case, IDN as `xn--`; `None` where it is no site of the Internet.

        `None` too as long as the list cannot be read: the process has no free descriptor.
        """
        encoded = _encoded(name) if len(name) <= LONGEST_NAME + 1 else None
        if encoded is None:
            return None
        if self._list is None:
            try:
                from publicsuffixlist import PublicSuffixList

                self._list = PublicSuffixList(accept_unknown=False)
            except OSError:
                return None
        folded: str | None = self._list.privatesuffix(encoded)
        return folded


def _encoded(name: str) -> str | None:
    """The name in the list's form; `None` where it cannot be a site's."""
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return None
    name = name.lower().removesuffix(".")
    return name if _SITE_NAME.fullmatch(name) and not name.endswith(_REVERSE) else None
