"""The fast path: departments' established connections pass a gateway by the kernel's flow table, if it has one."""

from collections.abc import Mapping, Sequence

from appliance.core.kernel.flow_offload import carriers
from appliance.core.machine import Link, Position
from appliance.core.metering.department import Department
from appliance.ports import Forwarding

FAST_PATH_S = 10.0  # an interface that appears is slower for so long; another program's new rules see each packet then


class FastPath:
    """Keeps the flow table fit for the links that there are."""

    def __init__(self, departments: Sequence[Department], position: Position, forwarding: Forwarding) -> None:
        self._interfaces = frozenset(one.interface for one in departments)
        self._routes = position is Position.GATEWAY  # elsewhere the kernel routes nothing of the department
        self._forwarding = forwarding

    def step(self, links: Mapping[str, Link]) -> None:
        """Offload what these links may carry."""
        self._forwarding.offload(self._interfaces, carriers(self._interfaces, links) if self._routes else {})
