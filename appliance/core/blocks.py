"""Blocks: what may be blocked, which blocks are live, and the disjoint prefixes that the kernel is given.

The kernel's interval sets take no overlaps, and would shorten a block rather than say so. So the overlaps are resolved
here: where blocks overlap, the longest-lived one holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_network

from appliance.core.machine import Order
from appliance.core.refusal import Code, Refused

Network = IPv4Network | IPv6Network

LONGEST_TARGET = 49  # an IPv6 address with an embedded IPv4 one and a prefix length
NEVER_BLOCKED = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "224.0.0.0/4", "ff00::/8")
)


@dataclass(frozen=True, slots=True)
class Block:
    """An address or prefix that must not pass. `department`: `None` for all; `expires_at`: `None` until lifted.

    `announced`: whether `ip:blocked` has been published for it, so that a crash in between repeats and never omits it.
    """

    target: str
    reason: str
    actor: str
    origin: str
    started_at: datetime
    department: str | None = None
    expires_at: datetime | None = None
    announced: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        """A target is blocked at most once for each department."""
        return self.target, self.department

    def is_live(self, wall: datetime) -> bool:
        """Whether the block should be in force at this instant."""
        return self.expires_at is None or self.expires_at > wall

    def remaining_s(self, wall: datetime) -> float | None:
        """Seconds until it ends; `None` for a block until lifted."""
        return None if self.expires_at is None else (self.expires_at - wall).total_seconds()


@dataclass(frozen=True, slots=True)
class Protected:
    """A network that must never be blocked, and the rule that says so, for a person."""

    network: Network
    rule: str


def parse_target(text: str) -> str:
    """The one way to write this address or prefix: `10.0.0.5`, `10.0.0.0/24`, `2001:db8::1`.

    Raises `Refused` (`E_BAD_REQUEST`) for anything else, a prefix with host bits set among it: it is unclear whether
    the host or its network was meant.
    """
    if len(text) > LONGEST_TARGET or "%" in text:
        raise Refused(Code.BAD_REQUEST, "address: too long, or with a zone; give an IPv4 or IPv6 address or prefix")
    try:
        network = ip_network(text.strip())
    except ValueError as error:
        raise Refused(
            Code.BAD_REQUEST, f"address: {error}; give an address such as 192.168.1.100 or a prefix such as 10.1.0.0/16"
        ) from None
    return target_text(_unmapped(network))


def target_text(network: Network) -> str:
    """A prefix as text; one that holds a single address is written as that address."""
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _unmapped(network: Network) -> Network:
    # ::ffff:10.0.0.5 never stands in a packet: the sender meant the IPv4 host.
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ip_network((mapped, network.prefixlen - 96))
    return network


def protection_of(target: str, protected: Iterable[Protected]) -> str | None:
    """The rule that forbids blocking this target, or `None`. A prefix that only touches a protected address counts."""
    network = ip_network(target)
    for never in NEVER_BLOCKED:
        if overlap(network, never):
            return "loopback, unspecified and multicast addresses are never blocked"
    return next((one.rule for one in protected if overlap(network, one.network)), None)


def overlap(one: Network, other: Network) -> bool:
    """Whether two prefixes share an address; those of different IP versions never do."""
    if isinstance(one, IPv4Network) and isinstance(other, IPv4Network):
        return one.overlaps(other)
    return isinstance(one, IPv6Network) and isinstance(other, IPv6Network) and one.overlaps(other)


def orders_at(
    blocks: Iterable[Block], interfaces: Mapping[str, Sequence[str]], wall: datetime
) -> dict[str, tuple[Order, ...]]:
    """By interface, the orders that make these blocks hold, disjoint among the prefixes.

    `interfaces`: by interface, the departments behind it.
    """
    live = sorted((block for block in blocks if block.is_live(wall)), key=_lifetime, reverse=True)
    return {
        interface: _disjoint([b for b in live if b.department is None or b.department in departments], wall)
        for interface, departments in interfaces.items()
    }


def _lifetime(block: Block) -> float:
    return float("inf") if block.expires_at is None else block.expires_at.timestamp()


def _disjoint(longest_lived_first: Sequence[Block], wall: datetime) -> tuple[Order, ...]:
    orders: dict[str, Order] = {}
    placed: list[Network] = []
    for block in longest_lived_first:
        network = ip_network(block.target)
        pieces = [network]
        if network.num_addresses > 1:  # single addresses stand in a set of their own, where nothing can overlap
            for other in placed:
                pieces = [rest for piece in pieces for rest in _without(piece, other)]
            placed.append(network)
        for piece in pieces:
            text = target_text(piece) if network.num_addresses == 1 else str(piece)
            orders.setdefault(text, Order(text, block.remaining_s(wall)))
    return tuple(orders.values())


def _without(piece: Network, other: Network) -> list[Network]:
    if not overlap(piece, other):
        return [piece]
    if other.prefixlen <= piece.prefixlen:
        return []
    return list(piece.address_exclude(other))  # type: ignore[arg-type]  # same version: they overlap


def is_address(text: str) -> bool:
    """Whether an order's target is a single address, which the kernel keeps in a hash set, and not a prefix."""
    return "/" not in text
