"""The kinds of values in a configuration, and their notations."""

import re
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from appliance.core.access.person import Role
from appliance.core.duration import seconds_of
from appliance.core.metering.meter import is_mac

LARGEST_QUANTITY = 2**63 - 1  # that SQLite stores

_FACTORS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_QUANTITY = re.compile(r"(?P<number>\d{1,19}(\.\d{1,6})?) ?(?P<prefix>[kMGT]|[KMGT]i|)(?P<unit>bit|B)")


class Bytes(int):
    """A size, written with its unit: `5 GiB`, `5 GB`, `500 MB`."""


class BitRate(int):
    """A rate in bits per second, written with its unit: `1 Gbit`, `100 Mbit`."""


class Subnet:
    """A prefix of IPv4 or IPv6, written without host bits: `192.168.1.0/24`.

    A class of its own, because `msgspec` takes only one foreign type in a field.
    """

    __slots__ = ("network",)

    def __init__(self, network: IPv4Network | IPv6Network) -> None:
        self.network = network


DURATION = {"unit": "s"}  # marks a number of seconds that may also be written as "30m"

Seconds = Annotated[
    float,
    Meta(ge=0.1, le=3600, description='a number of seconds from 0.1 to 3600, or a text such as "5m"', extra=DURATION),
]
Pin = Annotated[int, Meta(ge=0, le=27, description="a BCM pin number from 0 to 27")]
Threshold = Annotated[int, Meta(ge=1, le=100, description="a whole number of percent from 1 to 100")]
Days = Annotated[int, Meta(ge=1, le=3660, description="a whole number of days from 1 to 3660")]
Count = Annotated[int, Meta(ge=1, le=1_000_000, description="a whole number from 1 to 1000000")]


class Station:
    """A station at a department's interface: its MAC address or its IP address, in their usual forms."""

    __slots__ = ("name",)

    def __init__(self, text: str) -> None:
        """Raises `ValueError`."""
        mac = text.lower().replace("-", ":")
        self.name = mac if is_mac(mac) else str(ip_address(text))


Text = Annotated[str, Meta(min_length=1, max_length=200, description="a text of 1 to 200 characters")]
InterfaceName = Annotated[
    str, Meta(pattern=r"^[^\s/:]{1,15}$", description="a network interface's name, at most 15 characters (IFNAMSIZ)")
]
DepartmentId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="1 to 64 letters, digits, '_', '.' or '-', beginning with a letter or digit",
    ),
]

# What happens to packets that no rule can tell apart.
Passage = Annotated[Literal["pass", "block"], Meta(description='"pass" or "block"')]
IssuerAlgorithm = Annotated[Literal["RS256", "EdDSA"], Meta(description='one of "RS256", "EdDSA"')]
RoleWords = Annotated[
    dict[str, Role],
    Meta(min_length=1, max_length=64, description='a table of the issuer\'s words, such as { "net-admins" = "admin" }'),
]
DepartmentWords = Annotated[
    dict[str, str],
    Meta(min_length=1, max_length=256, description='a table of the issuer\'s words, such as { Radiology = "dept123" }'),
]

Origin = Annotated[
    str,
    Meta(
        max_length=300,
        pattern=r"^[A-Za-z][A-Za-z0-9+.-]{0,31}://([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?$",
        description='a page\'s origin as browsers name it, without a path, such as "https://dash.example:8443"',
    ),
]

ListName = Annotated[
    str,
    Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}$", description="1 to 32 letters, digits, '_', '.' or '-'"),
]
ListSource = Annotated[
    str,
    Meta(
        # No user and password: the URL appears in answers and in the log.
        pattern=r"^(/[^\x00-\x1f\x7f]{1,1000}"
        r"|https?://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(/[!-~]{0,1000})?)$",
        description='a file\'s absolute path, or a URL such as "https://192.168.1.2/list.txt"',
    ),
]
BundleUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?(/[!-~]{0,1000})?\Z",
        description='a URL such as "https://192.168.1.2/appliance.raucb"',
    ),
]
DailyWindow = Annotated[
    str,
    Meta(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$",
        description='two local times, such as "03:00-05:00"',
    ),
]
LocalTime = Annotated[
    str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description='a local time, such as "06:00"')
]
Folder = Annotated[str, Meta(pattern=r"^/[^\x00-\x1f\x7f]{1,254}\Z", description='a folder, such as "/mnt/nas"')]
FolderUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://([A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?/([!-~]{0,1000}/)?\Z",
        description='the URL of a folder, such as "https://nas.example.org/backups/"',
    ),
]
Keep = Annotated[int, Meta(ge=1, le=365, description="a whole number from 1 to 365")]
NameEntry = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9_-]{1,63}(\.([a-z0-9_-]{1,63}|\*))*$",
        max_length=253,
        description='a name in lower case, such as "ocsp.example.org", or the begin of one, such as "ocsp.*"',
    ),
]
RefreshSeconds = Annotated[
    float,
    Meta(
        ge=1,
        le=604_800,
        description='a number of seconds from 1 to 604800 (a week) between two reads, or a text such as "1h"',
        extra=DURATION,
    ),
]
HoldSeconds = Annotated[
    int,
    Meta(
        ge=0,
        le=31_536_000,
        description='a whole number of seconds up to 31536000 (a year), a text such as "30m", or 0',
        extra=DURATION,
    ),
]


def is_duration(kind: object) -> bool:
    """Whether values of this kind are seconds that may also be written with units."""
    return any(isinstance(meta, Meta) and meta.extra == DURATION for meta in getattr(kind, "__metadata__", ()))


def quantity_text(amount: int, unit: str) -> str:
    """A size or a rate with the prefix that makes the least whole number of it: `5 GiB`, `5 GB`, `100 Mbit`.

    `unit`: `B`, or `bit`, whose prefixes are decimal.
    """
    prefixes = [one for one in _FACTORS if amount and amount % _FACTORS[one] == 0 and (unit == "B" or "i" not in one)]
    prefix = max(prefixes, key=_FACTORS.__getitem__, default="")
    return f"{amount // _FACTORS[prefix]} {prefix}{unit}"


def without_units(kind: object, found: object) -> object:
    """The seconds of a duration that is written as a text, where this kind is one; else what was found."""
    if not is_duration(kind) or not isinstance(found, str):
        return found
    try:
        return seconds_of(found)
    except ValueError:
        return found  # which is no number, and is told so


def from_text(kind: type, text: object) -> object:
    """Parse a value of this kind; `msgspec` calls this. Raises `TypeError` or `ValueError`."""
    if not isinstance(text, str):
        raise TypeError("not a text")
    if kind is Subnet:
        return Subnet(ip_network(text))
    if kind is Station:
        return Station(text)
    if kind is ZoneInfo:
        return _zone(text)
    return kind(_quantity(text, "B" if kind is Bytes else "bit"))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as error:  # a folder's name (`Europe`) gives an OSError
        raise ValueError(name) from error


def _quantity(text: str, unit: str) -> int:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or match["unit"] != unit:
        raise ValueError(text)
    amount = int(Decimal(match["number"]) * _FACTORS[match["prefix"]])
    if amount > LARGEST_QUANTITY:
        raise ValueError(text)
    return amount
