"""Metering arithmetic: from absolute meters to bytes charged, rates, utilization and what is unaccounted.

The rule that keeps it honest: a byte is charged exactly once, between two marks. A 64-bit counter that has decreased
was reset, it never wrapped; then all it shows now is new. What the kernel forgot is not invented. A meter is made by
this appliance and begins at zero, so that one that was never marked is charged whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from appliance.core.machine import Connection
from appliance.core.meter import Reading

Network = IPv4Network | IPv6Network

ETHERNET_BYTES = 14  # of header before each IP packet, which interfaces count and meters do not (IEEE 802.3)


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where a meter is charged. `identity`: of the meter that was read."""

    identity: str
    up_bytes: int
    down_bytes: int


@dataclass(frozen=True, slots=True)
class Passed:
    """L3 bytes between two readings, from the department (`up_bytes`) and toward it."""

    up_bytes: int = 0
    down_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Both directions together, which is what a quota is about."""
        return self.up_bytes + self.down_bytes


NOTHING = Passed()


def plus(one: Passed, other: Passed) -> Passed:
    """Both together."""
    return Passed(one.up_bytes + other.up_bytes, one.down_bytes + other.down_bytes)


def next_mark(mark: Mark | None, reading: Reading | None) -> Mark | None:
    """The mark that a reading leaves behind; a meter that is away keeps its mark, because it may return."""
    return mark if reading is None else Mark(reading.identity, reading.up_bytes, reading.down_bytes)


def passed(mark: Mark | None, reading: Reading | None) -> Passed:
    """What has passed since the mark: everything that the meter shows if it is another one, or was reset."""
    if reading is None:
        return NOTHING
    if mark is None or mark.identity != reading.identity or _is_reset(mark, reading):
        return Passed(reading.up_bytes, reading.down_bytes)
    return Passed(reading.up_bytes - mark.up_bytes, reading.down_bytes - mark.down_bytes)


def _is_reset(mark: Mark, reading: Reading) -> bool:
    return reading.up_bytes < mark.up_bytes or reading.down_bytes < mark.down_bytes


def unaccounted(link_bytes: int, link_packets: int, metered_bytes: int) -> float:
    """The share, in percent, of what an interface carried that no meter of it claims.

    `link_bytes`: the interface's own count over the same time, L2; without the headers of its `link_packets` it should
    be the metered L3 bytes, and ARP, what was refused, and gaps in metering are the rest.
    """
    carried_bytes = link_bytes - ETHERNET_BYTES * link_packets
    if carried_bytes <= 0:
        return 0.0
    return round(max(0, carried_bytes - metered_bytes) * 100 / carried_bytes, 2)


def utilization(charged: Passed, elapsed_s: float, line_rate_bps: int | None) -> float:
    """The busier direction's share of the line rate, 0..1; 0 where the line rate or the time is unknown."""
    if not line_rate_bps or elapsed_s <= 0:
        return 0.0
    busier_bps = max(charged.up_bytes, charged.down_bytes) * 8 / elapsed_s
    return round(min(1.0, busier_bps / line_rate_bps), 4)


def count_connections(connections: Iterable[Connection], networks: tuple[Network, ...] | None) -> int:
    """How many of the connections have an end in these networks. `None`: all, whoever their ends are."""
    if networks is None:
        return sum(1 for _ in connections)
    inside: dict[str, bool] = {}

    def is_inside(text: str) -> bool:
        if text not in inside:
            address = ip_address(text)
            inside[text] = any(address in network for network in networks)
        return inside[text]

    return sum(1 for one in connections if is_inside(one.source) or is_inside(one.destination))
