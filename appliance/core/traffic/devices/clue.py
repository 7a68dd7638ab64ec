"""What one frame tells about a device: that it is there, an address of it, or a name that it gives itself."""

import unicodedata
from enum import StrEnum
from typing import NamedTuple

LONGEST_NAME = 64  # a label of DNS has 63 characters (RFC 1035 section 2.3.4), and so has a host name of Linux


class NameSource(StrEnum):
    """Where a name is from."""

    DHCP = "dhcp"
    MDNS = "mdns"
    DNS = "dns"


class Clue(NamedTuple):
    """`address`, `name`: empty where the frame tells none. `source`: of the name."""

    mac: str
    address: str = ""
    name: str = ""
    source: NameSource = NameSource.DHCP


def is_station(mac: bytes) -> bool:
    """Whether a device may have this hardware address: it is no group's, and not zero."""
    return len(mac) == 6 and not mac[0] & 1 and any(mac)


def name_in(raw: bytes) -> str:
    """A name as a device gives it; empty where it is none. Its first label, since the domain is the network's.

    What is in it is a stranger's: it is bounded, has no control characters, and is escaped wherever it is shown.
    """
    text = raw.split(b"\0", 1)[0].decode("utf-8", "replace").split(".", 1)[0].strip()
    shown = "".join(one for one in text if unicodedata.category(one) not in _UNSEEN)
    return shown[:LONGEST_NAME]


_UNSEEN = {"Cc", "Cs", "Cn", "Co", "Zl", "Zp"}
