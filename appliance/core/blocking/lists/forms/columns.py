"""Reads lines with columns: the entries of CSV in its many forms, by a heading or by the look of the fields.

With a heading, the first column with a known name counts; what other columns could be blocked is noted once. Without
one, a line of nothing but entries gives them all; else the first field, or the only one that is an address, or a name.
"""

import csv
import re
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry, is_entry, is_name, try_entry

# Names of columns and of JSON's members, in lower case and without punctuation, that have a target.
VALUE_NAMES = ("value", "indicator", "ioc", "iocvalue", "entry", "target")
ADDRESS_NAMES = (
    *(
        "ip",
        "ipaddress",
        "ipaddr",
        "address",
        "addr",
        "ipv4",
        "ipv6",
        "ipv4address",
        "ipv6address",
        "srcip",
        "sourceip",
    ),
    *("dstip", "destinationip", "remoteip", "cidr", "prefix", "ipprefix", "ipv4prefix", "ipv6prefix", "network", "net"),
    *("subnet", "range", "iprange", "mac", "macaddress"),
)
ENTRY_NAMES = (*VALUE_NAMES, *ADDRESS_NAMES, "domain", "domainname", "host", "hostname", "fqdn", "url")
_BEGINS = frozenset({"start", "startip", "ipstart", "begin", "from", "ipfrom", "first", "firstip", "startaddress"})
_ENDS = frozenset({"end", "endip", "ipend", "to", "ipto", "last", "lastip", "endaddress"})
_MASKS = frozenset({"netmask", "mask", "prefixlen", "prefixlength", "masklen"})
_LIKE_ADDRESS = re.compile(r"\d+(?:\.\d+){3}(?:/\d+)?")
_DELIMITERS = ",;|\t"


def plain_name(text: str) -> str:
    """A column's or member's name without case and punctuation, as in `ENTRY_NAMES`."""
    return re.sub("[^a-z0-9]", "", text.lower())


class Heading(Struct, frozen=True):
    """Where a line has its entry: in column `first`; to column `last`, or with the mask in `mask` (-1: none)."""

    delimiter: str
    first: int
    last: int = -1
    mask: int = -1

    def entry_of(self, line: str) -> str:
        """The entry on this line. Raises `NoEntry`."""
        fields = split_fields(line, self.delimiter)
        if len(fields) <= max(self.first, self.last, self.mask) or not fields[self.first]:
            raise NoEntry("it has no field in the column of the entries")
        if self.last >= 0:
            return f"{fields[self.first]}-{fields[self.last]}"
        return f"{fields[self.first]}/{fields[self.mask]}" if self.mask >= 0 else fields[self.first]


def delimiter_of(line: str) -> str | None:
    """The delimiter of this line's fields; `None`: it has none."""
    return next((one for one in _DELIMITERS if one in line), None)


def find_heading(line: str) -> tuple[Heading, str | None] | None:
    """The heading that this line is, and a note about columns that are not used; `None`: it is none."""
    delimiter = delimiter_of(line)
    if delimiter is None:
        return None
    names = [plain_name(one) for one in split_fields(line, delimiter)]
    entries = [at for at, name in enumerate(names) if name in ENTRY_NAMES]
    first, last, mask = (_first(names, known) for known in (_BEGINS, _ENDS, _MASKS))
    if first >= 0 and last >= 0:
        return Heading(delimiter, first, last), None
    if not entries or any(map(is_entry, split_fields(line, delimiter))):
        return None
    note = "of the columns that could be blocked, only the first is used" if len(entries) > 1 else None
    return Heading(delimiter, entries[0], mask=mask), note


def split_fields(line: str, delimiter: str) -> list[str]:
    """The fields of a line, without quotes."""
    try:
        [fields] = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    except (csv.Error, ValueError):
        fields = line.split(delimiter)
    return [one.strip().strip("\"'").strip() for one in fields]


def entries_in(line: str, delimiter: str) -> Iterable[str | Meaning]:
    """The entries on a line without a heading, as far as they can be read. Raises `NoEntry`."""
    fields = [one for one in split_fields(line, delimiter) if one]
    found = [try_entry(one) for one in fields]
    names = [one for one in found if one and is_name(one)]
    addresses = [one for one in found if one and not is_name(one)]
    if len(names) == len(fields) or len(addresses) == len(fields):
        return [*names, *addresses]
    if not names and not addresses and _looks_like_entries(fields):
        return fields  # each is a fault of its own
    chosen = _chosen(found[0], names, addresses)
    is_broken = any(one is None and _LIKE_ADDRESS.fullmatch(text) for one, text in zip(found, fields, strict=True))
    return [replace(chosen, note="a field that looks like an address is none") if is_broken else chosen]


def _chosen(first: Meaning | None, names: Sequence[Meaning], addresses: Sequence[Meaning]) -> Meaning:
    if first is not None:
        is_alone = len(addresses) == (first in addresses)
        return first if is_alone else replace(first, note="only its first field is used; a heading would tell more")
    for candidates in (addresses, names):
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise NoEntry("several fields could be meant; a heading would tell which")
    raise NoEntry("none of its fields is an entry")


def _looks_like_entries(fields: Sequence[str]) -> bool:
    return len(fields) > 1 and all("." in one and " " not in one for one in fields)


def _first(names: Sequence[str], known: frozenset[str]) -> int:
    return next((at for at, name in enumerate(names) if name in known), -1)
