"""A department: who is metered, and which addresses are its own."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from appliance.core.machine import Link
from appliance.core.metering.quota import Limits

Network = IPv4Network | IPv6Network


UNLIMITED = Limits({})


@dataclass(frozen=True, slots=True)
class Department:
    """One department as configured. `subnets`: empty where all of the interface is the department.

    `line_rate_bps`: `None` where the link's negotiated speed counts. `exempt`: hosts and destinations whose traffic is
    neither counted nor held. `host_limits`: of each of its hosts by itself.
    """

    id: str
    name: str
    interface: str
    limits: Limits
    subnets: tuple[Network, ...] = ()
    line_rate_bps: int | None = None
    exempt: tuple[Network, ...] = ()
    host_limits: Limits = UNLIMITED


EACH_HOST = "*"  # in place of an address


def host_account(department: str, host: str) -> str:
    """The name under which a host's books are kept, beside those of departments, whose ids have no space."""
    return f"{department} {host}"


def parse_account(name: str) -> tuple[str, str | None]:
    """Of an account's name: the department, and the host; `None` where it is the department's own."""
    department, _, host = name.partition(" ")
    return department, host or None


def networks_of(department: Department, links: Mapping[str, Link]) -> tuple[Network, ...] | None:
    """The department's address ranges: its subnets, else the networks of its interface and of the bridge above it.

    `None` where none is known but the link's own (fe80::/10), which every interface has that nobody has given any: then
    every address there is the department's.
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
