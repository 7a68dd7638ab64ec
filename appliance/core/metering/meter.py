"""Meters: what the kernel counts for a department and for each of its hosts, and the plan that it counts by.

All figures are L3: bytes of IP packets without their Ethernet header, in each direction as the department sees it. A
meter is absolute, like every counter of the kernel; `core.metering.usage` makes differences of it. A meter bears the
name of its department; what no department of an interface claims is counted by a meter of its own.
"""

import re

from msgspec import Struct

from appliance.core.machine import Facing, Network, Vlan

NEWCOMERS = "newcomers"  # as a host: all together for whom the kernel's set of hosts has no room
MAC_FORM = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_UNCLAIMED = "unclaimed:"  # part of the kernel's object names; no department's id has a colon


class Reading(Struct, frozen=True):
    """What a meter shows. `identity`: changes whenever the meter was made again and began at zero.

    `up`: from the department; `down`: toward it. `refused_budget`: the `Plan.budget` of which the kernel has refused a
    packet; `None`: it has refused none.
    """

    identity: str
    up_bytes: int = 0
    down_bytes: int = 0
    up_packets: int = 0
    down_packets: int = 0
    refused_budget: str | None = None

    @property
    def total_bytes(self) -> int:
        """Both directions: a quota limits their sum."""
        return self.up_bytes + self.down_bytes


class Plan(Struct, frozen=True):
    """How one department is metered and limited.

    `networks`: its addresses; empty: everything at the interface that no other department there claims.
    `stop_at_bytes`: the meter's total (`Reading.total_bytes`) from which the kernel refuses the department's packets,
    exact to the packet; it may lie below what the meter shows, or below 0; `None`: never. `throttle_bytes_s`: what it
    may send, and what it may receive, in a second; `None`: unlimited. `exempt`: destinations with which traffic is
    neither limited nor counted to the department.

    `budget`: names what `stop_at_bytes` is the end of: after a refusal, only another budget lets packets pass again.

    `host_limit_bytes`: what each host may send and receive in all, until `ports.Meters.hold_hosts` says otherwise for
    it; `None`: hosts are not limited. `host_bytes_s`: the rate of a host beyond that; `None`: it is stopped. `routers`:
    the MAC addresses behind which there are many hosts, each told by its IP address. `checks_sources`: packets from a
    source that is not routed back through the interface are dropped and counted as nobody's; those from the networks
    `near` it are, without a look at the routes. `vlan`: of the interface.
    """

    department: str
    interface: str
    facing: Facing
    networks: tuple[Network, ...] = ()
    stop_at_bytes: int | None = None
    budget: str = ""
    throttle_bytes_s: int | None = None
    exempt: tuple[Network, ...] = ()
    host_limit_bytes: int | None = None
    host_bytes_s: int | None = None
    routers: tuple[str, ...] = ()
    checks_sources: bool = False
    near: tuple[Network, ...] = ()
    vlan: Vlan | None = None


def is_mac(host: str) -> bool:
    """Whether a host is named by its MAC address; else by the IP address that it has behind a router."""
    return MAC_FORM.fullmatch(host) is not None


def unclaimed_meter(interface: str) -> str:
    """The name of the meter of what no department of this interface claims."""
    return f"{_UNCLAIMED}{interface}"


def unclaimed_interface(meter: str) -> str | None:
    """The interface of such a meter; `None`: it is a department's."""
    return meter.removeprefix(_UNCLAIMED) if meter.startswith(_UNCLAIMED) else None
