"""Compares what each interface carried with what its meters counted, since this program first saw both.

Both sides add up differences, so that a meter made again takes nothing back: what passed while it was away stays in
the figure. A parent interface also carries what its VLAN subinterfaces carry, so their meters count on both.
"""

from collections.abc import Mapping

from msgspec import Struct

from appliance.core.machine import Link, vlan_of
from appliance.core.metering.meter import Reading, unclaimed_interface
from appliance.core.metering.usage import Mark, next_mark, passed, unaccounted


class _Sides(Struct):
    """`link`: as last seen. `carried_bytes`: L2, by the interface's own count, in `packets` packets."""

    link: Link
    carried_bytes: int = 0
    packets: int = 0
    metered_bytes: int = 0


class Unaccounted:
    """Adds up both sides for each interface with a department."""

    def __init__(self, interfaces: Mapping[str, str]) -> None:
        """`interfaces`: by department."""
        self._interfaces = interfaces
        self._sides: dict[str, _Sides] = {}
        self._marks: dict[str, Mark | None] = {}

    def count(self, links: Mapping[str, Link], readings: Mapping[str, Reading]) -> None:
        """Adds what interfaces and meters have counted since the previous call."""
        for name, reading in readings.items():
            amount = passed(self._marks.get(name), reading)
            own = self._interfaces.get(name) or unclaimed_interface(name)
            vlan = vlan_of(own, links) if own else None
            carriers = {own, vlan.trunk if vlan else None}
            for interface, sides in self._sides.items():
                if interface in carriers:
                    sides.metered_bytes += amount.total_bytes
            self._marks[name] = next_mark(None, reading)
        for interface in set(self._interfaces.values()) & links.keys():
            _carry(self._sides.setdefault(interface, _Sides(links[interface])), links[interface])

    def unaccounted_percent(self, interface: str) -> float:
        """The share of what the interface carried that no meter counted; 0 where it carried nothing or is unknown."""
        sides = self._sides.get(interface)
        return unaccounted(sides.carried_bytes, sides.packets, sides.metered_bytes) if sides else 0.0


def _carry(sides: _Sides, link: Link) -> None:
    before_bytes, before_packets = _total(sides.link)
    now_bytes, now_packets = _total(link)
    if link.identity != sides.link.identity or now_bytes < before_bytes:
        before_bytes = before_packets = 0  # another interface of the same name: all that it shows came since
    sides.link = link
    sides.carried_bytes += now_bytes - before_bytes
    sides.packets += now_packets - before_packets


def _total(link: Link) -> tuple[int, int]:
    counters = link.counters
    return counters.rx_bytes + counters.tx_bytes, counters.rx_packets + counters.tx_packets
