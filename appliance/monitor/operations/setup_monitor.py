"""Setup: looks from time to time whether the network around the appliance lets each department's configuration work."""

from collections.abc import Mapping, Sequence

from appliance.core.machine import Link, Position
from appliance.core.metering.department import Department
from appliance.core.moment import Moment
from appliance.core.operations.setup import Effect, NetworkFacts, SetupFault, setup_faults
from appliance.ports import Forwarding, Upstream

LOOK_S = 10.0  # a person who mends it waits for the answer; listing other programs' chains takes some milliseconds


class SetupMonitor:
    """Judges the setup of departments."""

    def __init__(self, position: Position, *, forwarding: Forwarding, upstream: Upstream) -> None:
        self._position = position
        self._forwarding = forwarding
        self._upstream = upstream
        self._around = NetworkFacts()
        self._looked_s: float | None = None
        self._has_uplink = True

    def look(self, links: Mapping[str, Link], now: Moment) -> None:
        """Read the surroundings again when that is due."""
        if now.is_due(self._looked_s, LOOK_S):
            self._around, self._looked_s = self.read(links), now.monotonic_s
            self._has_uplink = any(name in links and links[name].up for name in self._upstream.uplinks())

    def read(self, links: Mapping[str, Link]) -> NetworkFacts:
        """The surroundings as they are now."""
        return NetworkFacts(
            forwarded={name: self._forwarding.versions(name) for name in links},
            foreign_rules=self._forwarding.foreign_rules(),
            filters_bridged=self._forwarding.filters_bridged(),
            gateways=tuple(one for one in self._upstream.gateways() if not one.is_link_local),
        )

    @property
    def has_uplink(self) -> bool:
        """Whether there is a default route over a link that is up, by the latest look; before it there is."""
        return self._has_uplink

    def faults(self, department: Department, links: Mapping[str, Link]) -> Sequence[SetupFault]:
        """The faults of a department's setup, by the latest look, without hints."""
        found = setup_faults(self._position, department, links, self._around)
        return [one for one in found if one.effect is not Effect.HINT]
