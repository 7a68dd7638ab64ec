"""What tests tell the packet filter: targets as people write them, and what it holds, as people read it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address, ip_network, summarize_address_range

from appliance.core.block_rules import Place
from appliance.core.cover import Range
from appliance.core.elements import Bounds
from appliance.core.meter import Facing
from appliance.core.slots import Family, Slot, Standing, mark_of, stand
from appliance.core.targets import target_text
from appliance.system.elements import Elements
from appliance.system.firewall import TABLE, NftablesFirewall
from appliance.system.nfnetlink import Nfnetlink
from appliance.system.nftables import Nftables
from appliance.system.notices import Notices
from tests.lab.network import Network

FOREVER = float("inf")
DEPARTMENT = "dept"

Pieces = Mapping[Slot, Collection[Range]]


def place(interface: str = "eth1", department: str = DEPARTMENT, *networks: str, facing: str = "department") -> Place:
    """A department behind an interface."""
    return Place(department, interface, Facing(facing), tuple(map(ip_network, networks)))


def pieces(*targets: str, department: str | None = None, seconds: float = FOREVER) -> dict[Slot, list[Range]]:
    """What blocks these targets, which must not overlap."""
    found: dict[Slot, list[Range]] = {}
    for number, target in enumerate(targets, start=1):
        family, first, last = stand(target)
        piece = Range(first, last, seconds, mark_of("manual", number), target)
        found.setdefault(Slot(family, department), []).append(piece)
    return found


def bounds(found: Pieces) -> dict[Slot, list[Bounds]]:
    """What names these pieces, for taking them away."""
    return {slot: [(one.first, one.last) for one in ranges] for slot, ranges in found.items()}


def targets(look: Mapping[Slot, Mapping[Bounds, Standing]], department: str | None = None) -> set[str]:
    """The targets in force, of all departments or of one."""
    return {
        text
        for slot, standing in look.items()
        if slot.department == department
        for bounds in standing
        for text in _texts(slot.family, *bounds)
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
        shown, shown_apart, elements, notices = Nfnetlink(TABLE), Nfnetlink(TABLE), Elements(), Notices(TABLE)
        made = NftablesFirewall(
            Nftables().run,
            shown,
            elements,
            notices,
            tracks_connections=tracks_connections,
            shown_apart=shown_apart,
        )
    yield made
    for part in (notices, elements, shown_apart, shown):
        part.close()
