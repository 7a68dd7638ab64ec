"""Blocks: what may be blocked, which blocks are live, and the disjoint prefixes that the kernel is given.

The kernel's interval sets take no overlaps, and would shorten a block rather than say so. So the overlaps are resolved
here: where blocks overlap, the longest-lived one holds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network

from appliance.core.machine import Order
from appliance.core.targets import Kind, Network, kind_of, target_text

NEVER_BLOCKED = tuple(
    ip_network(text) for text in ("127.0.0.0/8", "::1/128", "0.0.0.0/32", "::/128", "224.0.0.0/4", "ff00::/8")
)


class Origin(StrEnum):
    """Who wanted a block. A list adds its name to it: `list:bogons`."""

    MANUAL = "manual"
    QUOTA = "quota"
    DETECTION = "detection"
    LIST = "list"


Key = tuple[str, str | None, str]  # target, department, origin


@dataclass(frozen=True, slots=True)
class Block:
    """What must not pass. `department`: `None` for all; `expires_at`: `None` until lifted.

    `origin`: an `Origin`, that of a list with the list's name. `announced`: whether `ip:blocked` has been published for
    it, so that a crash in between repeats and never omits it. `number`: by which the kernel knows it; 0: not yet.
    `is_provisional`: its times are by a clock that nobody trusted, and are put right when the true time is known.
    """

    target: str
    reason: str
    actor: str
    origin: str
    started_at: datetime
    department: str | None = None
    expires_at: datetime | None = None
    announced: bool = False
    number: int = 0
    is_provisional: bool = False

    @property
    def key(self) -> Key:
        """A target is blocked at most once for each department by each origin."""
        return self.target, self.department, self.origin

    @property
    def kind(self) -> Kind:
        """What its target is."""
        return kind_of(self.target)

    def is_live(self, wall: datetime) -> bool:
        """Whether the block should be in force at this instant."""
        return self.expires_at is None or self.expires_at > wall

    def remaining_s(self, wall: datetime) -> float | None:
        """Seconds until it ends; `None` for a block until lifted."""
        return None if self.expires_at is None else (self.expires_at - wall).total_seconds()


@dataclass(frozen=True, slots=True)
class BlockRequest:
    """What somebody asks to be blocked, as it was sent. `duration_s`: 0 until lifted; `department`: `None` for all.

    `origin`: as of a `Block`. `caller_address`: where the request came from, which it must not block; `None` for the
    appliance itself.
    """

    target: str
    reason: str
    duration_s: int
    department: str | None
    actor: str
    origin: str
    caller_address: str | None = None


@dataclass(frozen=True, slots=True)
class Protected:
    """A network that must never be blocked, and the rule that says so, for a person."""

    network: Network
    rule: str


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
