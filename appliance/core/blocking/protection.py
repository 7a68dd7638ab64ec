"""Protection: what must never be blocked, so that nobody locks the appliance, or himself, out."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from appliance.core.blocking.sets import Family, set_and_range
from appliance.core.blocking.targets import Network, TargetKind, kind_of

VERSIONS = {Family.HOSTS4: 4, Family.PREFIXES4: 4, Family.HOSTS6: 6, Family.PREFIXES6: 6}
NOBODYS = "loopback, unspecified and multicast addresses are never blocked"
EVERYTHING = "it would block everything; give longer prefixes"
# What holds all addresses of a version that are in use (RFC 4291 section 2.4 and its registry: unicast is 2000::/3).
WHOLE = {4: ip_network("0.0.0.0/0"), 6: ip_network("2000::/3")}


@dataclass(frozen=True, slots=True)
class Protected:
    """A network that must never be blocked, and the rule that says so, for a person."""

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
    """All that is protected at an instant; asked for thousands of targets at once."""

    def __init__(self, protected: Iterable[Protected], macs: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        """`macs` and `names`: the appliance's own."""
        self._ranges: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
        for one in (*NEVER_BLOCKED, *protected):
            self._ranges[one.network.version].append((*_bounds(one.network), one.rule))
        self._macs = frozenset(macs)
        self._names = tuple(names)

    def with_caller(self, address: str) -> "Protections":
        """These, and the address that a command comes from."""
        caller = protected_host(ip_address(address), "this command comes from it")
        made, version = Protections([], self._macs, self._names), caller.network.version
        made._ranges = {**self._ranges, version: [*self._ranges[version], (*_bounds(caller.network), caller.rule)]}
        return made

    def rule_for(self, target: str) -> str | None:
        """The rule that forbids blocking this target, or `None`. That a prefix only touches one counts.

        Of names only the appliance's own are protected, by which people find it; where another resolves to what is
        protected, that address is left out, because anybody may let his name resolve to it.
        """
        kind = kind_of(target)
        if kind is TargetKind.NAME:
            own = next((name for name in self._names if f".{name}".endswith(f".{target}")), None)
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
