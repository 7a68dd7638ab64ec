"""Lines: how busy each department's line is, for whoever looks on; nothing here is charged to anybody."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from msgspec import UNSET

from appliance.core.machine import Link
from appliance.core.metering.account import Account
from appliance.core.metering.department import Department, networks_of
from appliance.core.metering.meter import Reading
from appliance.core.metering.unaccounted import Unaccounted
from appliance.core.metering.usage import Passed, count_connections, utilization
from appliance.core.moment import Moment, timestamp
from appliance.events import UsageMetrics, UsageUpdate
from appliance.ports import Flows

FLOWS_S = 10.0  # reading 50,000 tracked connections takes 0.15 s: every second that would be a sixth of a core
FORECAST_S = 300.0  # the rate that a forecast goes by is averaged over minutes; a single download is no trend


@dataclass(slots=True)
class _LineRate:
    """What is known of a department's line between two steps."""

    rate_bytes_s: float = 0.0
    average_bytes_s: float = 0.0
    utilization: float = 0.0
    connections: int = 0


class Utilization:
    """Keeps rates, connections and the balance of each department."""

    def __init__(self, departments: Sequence[Department], flows: Flows) -> None:
        self._departments = departments
        self._flows = flows
        self._lines = {one.id: _LineRate() for one in departments}
        self._interfaces = {one.id: one.interface for one in departments}
        self._balance = Unaccounted(self._interfaces)
        self._readings: Mapping[str, Reading] = {}
        self._looked_s: float | None = None

    def observe(
        self,
        links: Mapping[str, Link],
        readings: Mapping[str, Reading],
        amounts: Mapping[str, Passed],
        elapsed_s: float,
        now: Moment,
    ) -> None:
        """Take in what interfaces and meters show, and what passed in these seconds by department."""
        self._readings = readings
        self._balance.observe(links, readings)
        for one in self._departments:
            _rate(self._lines[one.id], amounts[one.id], elapsed_s, _line_rate_bps(one, links))
        if self._looked_s is None or now.monotonic_s - self._looked_s >= FLOWS_S:
            self._count_connections(links)
            self._looked_s = now.monotonic_s

    def rate_bytes_s(self, department: str) -> float:
        """Bytes per second, in and out, over the last metering period."""
        return self._lines[department].rate_bytes_s

    def utilization(self, department: str) -> float:
        """The share of the line rate that the busier direction used over the last metering period, 0..1."""
        return self._lines[department].utilization

    def unaccounted_percent(self, department: str) -> float:
        """Of what the department's interface carried, what no meter claims."""
        return self._balance.unaccounted_percent(self._interfaces[department])

    def update(self, account: Account, now: Moment) -> UsageUpdate:
        """What there is to tell of an account and its line."""
        department, line = account.department, self._lines[account.department.id]
        reaches = account.forecast(line.average_bytes_s, now.wall)
        unclaimed = self._readings.get(f"unclaimed:{department.interface}")
        return UsageUpdate(
            timestamp=timestamp(now.wall),
            department_id=department.id,
            metrics=UsageMetrics(
                bytes_transferred=account.used_today_bytes(),
                active_connections=line.connections,
                bandwidth_utilization=line.utilization,
                unaccounted_percent=self.unaccounted_percent(department.id),
                unclaimed_bytes=unclaimed.total_bytes if unclaimed else UNSET,
                reaches_limit_at=timestamp(reaches) if reaches else UNSET,
            ),
        )

    def _count_connections(self, links: Mapping[str, Link]) -> None:
        networks = {one.id: networks_of(one, links) for one in self._departments}
        for name, number in count_connections(self._flows.connections(), networks).items():
            self._lines[name].connections = number


def _line_rate_bps(department: Department, links: Mapping[str, Link]) -> int | None:
    link = links.get(department.interface)
    return department.line_rate_bps or (link.speed_bps if link else None)


def _rate(line: _LineRate, amount: Passed, elapsed_s: float, line_rate_bps: int | None) -> None:
    line.rate_bytes_s = amount.total_bytes / elapsed_s if elapsed_s > 0 else 0.0
    weight = 1 - exp(-elapsed_s / FORECAST_S)
    line.average_bytes_s += weight * (line.rate_bytes_s - line.average_bytes_s)
    line.utilization = utilization(amount, elapsed_s, line_rate_bps)
