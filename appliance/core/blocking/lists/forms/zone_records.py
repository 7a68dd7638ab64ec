"""Reads the lines of DNS servers' lists: response policy zones, unbound, dnsmasq.

A name with an address that leads nowhere (`SINKS`), or with none, is blocked. One that gets another address, or is
asked elsewhere, is not: it may be the user's own.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network

from appliance.core.blocking.lists.forms.entry import Meaning, NoEntry

# Addresses that lists give unwanted names.
SINKS = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1", "0", "127.0.1.1", "::0", "0:0:0:0:0:0:0:0"})  # noqa: S104  not bound to

ELSEWHERE = "the name is answered with something else, not blocked"
PASSES = "an exception: the list takes it out again, but what a wider entry blocks stays blocked"

_RECORD = re.compile(
    r"(?P<owner>\S*)\s+(?:\d+[smhdw]?\s+)?(?:IN\s+)?(?:\d+[smhdw]?\s+)?"
    r"(?P<type>A|AAAA|CNAME|DNAME|NS|SOA|TXT|PTR|MX|SRV|CAA)\s+(?P<data>\S.*)",
    re.IGNORECASE,
)
_BLOCKING_ZONES = frozenset(
    {"always_nxdomain", "always_nodata", "always_null", "always_refuse", "always_deny", "static", "refuse", "deny"}
    | {"redirect", "inform_deny", "inform_redirect"}
)
_ADDRESS_OWNER = re.compile(r"(\d{1,3})\.(\S+)\.rpz-ip", re.IGNORECASE)


class Zone:
    """A zone file as far as it has been read: the name of the zone, and whether a record goes on in the next line."""

    def __init__(self) -> None:
        self._origin = ""
        self._owner = ""
        self._is_open = False

    def readings(self, line: str) -> Iterable[str | Meaning] | None:
        """What this line of a zone means; `None`: it is none. `line`: with the blanks that it begins with."""
        if self._is_open:
            self._is_open = ")" not in line
            return ()
        if line.upper().startswith(("$ORIGIN", "$TTL")):
            word, _, value = line.partition(" ")
            self._origin = value.strip().strip(".").lower() if word.upper() == "$ORIGIN" else self._origin
            return ()
        record = _RECORD.fullmatch(line.partition(";")[0].rstrip())
        return None if record is None else self._of_record(record["owner"], record["type"].upper(), record["data"])

    def _of_record(self, owner: str, kind: str, data: str) -> Iterable[str | Meaning]:
        if kind == "SOA":
            self._is_open = "(" in data and ")" not in data
            self._origin = owner.strip("@.").lower() or self._origin
        if kind in {"SOA", "NS"}:
            return ()
        owner = owner.lower().rstrip(".")
        if self._origin and owner.endswith(f".{self._origin}"):
            owner = owner.removesuffix(f".{self._origin}")
        self._owner = owner = owner or self._owner  # a line that begins with a blank has the same one (RFC 1035, 5.1)
        if owner in {"", "@"}:
            return ()
        if owner.endswith((".rpz-client-ip", ".rpz-nsip", ".rpz-nsdname")):
            raise NoEntry("it is about clients or name servers, not about what they ask for")
        return _judged(_policy_target(owner), kind, data.strip())


def _judged(target: str, kind: str, data: str) -> Iterable[str | Meaning]:
    """What a record with these data does to the name or address."""
    is_self = data.lower().rstrip(".") == target.removeprefix("=")
    if kind == "CNAME" and (data.lower() == "rpz-passthru." or is_self):
        return [exception(target)]
    is_blocked = data.lower() in {".", "*.", "rpz-drop."} if kind == "CNAME" else data in SINKS
    if kind not in {"A", "AAAA", "CNAME"} or not is_blocked:
        raise NoEntry(ELSEWHERE)
    return [target]


def exception(target: str) -> Meaning:
    """The reading of a target that the list wants to pass."""
    return Meaning(note=PASSES, excepted=(target,))


def _policy_target(owner: str) -> str:
    """The target of an owner name in a response policy zone, as far as it is one."""
    match = _ADDRESS_OWNER.fullmatch(owner)
    if match is None:
        return owner if owner.startswith("*.") else f"={owner}"
    parts = match[2].split(".")[::-1]
    try:
        if len(parts) == 4 and "zz" not in parts:
            return str(IPv4Network(f"{'.'.join(parts)}/{match[1]}", strict=False))
        at = parts.index("zz") if "zz" in parts else -1
        address = ":".join(parts) if at < 0 else f"{':'.join(parts[:at])}::{':'.join(parts[at + 1 :])}"
        return str(IPv6Network(f"{address}/{match[1]}", strict=False))
    except ValueError:
        raise NoEntry("no address in the form of a response policy zone") from None


def dnsmasq_line(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`address=/NAME/[ADDRESS]`, `server=/NAME/[SERVER]`, `local=/NAME/`: groups `option`, `names`, `value`."""
    names, value = [one for one in match["names"].split("/") if one], match["value"].strip()
    if "#" in names:
        raise NoEntry("it means all names")
    if match["option"] != "address" and value == "#":
        return [exception(name) for name in names]
    is_blocked = value in {*SINKS, "", "#"} if match["option"] == "address" else not value
    if not is_blocked:
        raise NoEntry(ELSEWHERE)
    return names


def unbound_zone(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`local-zone: NAME TYPE`: groups `name`, `type`."""
    if match["type"].lower() in _BLOCKING_ZONES:
        return [match["name"].rstrip(".")]
    return [exception(match["name"].rstrip("."))]


def unbound_data(match: re.Match[str]) -> Iterable[str | Meaning]:
    """`local-data: "NAME [TTL] [IN] TYPE DATA"`: group `data`."""
    record = _RECORD.fullmatch(match["data"].strip())
    if record is None:
        raise NoEntry("no record that blocks")
    name, kind, data = record["owner"].rstrip("."), record["type"].upper(), record["data"].strip()
    if kind == "CNAME":
        raise NoEntry(ELSEWHERE)
    return _judged(f"={name}", kind, data)
