"""How busy each department's line is: for display and forecasts, nothing here is charged."""

from collections.abc import Callable, Mapping, Sequence
from math import exp

from msgspec import UNSET, Struct

from appliance.core.machine import Link, Network
from appliance.core.metering.account import Account
from appliance.core.metering.department import Department, holds, line_rate_of, networks_of
from appliance.core.metering.meter import Reading, unclaimed_meter
from appliance.core.metering.strangers import Strangers
from appliance.core.metering.unaccounted import Unaccounted
from appliance.core.metering.usage import Passed, count_connections, utilization
from appliance.core.moment import Moment, timestamp
from appliance.core.pause import Pause
from appliance.events import UsageMetrics, UsageUpdate
from appliance.monitor.metering.day_directions import DayDirections
from appliance.ports import Flows, HistoryStore

FLOWS_S = 10.0  # reading 50,000 tracked connections takes 0.15 s: every second that would be a sixth of a core
LOOKED_AT_ONCE = 500  # connections: some milliseconds
FORECAST_S = 300.0  # a forecast uses the average rate of minutes; a single download is no trend


class _LineRate(Struct):
    """The figures of a department's line over the last metering period. `average_bytes_s`: over `FORECAST_S`."""

    up_bytes_s: float = 0.0
    down_bytes_s: float = 0.0
    average_bytes_s: float = 0.0
    utilization: float = 0.0
    connections: int = 0

    @property
    def rate_bytes_s(self) -> float:
        """Both directions together."""
        return self.up_bytes_s + self.down_bytes_s


class Utilization:
    """Measures each department's rates, connections and unaccounted share."""

    def __init__(
        self, departments: Sequence[Department], flows: Flows, history_store: HistoryStore | None = None
    ) -> None:
        """`history_store`: what passed earlier in the running day."""
        self._departments = {one.id: one for one in departments}
        self._flows = flows
        self._lines = {one.id: _LineRate() for one in departments}
        self._unaccounted = Unaccounted({one.id: one.interface for one in departments})
        self._strangers = {one.interface: Strangers(one.interface) for one in departments}
        self._directions = DayDirections(history_store)
        self._readings: Mapping[str, Reading] = {}

    def measure(
        self,
        links: Mapping[str, Link],
        readings: Mapping[str, Reading],
        amounts: Mapping[str, Passed],
        elapsed_s: float,
    ) -> None:
        """Updates the figures from interfaces and meters, and the bytes that passed in these seconds by department."""
        self._readings = readings
        self._unaccounted.count(links, readings)
        for one in self._departments.values():
            _measure_rate(self._lines[one.id], amounts[one.id], elapsed_s, line_rate_of(one, links))

    def count_connections(self, links: Mapping[str, Link], pause: Pause) -> None:
        """Counts each department's open connections. `pause`: gives others their turn, each few milliseconds."""
        networks = {one.id: networks_of(one, links) for one in self._departments.values()}
        for name, number in count_connections(self._flows.connections(pause), networks, pause).items():
            self._lines[name].connections = number

    def add_to_day(self, accounts: Mapping[str, Account], amounts: Mapping[str, Passed]) -> None:
        """Adds what passed, by department, to the running day of each account that was charged with it."""
        for name, amount in amounts.items():
            self._directions.add(name, accounts[name], amount)

    def watch_strangers(self, ask_unread: Callable[[], Mapping[str, Mapping[str, int]]], now: Moment) -> None:
        """Notes what no department claims and what no rule can read. `ask_unread`: bytes by interface and kind."""
        due = {name: one for name, one in self._strangers.items() if one.is_due(now.monotonic_s)}
        unread = ask_unread() if due else {}
        for interface, strangers in due.items():
            meter = unclaimed_meter(interface)
            names = {meter, *(one.id for one in self._departments.values() if one.interface == interface)}
            totals = {name: self._readings[name].total_bytes for name in names if name in self._readings}
            strangers.note(sum(totals.values()), totals.get(meter, 0), unread.get(interface, {}), now.monotonic_s)

    def strangers(self, department: str) -> Sequence[str]:
        """Sentences about traffic at the department's interface that belongs to nobody or cannot be read."""
        return self._strangers[self._departments[department].interface].sentences()

    def rate_bytes_s(self, department: str) -> float:
        """Bytes per second, in and out, over the last metering period."""
        return self._lines[department].rate_bytes_s

    def average_bytes_s(self, department: str) -> float:
        """Bytes per second, in and out, over the last minutes, by which forecasts go."""
        return self._lines[department].average_bytes_s

    def utilization(self, department: str) -> float:
        """The share of the line rate that the busier direction used over the last metering period, 0..1."""
        return self._lines[department].utilization

    def open_connections(
        self, targets: Sequence[Network], networks: Sequence[tuple[Network, ...] | None], pause: Pause
    ) -> int | None:
        """The open connections with an end in the targets, and one in any of these networks (`None`: everywhere).

        `None`: the kernel tracks no connections. Takes tenths of a second for 50,000, with pauses.
        """
        found = self._flows.connections(pause)
        concerned = 0
        for at, (ends, number) in enumerate(found.items(), 1):
            if at % LOOKED_AT_ONCE == 0:
                pause()
            if any(holds(targets, end) for end in ends) and any(holds(one, end) for one in networks for end in ends):
                concerned += number
        return concerned if found else None

    def unaccounted_percent(self, department: str) -> float:
        """The share of what the department's interface carried that no meter counted."""
        return self._unaccounted.unaccounted_percent(self._departments[department].interface)

    def usage_update(self, department: str, account: Account, now: Moment) -> UsageUpdate:
        """The event with the use and the line of a department."""
        line = self._lines[department]
        reaches = account.forecast(line.average_bytes_s, now.wall)
        today = self._directions.passed(department, account)
        unclaimed = self._readings.get(unclaimed_meter(self._departments[department].interface))
        return UsageUpdate(
            timestamp=timestamp(now.wall),
            department_id=department,
            metrics=UsageMetrics(
                bytes_transferred=account.daily.used_bytes,
                active_connections=line.connections,
                bandwidth_utilization=line.utilization,
                unaccounted_percent=self.unaccounted_percent(department),
                unclaimed_bytes=unclaimed.total_bytes if unclaimed else UNSET,
                reaches_limit_at=timestamp(reaches) if reaches else UNSET,
                rate_up=round(line.up_bytes_s),
                rate_down=round(line.down_bytes_s),
                bytes_up=today.up_bytes if today else UNSET,
                bytes_down=today.down_bytes if today else UNSET,
                limits_paused=account.is_paused or UNSET,
            ),
        )


def _measure_rate(line: _LineRate, amount: Passed, elapsed_s: float, line_rate_bps: int | None) -> None:
    line.up_bytes_s = amount.up_bytes / elapsed_s if elapsed_s > 0 else 0.0
    line.down_bytes_s = amount.down_bytes / elapsed_s if elapsed_s > 0 else 0.0
    weight = 1 - exp(-elapsed_s / FORECAST_S)
    line.average_bytes_s += weight * (line.rate_bytes_s - line.average_bytes_s)
    line.utilization = utilization(amount, elapsed_s, line_rate_bps)
