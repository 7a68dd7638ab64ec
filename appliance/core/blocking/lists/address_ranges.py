"""Spans: the addresses of a target as numbers, for who has to look at 100,000 of them.

`ipaddress` takes ten times as long to read a target.
"""

from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

BITS = {4: 32, 6: 128}
_FAMILY = {4: AF_INET, 6: AF_INET6}


class AddressRange(NamedTuple):
    """The addresses of a prefix: IP version, the first one, and the prefix's length. It sorts by where it begins."""

    version: int
    first: int
    length: int

    @property
    def last(self) -> int:
        """The last address."""
        return self.first | ((1 << (BITS[self.version] - self.length)) - 1)


def address_range(target: str) -> AddressRange | None:
    """The addresses of a target as `parse_target` writes it; `None`: it is no address or prefix."""
    address, _, length = target.partition("/")
    version = 6 if ":" in address else 4
    try:
        first = int.from_bytes(inet_pton(_FAMILY[version], address))
    except OSError:  # a name, or a MAC address
        return None
    return AddressRange(version, first, int(length) if length else BITS[version])


def is_inside(span: AddressRange, other: AddressRange) -> bool:
    """Whether all addresses of this span are among the other's."""
    return span.version == other.version and other.first <= span.first and span.last <= other.last
