"""What each position in the network means for metering, blocking and capturing: one row each, and no other table.

A new position is a new row here, and the interfaces that the simulator gives it (`simulator.interfaces`).
"""

from collections.abc import Mapping
from typing import NamedTuple

from appliance.core.machine import Facing, Position


class PositionTraits(NamedTuple):
    """`facing`: of a department's interface, for meters and blocks. `can_enforce`: blocks, quotas and tracking work.

    `forwards`: the department's traffic passes this machine on its way, so that the kernel can lead the HTTP of people
    who are cut off to a page. `is_promiscuous`: the capture needs frames that are addressed to other machines.
    """

    facing: Facing
    can_enforce: bool
    forwards: bool
    is_promiscuous: bool


POSITIONS: Mapping[Position, PositionTraits] = {
    Position.BRIDGE: PositionTraits(Facing.DEPARTMENT, can_enforce=True, forwards=True, is_promiscuous=False),
    Position.GATEWAY: PositionTraits(Facing.DEPARTMENT, can_enforce=True, forwards=True, is_promiscuous=False),
    Position.MIRROR: PositionTraits(Facing.MIRRORED, can_enforce=False, forwards=False, is_promiscuous=True),
    Position.HOST: PositionTraits(Facing.SELF, can_enforce=True, forwards=False, is_promiscuous=False),
}
