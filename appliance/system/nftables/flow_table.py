"""Keeps the kernel's flow table, which takes established connections through a gateway by a shorter way.

`core.kernel.flow_offload` says what it is, and which packets never take it. A kernel without flow tables
(CONFIG_NF_FLOW_TABLE) routes everything as before; nothing is wrong then, and nobody is told.
"""

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from appliance.core.kernel.flow_offload import FAMILIES, TABLE, flow_table, judges_each_packet, probing, removal
from appliance.system.nftables.libnftables import Nftables, is_own

# The tables of the former iptables that this network namespace has; there only where one is loaded.
FORMER = (Path("/proc/net/ip_tables_names"), Path("/proc/net/ip6_tables_names"))

log = logging.getLogger(__name__)


class FlowTable:
    """The flow table of the network namespace of its packet filter."""

    def __init__(self, nftables: Nftables) -> None:
        self._nftables = nftables
        self._is_able: bool | None = None  # not asked yet
        self._in_force: tuple[Mapping[str, int], Collection[str]] | None = None  # not known yet
        self._refusal: str | None = None

    def keep(self, departments: Collection[str], carriers: Mapping[str, int]) -> None:
        """Have established connections from and to these interfaces take the short way between the carriers.

        `carriers`: the interfaces that it may lead through, by name, with their index; none: there is no short way.
        Nor is there while another program has chains that are to see each packet. Cheap when nothing changed.
        """
        if self._is_able is False:
            return
        chains = [*self._chains()]
        if any(judges_each_packet(one) for one in chains if not is_own(one["table"])) or _has_former_tables():
            carriers = {}
        is_there = any(one["table"] == TABLE["table"] for one in chains)
        is_unchanged = (carriers, departments) == self._in_force if carriers else True
        if (is_unchanged and is_there is bool(carriers)) or (carriers and not self._can_offload()):
            return
        _, refusal = self._nftables.run(flow_table(departments, carriers) if carriers else removal())
        if refusal is not None and refusal != self._refusal:
            log.warning("the kernel refuses the flow table; connections take the long way: %s", refusal)
        self._refusal = refusal
        self._in_force = None if refusal else (carriers, departments)

    def _can_offload(self) -> bool:
        if self._is_able is None:
            _, refusal = self._nftables.run(probing())
            self._is_able = refusal is None
        return self._is_able

    def _chains(self) -> Iterator[Mapping[str, Any]]:
        """The chains that routed packets may pass."""
        for family in FAMILIES:
            listed, _ = self._nftables.run([{"list": {"chains": {"family": family}}}])
            yield from (one["chain"] for one in json.loads(listed or '{"nftables": []}')["nftables"] if "chain" in one)


def _has_former_tables() -> bool:
    for path in FORMER:
        try:
            if {*path.read_text().split()} - {"nat"}:
                return True
        except OSError:
            continue
    return False
