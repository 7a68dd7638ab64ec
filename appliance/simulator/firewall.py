"""The simulated packet filter, with the kernel's rules: whole transactions, disjoint prefixes, elements that end.

The same contract test runs over it and over the real one. A transaction with overlapping prefixes is refused whole, and
so is one with an interface that does not exist, as older kernels do (a new one takes the chain and waits); a timeout
has whole seconds, rounded up; a target whose time is over is gone.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import ip_network
from itertools import combinations

from appliance.core.blocks import is_address, overlap
from appliance.core.machine import Order
from appliance.simulator.frames import Address

SHORTEST_TIMEOUT_S = 1


class SimulatedFirewall:
    """`ports.Firewall` of the simulated machine; `elapsed` tells the seconds since its start."""

    def __init__(self, interfaces: Collection[str], elapsed: Callable[[], float]) -> None:
        self._interfaces = frozenset(interfaces)
        self._elapsed = elapsed
        self._ends_s: dict[str, dict[str, float]] | None = None  # by interface and target

    def sync(self, orders: Mapping[str, Sequence[Order]]) -> str | None:
        """Put exactly these orders in force, or say why not and change nothing."""
        refusal = next(filter(None, (self._refusal(name, wanted) for name, wanted in orders.items())), None)
        if refusal is None:
            now_s = self._elapsed()
            self._ends_s = {
                name: {order.target: _end_s(order, now_s) for order in wanted} for name, wanted in orders.items()
            }
        return refusal

    def enforced(self) -> Mapping[str, frozenset[str]] | None:
        """By interface, the targets in force; `None` before the first transaction."""
        if self._ends_s is None:
            return None
        now_s = self._elapsed()
        return {
            name: frozenset(target for target, end_s in ends_s.items() if end_s > now_s)
            for name, ends_s in self._ends_s.items()
        }

    def stops(self, interface: str, address: Address, at_s: float) -> bool:
        """Whether nothing from or to the address passes the interface at this second."""
        ends_s = (self._ends_s or {}).get(interface, {})
        return any(
            end_s > at_s and network.version == address.version and address in network
            for target, end_s in ends_s.items()
            if (network := ip_network(target))
        )

    def _refusal(self, interface: str, orders: Sequence[Order]) -> str | None:
        if interface not in self._interfaces:
            return f"Could not process rule: No such device {interface}"
        prefixes = [ip_network(order.target) for order in orders if not is_address(order.target)]
        if any(overlap(one, other) for one, other in combinations(prefixes, 2)):
            return "Could not process rule: conflicting intervals specified"
        return None


def _end_s(order: Order, now_s: float) -> float:
    if order.remaining_s is None:
        return math.inf
    return now_s + max(SHORTEST_TIMEOUT_S, math.ceil(order.remaining_s))
