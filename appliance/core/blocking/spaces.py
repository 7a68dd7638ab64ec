"""Address spaces that blocks together must not fill: all public addresses of a version, a department's own range.

One prefix that does so is easy to see (`protection`). Halves and quarters, perhaps of several lists, are not: so all
prefixes are laid side by side, and where they fill a space, the widest are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_network

from msgspec import Struct

from appliance.core.blocking.lists.address_ranges import address_range
from appliance.core.blocking.targets import Network

Span = tuple[int, int, int]  # IP version, first and last address

EVERYTHING = "it would block everything; give longer prefixes"
TOGETHER = "together with others it would block everything"

# What is public of IPv4: the rest is for private networks and other uses (RFC 6890), which may be blocked by the way.
_NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"),
    *("192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3"),
)


def _public() -> tuple[tuple[int, int], ...]:
    gaps = sorted((int(one[0]), int(one[-1])) for one in map(ip_network, _NOT_PUBLIC))
    begins = [0, *(last + 1 for _, last in gaps)]
    ends = [*(first - 1 for first, _ in gaps), (1 << 32) - 1]
    return tuple((begin, end) for begin, end in zip(begins, ends, strict=True) if begin <= end)


class Space(Struct, frozen=True):
    """Addresses that must not all be blocked, as ranges in order, and the reason as a sentence for people.

    `is_own`: only prefixes inside it count, because a wider one is in force without it (`protection`).
    """

    version: int
    ranges: tuple[tuple[int, int], ...]
    rule: str
    is_own: bool = False

    @property
    def size(self) -> int:
        """How many addresses it has."""
        return sum(last - first + 1 for first, last in self.ranges)

    def concerned(self, spans: Mapping[str, Span]) -> dict[str, Span]:
        """Those of these prefixes that can fill it."""
        version, low, high = self.version, self.ranges[0][0], self.ranges[-1][1]
        if self.is_own:
            return {by: one for by, one in spans.items() if one[0] == version and low <= one[1] and one[2] <= high}
        return {by: one for by, one in spans.items() if one[0] == version and one[1] <= high and low <= one[2]}

    def is_filled(self, blocked: Iterable[Span]) -> bool:
        """Whether these cover all of it."""
        bounds = sorted((first, last) for _, first, last in blocked)
        at, reached = 0, -1
        for first, last in self.ranges:
            reached = max(reached, first - 1)
            while at < len(bounds) and bounds[at][0] <= reached + 1:
                reached = max(reached, bounds[at][1])
                at += 1
            if reached < last:
                return False
        return True


# All unicast addresses of IPv6 that are in use are in 2000::/3 (RFC 4291 section 2.4 and its registry).
PUBLIC_SPACES = (
    Space(4, _public(), TOGETHER),
    Space(6, ((0x2000 << 112, (0x4000 << 112) - 1),), TOGETHER),
)


def own_spaces(own: Iterable[tuple[Network, str]]) -> tuple[Space, ...]:
    """A space for each of these networks."""
    return tuple(
        Space(network.version, ((int(network.network_address), int(network.broadcast_address)),), rule, is_own=True)
        for network, rule in own
    )


def span_of(target: str) -> Span | None:
    """The span of a prefix; `None`: the target is none."""
    one = address_range(target) if "/" in target else None
    return None if one is None else (one.version, one.first, one.last)


def fillers(spans: Mapping[str, Span], spaces: Sequence[Space]) -> Mapping[str, str]:
    """The targets to leave out, each with the reason, so that the others fill no space; the widest go first."""
    found: dict[str, str] = {}
    for space in spaces:
        left = {target: one for target, one in space.concerned(spans).items() if target not in found}
        while sum(last - first + 1 for _, first, last in left.values()) >= space.size and space.is_filled(
            left.values()
        ):
            widest = max(last - first for _, first, last in left.values())
            out = [target for target, (_, first, last) in left.items() if last - first == widest]
            found |= dict.fromkeys(out, space.rule)
            for target in out:
                del left[target]
    return found


def without(first: int, last: int, holes: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The rest of a range, in order, as ranges. `holes`: in order of their begin."""
    rest, at = [], first
    for begin, end in holes:
        if begin > at:
            rest.append((at, min(begin - 1, last)))
        at = max(at, end + 1)
    return [*rest, (at, last)] if at <= last else rest


def prefixes_of(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The fewest prefixes that are this range together, each by its first and last address."""
    while first <= last:
        size = min(first & -first or 1 << 128, 1 << (last - first + 1).bit_length() - 1)
        yield first, first + size - 1
        first += size
