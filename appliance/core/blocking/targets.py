"""Targets of blocks: addresses, prefixes, hardware addresses and names, and the one way to write each.

A target is text, because it goes to people, to the disk and to other firewalls; the text shows its kind, and of a name
what it covers:

    example.com     the name and all names below it
    =example.com    the name alone, as in a hosts file
    *.example.com   all names below it, without itself
"""

import re
from enum import IntFlag, StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from socket import AF_INET, inet_pton

from appliance.core.refusal import Code, Refused

Network = IPv4Network | IPv6Network

LONGEST_TARGET = 253  # a domain name (RFC 1035 section 2.3.4, without the last dot); all else is far shorter
MAC_DIGITS = 12

_MAC = re.compile(r"[0-9a-f]{2}(?:([:-])[0-9a-f]{2}(?:\1[0-9a-f]{2}){4}|[0-9a-f]{2}(?:\.[0-9a-f]{4}){2})")
# RFC 1123 section 2.1 for the labels; services also put underscores in theirs (RFC 8552).
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_WRITTEN_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")


class TargetKind(StrEnum):
    """The kinds of targets."""

    ADDRESS = "address"
    PREFIX = "prefix"
    MAC = "mac"
    NAME = "name"  # a domain, as far as its `Scope` says


class Scope(IntFlag):
    """What the target of a name covers."""

    ITSELF = 1
    BELOW = 2

    def covers(self, own: str, name: str) -> bool:
        """Whether this much of a domain is or contains the name. `own`: the domain's own name."""
        return bool(Scope.ITSELF in self if name == own else Scope.BELOW in self and name.endswith(f".{own}"))


WHOLE_NAME = Scope.ITSELF | Scope.BELOW
_SCOPES = {"=": Scope.ITSELF, "*.": Scope.BELOW}  # by the mark before the name; without one, both


def kind_of(target: str) -> TargetKind:
    """The kind of a target as `parse_target` writes it."""
    if "/" in target:
        return TargetKind.PREFIX
    if ":" in target:
        return TargetKind.MAC if _WRITTEN_MAC.fullmatch(target) else TargetKind.ADDRESS
    return TargetKind.ADDRESS if target.rpartition(".")[2].isdigit() else TargetKind.NAME


def name_and_scope(target: str) -> tuple[str, Scope]:
    """The name of a target whose kind is a name, and what of it the target covers."""
    for mark, scope in _SCOPES.items():
        if target.startswith(mark):
            return target.removeprefix(mark), scope
    return target, WHOLE_NAME


def covers_name(target: str, name: str) -> bool:
    """Whether a target whose kind is a name covers this name."""
    own, scope = name_and_scope(target)
    return scope.covers(own, name)


def parse_target(text: str) -> str:
    """The one way to write this target: `10.0.0.5`, `10.0.0.0/24`, `2001:db8::1`, `02:00:5e:10:00:01`, `example.com`.

    Raises `Refused` (`E_BAD_REQUEST`) for anything else, also for a prefix with host bits set: it could mean the host
    or its network.
    """
    asked = text.strip().lower()
    return asked if is_ipv4_address(asked) else _parsed(text, asked)


def is_ipv4_address(text: str) -> bool:
    """Whether this is an IPv4 address, in the one way to write it; `ip_address` takes ten times as long."""
    try:
        inet_pton(AF_INET, text)
    except (OSError, UnicodeError, ValueError):
        return False
    return True


def _parsed(text: str, asked: str) -> str:
    if not asked or len(asked) > LONGEST_TARGET or "%" in asked:
        raise Refused(
            Code.BAD_REQUEST, "address: empty, too long, or with a zone; give an address, prefix, MAC or name"
        )
    if _MAC.fullmatch(asked):
        digits = re.sub("[^0-9a-f]", "", asked)
        return ":".join(digits[at : at + 2] for at in range(0, MAC_DIGITS, 2))
    mark = next((one for one in _SCOPES if asked.startswith(one)), "")
    name = ascii_name(text.strip().removeprefix(mark))  # in its own case, which decides some letters (a final sigma)
    return f"{mark}{name}" if name is not None else target_text(_unmapped(_network(asked)))


def target_text(network: Network) -> str:
    """A prefix as text; a prefix of one address is written as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def overlap(one: Network, other: Network) -> bool:
    """Whether two prefixes share an address; those of different IP versions never do."""
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.overlaps(other)


def _network(asked: str) -> Network:
    try:
        return ip_network(asked) if "/" in asked else ip_network(ip_address(asked))
    except ValueError as error:
        raise Refused(
            Code.BAD_REQUEST,
            f"address: {error}; give an address such as 192.168.1.100, a prefix such as 10.1.0.0/16, a MAC address such"
            " as 02:00:5e:10:00:01 or a domain name such as example.com",
        ) from None


def ascii_name(text: str) -> str | None:
    """The domain name as in packets, in lower case and without the last dot; `None`: this is no name.

    A name has a dot, and its last label is no number: so neither `server1` nor `10.0.0.256` is one. Letters beyond
    ASCII are read as browsers do, by UTS 46 without transition: `straße.example` is not `strasse.example`.
    """
    if "/" in text or ":" in text:
        return None
    name = text.lower() if text.isascii() else _mapped(text)
    name = name.removesuffix(".")
    return name if is_written_name(name) else None


def is_written_name(text: str) -> bool:
    """Whether this is a domain name as `parse_target` writes it, without a mark."""
    labels = text.split(".")
    is_name = len(labels) > 1 and not labels[-1].isdigit() and all(map(_LABEL.fullmatch, labels))
    return is_name and len(text) <= LONGEST_TARGET


def _mapped(text: str) -> str:
    """The name with each label that has letters beyond ASCII as `xn--`; an impossible one becomes empty."""
    import idna  # few names need its tables

    try:
        mapped = idna.uts46_remap(text, std3_rules=False, transitional=False)
        labels = [one if one.isascii() else f"xn--{one.encode('punycode').decode()}" for one in mapped.split(".")]
    except UnicodeError:
        return ""
    return ".".join(labels)


def _unmapped(network: Network) -> Network:
    # ::ffff:10.0.0.5 is never in a packet: the sender meant the IPv4 host.
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ip_network((mapped, network.prefixlen - 96))
    return network
