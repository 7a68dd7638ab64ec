"""The departments' meters in the kernel: read at each step, and limited by plans that follow from the accounts.

The kernel holds what remains of a quota that blocks, so it stops a department at its limit, exact to the packet, even
while this program is dead. Plans are put in force at every step; the same plans again change nothing.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from appliance.core.machine import Link, Position, vlan_of
from appliance.core.metering.account import Account
from appliance.core.metering.department import Department, claims_of
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.usage import seconds_since_reading
from appliance.core.moment import Moment
from appliance.core.positions import POSITIONS
from appliance.monitor.metering.hosts import HostMetering
from appliance.ports import Meters

log = logging.getLogger(__name__)


class DepartmentMeters:
    """Reads the departments' meters and puts their plans in force. `readings`: by department, as last read."""

    def __init__(
        self, departments: Sequence[Department], position: Position, meters: Meters, saved_at: datetime | None
    ) -> None:
        """`saved_at`: when the accounts were saved last before this program began; `None`: never."""
        self._departments = departments
        self._facing = POSITIONS[position].facing
        self._checks_sources = position is Position.GATEWAY  # elsewhere the kernel routes nothing of the department
        self._claims = claims_of(departments, self._facing)
        self._meters = meters
        self._saved_at = saved_at
        self._links: Mapping[str, Link] = {}
        self._read_s: float | None = None
        self._refusal: str | None = None
        self.readings: Mapping[str, Reading] = {}

    def read(
        self, links: Mapping[str, Link], accounts: Mapping[str, Account], hosts: HostMetering, now: Moment
    ) -> float:
        """Reads every meter, and makes those that are missing; returns the seconds since they were read before."""
        # With the accounts lost, or none yet, what the meters show may have come at any time since boot.
        elapsed_s = seconds_since_reading(self._read_s, self._saved_at, now, never_saved_s=now.monotonic_s)
        self._links, self._read_s = links, now.monotonic_s
        self.readings = self._meters.read()
        if not self.readings.keys() >= accounts.keys():
            # Not made yet, or flushed by another program: they begin at zero, and what was charged remains.
            self.apply_plans(accounts, hosts)
            self.readings = self._meters.read()
        return elapsed_s

    def apply_plans(self, accounts: Mapping[str, Account], hosts: HostMetering) -> None:
        """Puts the limits in force that follow from the accounts; a refusal of the kernel is logged once."""
        refusal = self._meters.apply([self._plan(one, accounts[one.id], hosts) for one in self._departments])
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses the meters; the former ones stay in force: %s", refusal)
        self._refusal = refusal

    def let_pass(self, for_s: float) -> str | None:
        """Limits nobody for so long; 0: limits again. Returns why the kernel refuses."""
        return self._meters.let_pass(for_s)

    def fault(self, late_s: float, now: Moment) -> str | None:
        """Why departments are not metered, as far as their interfaces exist; `None`: they are.

        `late_s`: after so many seconds without a reading.
        """
        stall = self.stall(late_s, now)
        if stall is not None:
            return stall
        if self._refusal is not None:
            return f"the kernel refuses the meters: {self._refusal}"
        due = [one.id for one in self._departments if one.interface in self._links]
        missing = len(due) - len(self.readings.keys() & due)
        return f"{missing} of {len(due)} departments have no meter in the kernel" if missing else None

    def stall(self, late_s: float, now: Moment) -> str | None:
        """Why the meters count as not read; `None`: they were, less than `late_s` ago."""
        if self._read_s is not None and now.monotonic_s - self._read_s <= late_s:
            return None
        since = "yet" if self._read_s is None else f"for {now.monotonic_s - self._read_s:.0f} s"
        return f"the meters were not read {since}"

    def unread_bytes(self) -> Mapping[str, Mapping[str, int]]:
        """By interface and kind, the bytes of frames whose addresses no rule can read."""
        return self._meters.unread()

    def refused_packets(self) -> int:
        """Packets refused because a quota was used up, of all departments, since the meters were made."""
        return self._meters.refused()

    def spoofed_packets(self) -> int:
        """Packets dropped because of a false source address, of all departments, since the meters were made."""
        return self._meters.spoofed()

    def _plan(self, department: Department, account: Account, hosts: HostMetering) -> Plan:
        return Plan(
            department=department.id,
            interface=department.interface,
            facing=self._facing,
            networks=self._claims[department.id],
            stop_at_bytes=account.stop_at_bytes(self.readings.get(department.id)),
            budget=account.budget,
            throttle_bytes_s=account.throttle_bytes_s(),
            exempt=department.exempt,
            host_limit_bytes=hosts.limit_bytes(department.id),
            host_bytes_s=hosts.throttle_bytes_s(department.id),
            routers=hosts.devices.routers(department.id),
            checks_sources=self._checks_sources,
            near=hosts.devices.near(department.id) if self._checks_sources else (),
            vlan=vlan_of(department.interface, self._links),
        )
