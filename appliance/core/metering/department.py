"""Departments, and which addresses belong to each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

from msgspec import Struct

from appliance.core.machine import Facing, Link, Network
from appliance.core.metering.quota import Limits

UNLIMITED = Limits({})
EVERYWHERE: Mapping[int, Network] = {4: ip_network("0.0.0.0/0"), 6: ip_network("::/0")}


class Department(Struct, frozen=True):
    """One department as configured. `subnets`: empty where the department is everything at its interface.

    `line_rate_bps`: `None`: the link's negotiated speed. `exempt`: destinations with which traffic is neither
    counted nor limited. `host_limits`: those of each of its hosts by itself. `routers`: MAC or IP addresses of routers
    between the department's hosts and the interface. `shares_interface`: with another department, so that its subnets
    alone are its own.
    """

    id: str
    name: str
    interface: str
    limits: Limits
    subnets: tuple[Network, ...] = ()
    line_rate_bps: int | None = None
    exempt: tuple[Network, ...] = ()
    host_limits: Limits = UNLIMITED
    routers: tuple[str, ...] = ()
    shares_interface: bool = False


def claims_of(departments: Sequence[Department], facing: Facing) -> Mapping[str, tuple[Network, ...]]:
    """By department, the subnets by which its traffic is told apart at its interface; empty: all there is its own.

    An interface that one department has alone needs no subnets for that, and what they do not name is not a stranger's:
    another IP version, link-local addresses, a forged source. At a mirror port they tell what was sent and received.
    """
    shared = Counter(one.interface for one in departments)
    return {
        one.id: one.subnets if facing is Facing.MIRRORED or shared[one.interface] > 1 else () for one in departments
    }


def networks_of(department: Department, links: Mapping[str, Link]) -> tuple[Network, ...] | None:
    """The department's address ranges: its subnets, else the networks of its interface and of the bridge above it.

    An interface that it has alone gives those of an IP version that no subnet is of, too. `None`: only link-local ones
    (fe80::/10) are known, which every interface has without being given any; then every address there is its own.
    """
    if department.subnets and department.shares_interface:
        return department.subnets
    link = links.get(department.interface)
    bridge = links.get(link.master) if link is not None and link.master else None
    addresses = [address for one in (link, bridge) if one is not None for address in one.addresses]
    near = [] if all(one.is_link_local for one in addresses) else [one.network for one in addresses]
    if not department.subnets:
        return tuple(dict.fromkeys(near)) or None
    named = {one.version for one in department.subnets}
    others = [
        one for version, all_of in EVERYWHERE.items() if version not in named for one in _of(version, near, all_of)
    ]
    return tuple(dict.fromkeys((*department.subnets, *others)))


def _of(version: int, networks: Sequence[Network], otherwise: Network) -> Sequence[Network]:
    return [one for one in networks if one.version == version] or [otherwise]


def line_rate_of(department: Department, links: Mapping[str, Link]) -> int | None:
    """Bits per second of the department's line: configured, else what its link negotiated; `None`: unknown."""
    link = links.get(department.interface)
    return department.line_rate_bps or (link.speed_bps if link else None)


def holds(networks: Iterable[Network] | None, address: str) -> bool:
    """Whether the address belongs to these networks. `None`: every address does."""
    if networks is None:
        return True
    one = ip_address(address)
    return any(one in network for network in networks)
