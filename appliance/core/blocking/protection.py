"""Protection: targets that must never be blocked, so that people lock out neither the appliance nor themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from appliance.core.blocking.sets import Family, set_and_range
from appliance.core.blocking.targets import Network, TargetKind, ascii_name, covers_name, kind_of

VERSIONS = {Family.HOSTS4: 4, Family.PREFIXES4: 4, Family.HOSTS6: 6, Family.PREFIXES6: 6}
NOBODYS = "loopback, unspecified and multicast addresses are never blocked"
EVERYTHING = "it would block everything; give longer prefixes"
# All addresses of a version that are in use (RFC 4291 section 2.4 and its registry: unicast is 2000::/3).
WHOLE = {4: ip_network("0.0.0.0/0"), 6: ip_network("2000::/3")}


@dataclass(frozen=True, slots=True)
class Protected:
    """A network that must never be blocked, and the reason as a sentence for people."""

    network: Network
    rule: str


NEVER_BLOCKED = tuple(
    Protected(ip_network(text), NOBODYS)
    for text in ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "255.255.255.255/32", "::/128", "224.0.0.0/4", "ff00::/8")
)


def protected_host(address: IPv4Address | IPv6Address, rule: str) -> Protected:
    """The protection of a single address."""
    return Protected(ip_network(address), rule)


class Protections:
    """All that is protected at one instant; made for questions about thousands of targets."""

    def __init__(self, protected: Iterable[Protected], macs: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        """`macs` and `names`: the appliance's own."""
        self._ranges: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
        for one in (*NEVER_BLOCKED, *protected):
            self._ranges[one.network.version].append((*_bounds(one.network), one.rule))
        self._macs = frozenset(macs)
        self._names = tuple(ascii_name(name) or name for name in names)

    def with_caller(self, address: str) -> "Protections":
        """These protections, and one of the address that a command comes from."""
        caller = protected_host(ip_address(address), "this command comes from it")
        made, version = Protections([], self._macs, self._names), caller.network.version
        made._ranges = {**self._ranges, version: [*self._ranges[version], (*_bounds(caller.network), caller.rule)]}
        return made

    def rule_for(self, target: str) -> str | None:
        """The rule that forbids blocking this target, or `None`. A prefix that overlaps a protected one is forbidden.

        The only protected names are the appliance's own, by which people find it. Where another name resolves to a
        protected address, just that address is not blocked, because anyone may point a name at it.
        """
        kind = kind_of(target)
        if kind is TargetKind.NAME:
            own = next((name for name in self._names if covers_name(target, name)), None)
            return own and f"the appliance's own name is {own}"
        if kind is TargetKind.MAC:
            return "it is the appliance's own hardware address" if target in self._macs else None
        family, first, last = set_and_range(target)
        version = VERSIONS[family]
        low, high = _bounds(WHOLE[version])
        if first <= low and high <= last:
            return EVERYTHING
        return next((rule for low, high, rule in self._ranges[version] if first <= high and low <= last), None)


def _bounds(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)
