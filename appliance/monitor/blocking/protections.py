"""Safeguard: what must not be blocked, as the configuration says and as the network around the appliance is now."""

from collections.abc import Callable, Mapping, Sequence

from appliance.core.blocking.protection import Protected, Protections, protected_host
from appliance.core.machine import Link
from appliance.core.moment import Moment
from appliance.ports import Upstream

LOOKED_S = 1.0  # so often it is looked: it takes reading four files, as long as all else of a block does


class ProtectedAddresses:
    """Knows what is protected."""

    def __init__(
        self, protected: Sequence[Protected], links: Callable[[], Mapping[str, Link]], upstream: Upstream
    ) -> None:
        """`links`: the interfaces that exist now."""
        self._protected = tuple(protected)
        self._links = links
        self._upstream = upstream
        self._known: tuple[Protections, float] | None = None

    def protections(self, now: Moment, caller_address: str | None = None) -> Protections:
        """What is protected from who calls from this address; `None`: from nowhere on the network."""
        if self._known is None or now.monotonic_s - self._known[1] >= LOOKED_S:
            self._known = self._look(), now.monotonic_s
        everybodys = self._known[0]
        return everybodys.with_caller(caller_address) if caller_address else everybodys

    def _look(self) -> Protections:
        links = self._links().values()
        own = [
            protected_host(address.ip, f"it is the appliance's own address on {link.name}")
            for link in links
            for address in link.addresses
        ]
        essentials = self._upstream.essentials()
        return Protections([*self._protected, *own, *essentials], [link.mac for link in links], self._upstream.names())
