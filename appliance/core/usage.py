"""Metering arithmetic: from absolute counters to bytes charged, rates and utilization.

The rule that keeps it honest: a byte is charged exactly once, between two marks. A 64-bit counter that has decreased
was reset, it never wrapped; then all it shows now is new. What the kernel forgot is not invented.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from appliance.core.machine import Connection, Counters, Link

Network = IPv4Network | IPv6Network

ABSENT = "absent"  # the identity in the mark of an interface that was looked for and not there


@dataclass(frozen=True, slots=True)
class Mark:
    """Up to where an interface's bytes are charged. `identity`: of the interface that was read, or `ABSENT`."""

    identity: str
    rx_bytes: int
    tx_bytes: int


@dataclass(frozen=True, slots=True)
class Carried:
    """Bytes between two readings, in each direction as the appliance's interface sees it."""

    rx_bytes: int = 0
    tx_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Both directions together, which is what a quota is about."""
        return self.rx_bytes + self.tx_bytes


NOTHING = Carried()


def next_mark(mark: Mark | None, link: Link | None) -> Mark:
    """The mark that a reading leaves behind.

    An interface that is away keeps its mark, because it may return with its counters; one that was never there leaves
    an `ABSENT` mark, so that what it carries from its first moment is charged.
    """
    if link is None:
        return mark or Mark(ABSENT, 0, 0)
    return Mark(link.identity, link.counters.rx_bytes, link.counters.tx_bytes)


def carried(mark: Mark | None, link: Link | None) -> Carried:
    """What has passed since the mark.

    No mark: nothing, because what an interface carried before the appliance first saw it is nobody's charge. Another
    identity (made anew, or the machine was booted) or a smaller counter: everything that the counter shows.
    """
    if mark is None or link is None:
        return NOTHING
    now = link.counters
    if mark.identity != link.identity or _is_reset(mark, now):
        return Carried(now.rx_bytes, now.tx_bytes)
    return Carried(now.rx_bytes - mark.rx_bytes, now.tx_bytes - mark.tx_bytes)


def _is_reset(mark: Mark, now: Counters) -> bool:
    return now.rx_bytes < mark.rx_bytes or now.tx_bytes < mark.tx_bytes


def utilization(passed: Carried, elapsed_s: float, line_rate_bps: int | None) -> float:
    """The busier direction's share of the line rate, 0..1; 0 where the line rate or the time is unknown."""
    if not line_rate_bps or elapsed_s <= 0:
        return 0.0
    busier_bps = max(passed.rx_bytes, passed.tx_bytes) * 8 / elapsed_s
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
