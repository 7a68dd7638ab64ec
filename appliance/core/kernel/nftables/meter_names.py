"""What the things in the meters' table are called, and which direction of a department they are about.

What holds a count bears a name with a fingerprint of what it counts, so that another structure gets other meters, at
zero, and the same structure finds its own again after a restart.
"""

import hashlib
from collections.abc import Sequence

from appliance.core.machine import Facing
from appliance.core.metering.meter import Plan, unclaimed_meter

# Part of each fingerprint. To be raised when a release counts something else under the same plan: it makes all meters
# anew, which costs the bytes since the last reading.
COUNTS_SINCE = 1
MOST_HOSTS = 4096  # of a department and family: twice the largest that is asked for; it bounds a spoofer's flood
ETHERNET_BYTES = 14  # what the kernel counts more for each packet that goes out: linux/if_ether.h: ETH_HLEN

CHAINS = {"up": "from", "down": "to"}


def fingerprint(plan: Plan) -> str:
    """What a meter of this plan counts, in nine letters; the first tells how the interface faces."""
    counted = f"{COUNTS_SINCE} {plan.interface} {plan.facing} {sorted(map(str, plan.networks))}"
    return plan.facing[0] + hashlib.sha256(counted.encode()).hexdigest()[:8]


def object_name(kind: str, plan: Plan) -> str:
    """The name of one of the plan's objects."""
    return f"{kind}.{fingerprint(plan)}.{plan.department}"


def parse_name(name: str) -> tuple[str, str]:
    """Of an object's name: the first letter of how its interface faces, and the department."""
    _, counted, department = name.split(".", 2)
    return counted[0], department


def chains_of(plan: Plan) -> list[str]:
    """The names of the department's own chains."""
    return [f"{chain}.{plan.department}" for chain in CHAINS.values()]


def unclaimed(plans: Sequence[Plan]) -> Plan:
    """The plan of what no department of this interface claims, given all that stand there."""
    first = plans[0]
    return Plan(unclaimed_meter(first.interface), first.interface, first.facing)


def is_held(plan: Plan) -> bool:
    """Whether the position can hold the department at all: where packets are only mirrored, they have passed."""
    return plan.facing is not Facing.MIRRORED


def outgoing_direction(facing: str) -> str | None:
    """The direction whose packets are counted with their Ethernet header. `facing`: or its first letter."""
    return {"d": "down", "s": "up"}.get(facing[0])
