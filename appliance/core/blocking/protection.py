"""Protection: targets that must never be blocked, so that people lock out neither the appliance nor themselves.

A department's own range may not be blocked as a whole, though any of its hosts may. What a person orders is refused if
it touches something protected, because they can give another target. A list is taken without the protected part,
because nobody can change it, and the rest of a list of unused addresses is what its user wants blocked.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from copy import copy
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from msgspec import Struct

from appliance.core.blocking.sets import Family, set_and_range
from appliance.core.blocking.spaces import EVERYTHING, PUBLIC_SPACES, Span, fillers, own_spaces, span_of, without
from appliance.core.blocking.targets import Network, TargetKind, ascii_name, covers_name, kind_of

VERSIONS = {Family.HOSTS4: 4, Family.PREFIXES4: 4, Family.HOSTS6: 6, Family.PREFIXES6: 6}
NOBODYS = "loopback, unspecified and multicast addresses are never blocked"
# All addresses of a version that are in use (RFC 4291 section 2.4 and its registry: unicast is 2000::/3).
WHOLE = {4: ip_network("0.0.0.0/0"), 6: ip_network("2000::/3")}


class Protected(Struct, frozen=True):
    """A network that must never be blocked, and the reason as a sentence for people."""

    network: Network
    rule: str


NEVER_BLOCKED = tuple(
    Protected(ip_network(text), NOBODYS)
    for text in ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "255.255.255.255/32", "::/128", "224.0.0.0/4", "ff00::/8")
)


# By these, neighbours of any network find each other (RFC 4861); each address alone may be blocked.
LINK_LOCAL = Protected(
    ip_network("fe80::/10"), "it contains all link-local addresses, by which neighbours find each other"
)


class ListJudgement(Struct, frozen=True):
    """The entries of a list that are left out, and those that are taken without a part; each with the reason."""

    left_out: Mapping[str, str]
    partly: Mapping[str, str]


class Difference(Struct, frozen=True):
    """What is protected at one instant and not at another: single targets, all ranges; `is_wide`: not all single."""

    targets: frozenset[str]
    spans: frozenset[Span]
    is_wide: bool


def protected_host(address: IPv4Address | IPv6Address, rule: str) -> Protected:
    """The protection of a single address."""
    return Protected(ip_network(address), rule)


class Protections:
    """All that is protected at one instant; made for questions about thousands of targets."""

    def __init__(
        self,
        protected: Iterable[Protected],
        macs: Iterable[str] = (),
        names: Iterable[str] = (),
        own: Iterable[Protected] = (),
    ) -> None:
        """`macs` and `names`: the appliance's own; `own`: ranges that may not be blocked as a whole."""
        self._ranges: dict[int, list[tuple[int, int, str]]] = {4: [], 6: []}
        for one in (*NEVER_BLOCKED, *protected):
            self._ranges[one.network.version].append((*_bounds(one.network), one.rule))
        self._macs = frozenset(macs)
        self.names = tuple(ascii_name(name) or name for name in names)
        self._own = tuple(dict.fromkeys([*own, LINK_LOCAL]))
        self.spaces = (*PUBLIC_SPACES, *own_spaces((one.network, one.rule) for one in self._own))
        self._merged = {version: _merged(ranges) for version, ranges in self._ranges.items()}
        self._own_bounds = {
            version: [_bounds(one.network) for one in self._own if one.network.version == version] for version in (4, 6)
        }

    def __eq__(self, other: object) -> bool:
        """Whether the same is protected."""
        return isinstance(other, Protections) and self._facts() == other._facts()

    __hash__ = None  # type: ignore[assignment]  # nobody needs one

    def _facts(self) -> tuple[object, ...]:
        return self._ranges, self._macs, self.names, self._own

    def with_caller(self, address: str) -> "Protections":
        """These protections, and one of the address that a command comes from."""
        caller = protected_host(ip_address(address), "this command comes from it")
        made, version = copy(self), caller.network.version  # the rest is the same, and to build it takes 0.2 ms
        ranges = [*self._ranges[version], (*_bounds(caller.network), caller.rule)]
        made._ranges = {**self._ranges, version: ranges}
        made._merged = {**self._merged, version: _merged(ranges)}
        return made

    def rule_for(self, target: str) -> str | None:
        """The rule that forbids blocking this target, or `None`. A prefix that overlaps a protected one is forbidden.

        The only protected names are the appliance's own, by which people find it. Where another name resolves to a
        protected address, just that address is not blocked, because anyone may point a name at it.
        """
        kind = kind_of(target)
        if kind is TargetKind.NAME:
            own = next((name for name in self.names if covers_name(target, name)), None)
            return own and f"the appliance's own name is {own}"
        if kind is TargetKind.MAC:
            return "it is the appliance's own hardware address" if target in self._macs else None
        family, first, last = set_and_range(target)
        version = VERSIONS[family]
        low, high = _bounds(WHOLE[version])
        if first <= low and high <= last:
            return EVERYTHING
        forbidding = (rule for low, high, rule in self._ranges[version] if first <= high and low <= last)
        return next(forbidding, None) or self._rule_of_own(version, first, last)

    def holes(self, version: int, first: int, last: int) -> list[tuple[int, int]]:
        """What of a range must not be blocked, in order, as ranges."""
        lows, highs = self._merged[version]
        at = bisect_left(highs, first)
        found = []
        while at < len(lows) and lows[at] <= last:
            found.append((lows[at], highs[at]))
            at += 1
        if first < last:
            found += [(low, high) for low, high in self._own_bounds[version] if first <= low and high <= last]
        return sorted(found) if len(found) > 1 else found

    def differences(self, before: "Protections") -> Difference:
        """What has become protected, and what no longer is."""
        changed = {
            (version, low, high)
            for version in self._ranges
            for low, high, _ in {*self._ranges[version]} ^ {*before._ranges[version]}
        }
        hosts = {
            str(IPv4Address(low) if version == 4 else IPv6Address(low)) for version, low, high in changed if low == high
        }
        is_wide = self._own != before._own or any(low < high for _, low, high in changed)
        return Difference(frozenset({*hosts, *(self._macs ^ before._macs)}), frozenset(changed), is_wide)

    def is_forbidden(self, target: str) -> bool:
        """Whether nothing of this target may be blocked."""
        kind = kind_of(target)
        if kind in {TargetKind.NAME, TargetKind.MAC}:
            return self.rule_for(target) is not None
        family, first, last = set_and_range(target)
        found = self.holes(VERSIONS[family], first, last)
        return bool(found) and not without(first, last, found)

    def judge_list(self, targets: Iterable[str]) -> ListJudgement:
        """What of a list is left out. A prefix that is protected in part is taken without that part."""
        left_out, partly, allowed = dict[str, str](), dict[str, str](), []
        for target in targets:
            rule = self.rule_for(target)
            if rule is not None and (rule == EVERYTHING or self.is_forbidden(target)):
                left_out[target] = rule
                continue
            allowed.append(target)
            if rule is not None:
                partly[target] = f"it is blocked without a part of it: {rule}"
        spans = {target: one for target in allowed if (one := span_of(target)) is not None}
        left_out |= fillers(spans, self.spaces)
        return ListJudgement(left_out, {one: rule for one, rule in partly.items() if one not in left_out})

    def _rule_of_own(self, version: int, first: int, last: int) -> str | None:
        """The rule for a range that contains one that may not be blocked as a whole."""
        if first == last:
            return None
        own = ((*_bounds(one.network), one.rule) for one in self._own if one.network.version == version)
        return next((rule for low, high, rule in own if first <= low and high <= last), None)


def _merged(ranges: Iterable[tuple[int, int, str]]) -> tuple[list[int], list[int]]:
    """The begins and the ends of the same addresses as disjoint ranges, in order."""
    lows: list[int] = []
    highs: list[int] = []
    for low, high, _ in sorted(ranges):
        if highs and low <= highs[-1]:
            highs[-1] = max(highs[-1], high)
        else:
            lows.append(low)
            highs.append(high)
    return lows, highs


def _bounds(network: Network) -> tuple[int, int]:
    return int(network.network_address), int(network.broadcast_address)
