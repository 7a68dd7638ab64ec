"""Metering arithmetic: from absolute meters to bytes charged, rates, utilization and what is unaccounted.

The rule that keeps it honest: a byte is charged exactly once, between two marks. A 64-bit counter that has decreased
was reset, it never wrapped; then all it shows now is new. Bytes that the kernel forgot are not invented. The appliance
makes its meters itself and they begin at zero, so a meter that was never marked is charged whole.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from ipaddress import ip_address

from msgspec import Struct

from appliance.core.machine import Connection, Network
from appliance.core.metering.meter import Reading
from appliance.core.moment import Moment
from appliance.core.pause import Pause, no_pause

COUNTED_AT_ONCE = 1000  # connections: some milliseconds
ETHERNET_BYTES = 14  # the header of each IP packet: interfaces count it, meters do not (IEEE 802.3)


class Mark(Struct, frozen=True):
    """Up to where a meter is charged. `identity`: that of the meter which was read."""

    identity: str
    up_bytes: int
    down_bytes: int


class Passed(Struct, frozen=True):
    """L3 bytes between two readings, from the department (`up_bytes`) and toward it."""

    up_bytes: int = 0
    down_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Both directions: a quota limits their sum."""
        return self.up_bytes + self.down_bytes


NOTHING = Passed()


def plus(one: Passed, other: Passed) -> Passed:
    """The sum of both, in each direction."""
    return Passed(one.up_bytes + other.up_bytes, one.down_bytes + other.down_bytes)


def next_mark(mark: Mark | None, reading: Reading | None) -> Mark | None:
    """The mark after a reading; a meter that is missing (`None`) keeps its mark, because it may return."""
    return mark if reading is None else Mark(reading.identity, reading.up_bytes, reading.down_bytes)


def passed(mark: Mark | None, reading: Reading | None) -> Passed:
    """The bytes since the mark: everything that the meter shows if it is another one, or was reset."""
    if reading is None:
        return NOTHING
    if mark is None or mark.identity != reading.identity or _is_reset(mark, reading):
        return Passed(reading.up_bytes, reading.down_bytes)
    return Passed(reading.up_bytes - mark.up_bytes, reading.down_bytes - mark.down_bytes)


def seconds_since_reading(
    read_s: float | None, saved_at: datetime | None, now: Moment, *, never_saved_s: float
) -> float:
    """Seconds since the meters were read last, even before this program began: those bytes may belong to yesterday.

    `read_s`: when this program read them, by the monotonic clock; `None`: not yet. Then the accounts were saved last at
    `saved_at`, by the wall clock; `None`: never, and `never_saved_s` is the answer. A computer that was off meanwhile
    counted nothing, so it is no longer than since boot, where the monotonic clock and the meters begin at zero.
    """
    if read_s is not None:
        return now.monotonic_s - read_s
    if saved_at is None:
        return never_saved_s
    return max(0.0, min((now.wall - saved_at).total_seconds(), now.monotonic_s))


def _is_reset(mark: Mark, reading: Reading) -> bool:
    return reading.up_bytes < mark.up_bytes or reading.down_bytes < mark.down_bytes


def unaccounted(link_bytes: int, link_packets: int, metered_bytes: int) -> float:
    """The share, in percent, of what an interface carried that none of its meters counted.

    `link_bytes`: the interface's own count over the same time, L2. Without the headers of its `link_packets` it should
    be the metered L3 bytes; the rest is ARP, refused packets, and gaps in metering.
    """
    carried_bytes = link_bytes - ETHERNET_BYTES * link_packets
    return round(max(0, carried_bytes - metered_bytes) * 100 / carried_bytes, 2) if carried_bytes > 0 else 0.0


def utilization(charged: Passed, elapsed_s: float, line_rate_bps: int | None) -> float:
    """The busier direction's share of the line rate, 0..1; 0 where the line rate or the time is unknown."""
    if not line_rate_bps or elapsed_s <= 0:
        return 0.0
    busier_bps = max(charged.up_bytes, charged.down_bytes) * 8 / elapsed_s
    return round(min(1.0, busier_bps / line_rate_bps), 4)


def count_connections(
    connections: Mapping[Connection, int],
    networks: Mapping[str, tuple[Network, ...] | None],
    pause: Pause = no_pause,
) -> Mapping[str, int]:
    """Counts, by department, the connections with an end in its networks. Networks of `None`: all connections.

    Each distinct address is resolved once, by one look-up for each prefix length that occurs: there are tens of
    thousands of connections, and dozens of departments.
    """
    everywhere = frozenset(name for name, own in networks.items() if own is None)
    prefixes = _names_by_prefix(networks)

    @cache
    def departments_at(text: str) -> frozenset[str]:
        address = ip_address(text)
        return everywhere.union(
            *(
                names.get(int(address) >> shift, ())
                for (version, shift), names in prefixes.items()
                if version == address.version
            )
        )

    counts = dict.fromkeys(networks, 0)
    for at, ((source, destination), number) in enumerate(connections.items(), 1):
        if at % COUNTED_AT_ONCE == 0:
            pause()
        for department in departments_at(source) | departments_at(destination):
            counts[department] += number
    return counts


def _names_by_prefix(
    networks: Mapping[str, tuple[Network, ...] | None],
) -> Mapping[tuple[int, int], Mapping[int, set[str]]]:
    """By IP version and number of host bits, the departments of each prefix."""
    found: dict[tuple[int, int], dict[int, set[str]]] = {}
    for name, own in networks.items():
        for network in own or ():
            shift = network.max_prefixlen - network.prefixlen
            prefixes = found.setdefault((network.version, shift), {})
            prefixes.setdefault(int(network.network_address) >> shift, set()).add(name)
    return found
