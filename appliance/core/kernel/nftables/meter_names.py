"""Names of the objects and chains in the meters' table.

The name of an object with a count has a fingerprint of what it counts. So a changed plan gets new meters, at zero, and
the same plan finds its own again after a restart.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from appliance.core.kernel.nftables import ruleset as nft
from appliance.core.machine import Facing, Network
from appliance.core.metering.meter import Plan, Reading, unclaimed_meter

# Part of each fingerprint. Raise it when a release counts something else under the same plan: all meters are replaced,
# which costs the bytes since the last reading.
COUNTS_SINCE = 1
ETHERNET_BYTES = 14  # the kernel counts these in addition for each outgoing packet; linux/if_ether.h: ETH_HLEN

CHAINS = {"up": "from", "down": "to"}


def fingerprint(plan: Plan) -> str:
    """What a meter of this plan counts, in nine letters; the first is that of the interface's facing."""
    return _fingerprint(plan.interface, plan.facing, plan.networks)


@lru_cache(maxsize=1024)  # the same departments each second
def _fingerprint(interface: str, facing: Facing, networks: tuple[Network, ...]) -> str:
    counted = f"{COUNTS_SINCE} {interface} {facing} {sorted(map(str, networks))}"
    return facing[0] + hashlib.sha256(counted.encode()).hexdigest()[:8]


def object_name(kind: str, plan: Plan) -> str:
    """The name of the plan's object of this kind."""
    return nft.identifier(kind, fingerprint(plan), plan.department)


@lru_cache(maxsize=1024)  # the counters of the same departments each second
def parse_name(name: str) -> tuple[str, str]:
    """The first letter of the interface's facing, and the department, from an object's name."""
    _, counted, department = name.split("_", 2)
    return counted[0], nft.identifier_part(department)


def stop_name(plan: Plan) -> str:
    """The name of the quota that stops the department: another budget is another quota."""
    return object_name(f"stop{plan.budget}", plan)


def budget_in(name: str) -> tuple[str, str] | None:
    """Department and budget, from the name of a quota that stops a department; `None`: it does something else."""
    kind, _, _ = name.partition("_")
    return (parse_name(name)[1], kind.removeprefix("stop")) if kind.startswith("stop") else None


def chain_name(direction: str, plan: Plan) -> str:
    """The name of the department's chain for packets of this direction."""
    return nft.identifier(CHAINS[direction], plan.department)


def claimant(plan: Plan) -> str:
    """Whose devices are noted: with other networks a department claims none by its former ones."""
    return f"{fingerprint(plan)}.{plan.department}"


def unclaimed(plans: Sequence[Plan]) -> Plan:
    """The plan for traffic that no department of this interface claims. `plans`: all of the interface."""
    first = plans[0]
    return Plan(unclaimed_meter(first.interface), first.interface, first.facing)


def is_held(plan: Plan) -> bool:
    """Whether the kernel can hold the department: mirrored packets are copies, the packets have passed."""
    return plan.facing is not Facing.MIRRORED


def reading(identity: str, facing: str, up: Sequence[int], down: Sequence[int]) -> Reading:
    """The reading of what the kernel counted, bytes and packets in each direction, without Ethernet headers."""
    outgoing = outgoing_direction(facing)
    return Reading(
        identity,
        up_bytes=up[0] - (ETHERNET_BYTES * up[1] if outgoing == "up" else 0),
        down_bytes=down[0] - (ETHERNET_BYTES * down[1] if outgoing == "down" else 0),
        up_packets=up[1],
        down_packets=down[1],
    )


def outgoing_direction(facing: str) -> str | None:
    """The direction whose packets the kernel counts with their Ethernet header. `facing`: or its first letter."""
    return {"d": "down", "s": "up"}.get(facing[0])
