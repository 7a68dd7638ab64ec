"""Checks, without the service, whether this computer lets the departments of a configuration work."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct

from appliance.config import Config
from appliance.core.machine import Position
from appliance.core.operations.foreign_rules import Listing
from appliance.core.operations.setup import Effect, SetupFault, setup_faults


class SetupReport(Struct, frozen=True):
    """`faults`: by department. `unchecked`: a sentence for what was not looked at, and why."""

    faults: Sequence[tuple[str, SetupFault]] = ()
    unchecked: Sequence[str] = ()

    @property
    def stops(self) -> list[str]:
        """A sentence for each fault that stops a department."""
        return [text for effect, text in self._sentences() if effect is Effect.STOPS]

    @property
    def hints(self) -> list[str]:
        """A sentence for each other one."""
        return [text for effect, text in self._sentences() if effect is not Effect.STOPS]

    def _sentences(self) -> Iterator[tuple[Effect, str]]:
        for department, fault in self.faults:
            yield fault.effect, f"{department}: {fault.text}; {fault.advice}"


def check_setup(config: Config) -> SetupReport:
    """Look at the interfaces, the kernel's forwarding and other firewalls, as far as there are any to look at."""
    if sys.platform != "linux":
        return SetupReport(unchecked=["the network was not checked: this is not Linux; run this on the appliance"])
    from appliance.monitor.operations.setup_monitor import SetupMonitor
    from appliance.system.device.clock import boot_id
    from appliance.system.network.forwarding_settings import KernelForwarding
    from appliance.system.network.interfaces import RtnetlinkInterfaces
    from appliance.system.network.upstream import LinuxUpstream

    with closing(RtnetlinkInterfaces(boot_id())) as interfaces:
        links = interfaces.links()
    named = dict.fromkeys(one.interface for one in config.departments)
    if not links.keys() & named.keys():
        there = f"there is no {', '.join(named)} here, only {', '.join(sorted(links))}"
        return SetupReport(unchecked=[f"the network was not checked: {there}; run this on the appliance"])
    list_foreign_rules, unchecked = _foreign_rules(config.position)
    forwarding = KernelForwarding(list_foreign_rules)
    around = SetupMonitor(config.position, forwarding=forwarding, upstream=LinuxUpstream()).read(links)
    faults = [
        (department.id, fault)
        for department in config.as_departments()
        for fault in setup_faults(config.position, department, links, around)
    ]
    return SetupReport(faults, unchecked)


def _foreign_rules(position: Position) -> tuple[Callable[[], Listing], Sequence[str]]:
    from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables

    if position not in {Position.BRIDGE, Position.GATEWAY}:
        return tuple, []  # nothing is forwarded there
    if os.geteuid() != 0:
        return tuple, ["other firewalls were not checked: that takes root"]
    try:
        return Nftables().foreign_rules, []
    except FirewallUnavailable as error:
        return tuple, [f"other firewalls were not checked: {error}"]
