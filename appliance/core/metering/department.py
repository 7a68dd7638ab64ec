"""Departments, and which addresses belong to each."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from appliance.core.machine import Facing, Link, Network
from appliance.core.metering.quota import Limits

UNLIMITED = Limits({})


@dataclass(frozen=True, slots=True)
class Department:
    """One department as configured. `subnets`: empty where the department is everything at its interface.

    `line_rate_bps`: `None`: the link's negotiated speed. `exempt`: hosts and destinations whose traffic is neither
    counted nor limited. `host_limits`: those of each of its hosts by itself.
    """

    id: str
    name: str
    interface: str
    limits: Limits
    subnets: tuple[Network, ...] = ()
    line_rate_bps: int | None = None
    exempt: tuple[Network, ...] = ()
    host_limits: Limits = UNLIMITED


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

    `None`: only link-local ones (fe80::/10) are known, which every interface has without being given any; then every
    address there is the department's.
    """
    if department.subnets:
        return department.subnets
    link = links.get(department.interface)
    if link is None:
        return None
    bridge = links.get(link.master) if link.master else None
    addresses = (*link.addresses, *(bridge.addresses if bridge else ()))
    if all(address.is_link_local for address in addresses):
        return None
    return tuple(dict.fromkeys(address.network for address in addresses))


def holds(networks: Iterable[Network] | None, address: str) -> bool:
    """Whether the address belongs to these networks. `None`: every address does."""
    if networks is None:
        return True
    one = ip_address(address)
    return any(one in network for network in networks)
