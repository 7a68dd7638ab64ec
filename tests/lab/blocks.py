"""Targets as people write them, to and from the elements of the packet filter."""

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address, ip_network, summarize_address_range

from appliance.core.blocking.cover import Range
from appliance.core.blocking.place import Place
from appliance.core.blocking.sets import SHAPES, BlockSet, Element, Family, Shape, mark_of, set_and_range
from appliance.core.blocking.targets import target_text
from appliance.core.kernel.nftables.elements import Bounds, Point
from appliance.core.machine import Facing, Link
from appliance.ports import Firewall
from appliance.system.nftables.change_monitor import ChangeMonitor
from appliance.system.nftables.firewall import TABLE, NftablesFirewall
from appliance.system.nftables.libnftables import Nftables
from appliance.system.nftables.meters import TABLE as METERS
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from tests.lab.network import Network

FOREVER = float("inf")
DEPARTMENT = "dept"

Pieces = Mapping[BlockSet, Collection[Range]]


class FakeInterfaces:
    """The links of a mapping, which a test may change."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        self._links = links

    def links(self) -> Mapping[str, Link]:
        return self._links


def place(interface: str = "eth1", department: str = DEPARTMENT, *networks: str, facing: str = "department") -> Place:
    """A department behind an interface."""
    return Place(department, interface, Facing(facing), tuple(map(ip_network, networks)))


def pieces(*targets: str, department: str | None = None, seconds: float = FOREVER) -> dict[BlockSet, list[Range]]:
    """The pieces that block these targets, which must not overlap."""
    found: dict[BlockSet, list[Range]] = {}
    for number, target in enumerate(targets, start=1):
        family, first, last = set_and_range(target)
        piece = Range(first, last, seconds, mark_of("manual", number), target)
        found.setdefault(BlockSet(family, department), []).append(piece)
    return found


def bounds(found: Pieces) -> dict[BlockSet, list[Bounds]]:
    """The bounds of these pieces, for removing them."""
    return {block_set: [(one.first, one.last) for one in ranges] for block_set, ranges in found.items()}


def targets(kernel: Firewall, department: str | None = None) -> set[str]:
    """The targets in force, of all departments or of one."""
    found = {family: standings(SHAPES[family], kernel.list_elements(BlockSet(family, department))) for family in Family}
    return {text for family, ranges in found.items() for bounds in ranges for text in _texts(family, *bounds)}


def remaining_s(kernel: Firewall) -> list[float | None]:
    """The remaining seconds of all pieces for all departments."""
    looks = [standings(SHAPES[family], kernel.list_elements(BlockSet(family, None))) for family in Family]
    return [standing.remaining_s for found in looks for standing in found.values()]


def standings(shape: Shape, look: Iterable[Iterable[Point]]) -> dict[Bounds, Element]:
    """The elements in the listing of a set, by bounds."""
    points = [point for portion in look for point in portion]
    begins = {number: standing for number, standing in points if standing is not None}
    if not shape.is_interval:
        return {(number, number): standing for number, standing in begins.items()}
    ends = sorted(number for number, standing in points if standing is None)
    lasts = {first: bisect_right(ends, first) for first in begins}
    return {
        (first, ends[at] - 1 if at < len(ends) else (1 << shape.bits) - 1): begins[first] for first, at in lasts.items()
    }


def _texts(family: Family, first: int, last: int) -> Iterator[str]:
    if family is Family.MACS:
        yield first.to_bytes(6, "big").hex(":")
        return
    size = 4 if family.endswith("4") else 16
    ends = [ip_address(number.to_bytes(size, "big")) for number in (first, last)]
    for network in summarize_address_range(*ends):  # type: ignore[type-var]
        yield str(network) if family.startswith("prefixes") else target_text(network)


@contextmanager
def firewall(lab: Network, *, tracks_connections: bool = True) -> Iterator[NftablesFirewall]:
    """The packet filter of the lab's appliance."""
    with lab.appliance.entered():
        nftables, shown, metered, elements = Nftables(), Nfnetlink(TABLE), Nfnetlink(METERS), SetElements()
        notices = ChangeMonitor(TABLE)
        made = NftablesFirewall(
            nftables, shown, elements, notices, metered=metered, tracks_connections=tracks_connections
        )
    yield made
    for part in (notices, elements, metered, shown, nftables):
        part.close()
