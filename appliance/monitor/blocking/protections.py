"""Protections: addresses that must not be blocked, from the configuration and from the network as it is now."""

from collections.abc import Iterator, Mapping, Sequence

from appliance.core.blocking.protection import Protected, Protections, protected_host
from appliance.core.machine import Link, Network
from appliance.core.metering.department import Department, networks_of
from appliance.core.moment import Moment
from appliance.ports import Interfaces, Upstream

REREAD_S = 2.0  # a reading opens four files, and costs as much as all other work of a block


class ProtectedAddresses:
    """Collects what is protected, so that no command goes by what is older than `REREAD_S`."""

    def __init__(
        self,
        protected: Sequence[Protected],
        departments: Sequence[Department],
        interfaces: Interfaces,
        upstream: Upstream,
    ) -> None:
        self._protected = tuple(protected)
        self._departments = tuple(departments)
        self._interfaces = interfaces
        self._upstream = upstream
        self._known: tuple[Protections, float] | None = None
        self._of_callers: dict[str, Protections] = {}  # those that are known, with a caller's address
        self._is_asked = False  # since the last reading
        self._links: Mapping[str, Link] = {}

    def protections(self, now: Moment, caller_address: str | None = None) -> Protections:
        """The protections for a command from this address; `None`: it came from nowhere on the network."""
        common, read_s = self._known or self._read(now)
        if now.monotonic_s - read_s >= REREAD_S:
            common, _ = self._read(now)
        self._is_asked = True
        if not caller_address:
            return common
        if caller_address not in self._of_callers:
            self._of_callers[caller_address] = common.with_caller(caller_address)
        return self._of_callers[caller_address]

    def refresh(self, now: Moment) -> None:
        """Read again while commands come, in a step each second, so that none of them has to wait for it."""
        if self._is_asked:
            self._read(now)
            self._is_asked = False

    def own_networks(self, departments: Sequence[Department], now: Moment) -> Sequence[Network]:
        """The networks of these departments, as far as they are known."""
        self.protections(now)  # which reads the links
        return [network for one in departments for network in networks_of(one, self._links) or ()]

    def _read(self, now: Moment) -> tuple[Protections, float]:
        self._links = links = self._interfaces.links()
        own = [
            protected_host(address.ip, f"it is the appliance's own address on {link.name}")
            for link in links.values()
            for address in link.addresses
        ]
        protected = [*self._protected, *own, *self._upstream.essentials()]
        macs = [link.mac for link in links.values()]
        self._known = Protections(protected, macs, self._upstream.names(), [*self._ranges(links)]), now.monotonic_s
        self._of_callers.clear()
        return self._known

    def _ranges(self, links: Mapping[str, Link]) -> Iterator[Protected]:
        """The departments' own ranges: as configured, or else those of the appliance's addresses at their interface."""
        for one in self._departments:
            rule = f"it contains all of the department {one.id}: {{}}"
            link = links.get(one.interface)
            there = [address.network for address in link.addresses if not address.is_link_local] if link else []
            for network in one.subnets or there:
                yield Protected(network, rule.format(network))
