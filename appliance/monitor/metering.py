"""Metering: interface counters become bytes in ledgers, ledgers raise alerts, and both are told.

The ledger on disk always goes with the counters up to which it is charged. So the disk may lag behind the memory by a
checkpoint and nothing is lost when the service dies: the kernel goes on counting, and the next start charges what came
since the saved mark.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from appliance.core import quota
from appliance.core.department import Department, networks_of
from appliance.core.machine import Link
from appliance.core.moment import Moment, timestamp
from appliance.core.quota import Alert, Crossing, Kind, Ledger
from appliance.core.refusal import Code
from appliance.core.usage import Carried, Mark, carried, count_connections, next_mark, utilization
from appliance.events import QuotaAlert, QuotaBooks, QuotaExceeded, UsageMetrics, UsageUpdate
from appliance.ports import Flows, Interfaces, Publisher, Store

CHECKPOINT_S = 60.0  # a commit a minute writes 18.5 MB a day to the SD card; one a second writes gigabytes


@dataclass(frozen=True, slots=True)
class Books:
    """One quota as a person reads it. `limit_bytes` and `percentage`: `None` where the kind is not limited."""

    kind: Kind
    used_bytes: int
    limit_bytes: int | None
    percentage: float | None
    resets_at: datetime


@dataclass(slots=True)
class _Account:
    """What is known of one department between two steps."""

    department: Department
    ledgers: dict[Kind, Ledger]
    mark: Mark | None
    rate_bytes_s: float = 0.0
    utilization: float = 0.0
    crossings: list[Crossing] = field(default_factory=list)


class Metering:
    """Charges departments with what their interfaces carried."""

    def __init__(
        self,
        departments: Sequence[Department],
        zone: ZoneInfo,
        interfaces: Interfaces,
        flows: Flows,
        store: Store,
        publish: Publisher,
    ) -> None:
        self._zone = zone
        self._interfaces = interfaces
        self._flows = flows
        self._store = store
        self._publish = publish
        marks = store.marks()
        self._accounts = {
            one.id: _Account(one, {ledger.kind: ledger for ledger in store.ledgers(one.id)}, marks.get(one.interface))
            for one in departments
        }
        self._previous_s: float | None = None
        self._saved_s: float | None = None
        self.links: Mapping[str, Link] = {}

    def step(self, now: Moment) -> None:
        """Read the counters, charge, save what must not be lost, and tell."""
        self.links = self._interfaces.links()
        elapsed_s = now.monotonic_s - self._previous_s if self._previous_s is not None else 0.0
        self._previous_s = now.monotonic_s
        today = now.wall.astimezone(self._zone).date()
        for account in self._accounts.values():
            self._charge(account, elapsed_s, today)
        if self._is_due(now):
            self.save(now)
        self._tell_crossings(now)
        self._tell_usage(now)

    def save(self, now: Moment) -> None:
        """Bring the disk up to date, as at a checkpoint."""
        self._store.save_metering(
            {one.department.id: list(one.ledgers.values()) for one in self._accounts.values()},
            {one.department.interface: one.mark for one in self._accounts.values() if one.mark is not None},
        )
        self._saved_s = now.monotonic_s

    def books(self, department: str, now: Moment) -> Sequence[Books]:
        """The department's use in the periods that run now, daily first."""
        account = self._accounts[department]
        limits = account.department.limits.bytes_by_kind
        today = now.wall.astimezone(self._zone).date()
        return [self._books(account, kind, limits.get(kind), today) for kind in Kind]

    def rate_bytes_s(self, department: str) -> float:
        """Bytes per second, in and out, over the last metering period."""
        return self._accounts[department].rate_bytes_s

    def utilization(self, department: str) -> float:
        """The share of the line rate that the busier direction used over the last metering period, 0..1."""
        return self._accounts[department].utilization

    def exceeded(self, department: str) -> tuple[Kind, ...]:
        """The kinds of the department's quotas that are used up."""
        account = self._accounts[department]
        limits = account.department.limits.bytes_by_kind
        return tuple(kind for kind in limits if account.ledgers[kind].used_bytes >= limits[kind])

    def _charge(self, account: _Account, elapsed_s: float, today: date) -> None:
        department = account.department
        link = self.links.get(department.interface)
        passed = carried(account.mark, link)
        account.mark = next_mark(account.mark, link)
        for kind in Kind:
            ledger, crossings = quota.charge(
                account.ledgers.get(kind), kind, passed.total_bytes, department.limits, today, self._zone
            )
            account.ledgers[kind] = ledger
            account.crossings += crossings
        self._rate(account, passed, elapsed_s, link)

    @staticmethod
    def _rate(account: _Account, passed: Carried, elapsed_s: float, link: Link | None) -> None:
        line_rate_bps = account.department.line_rate_bps or (link.speed_bps if link else None)
        account.rate_bytes_s = passed.total_bytes / elapsed_s if elapsed_s > 0 else 0.0
        account.utilization = utilization(passed, elapsed_s, line_rate_bps)

    def _is_due(self, now: Moment) -> bool:
        return (
            self._saved_s is None
            or now.monotonic_s - self._saved_s >= CHECKPOINT_S
            or any(account.crossings for account in self._accounts.values())
        )

    def _tell_crossings(self, now: Moment) -> None:
        for account in self._accounts.values():
            for crossing in account.crossings:
                self._publish(_alert(account.department.id, crossing, now))
                if crossing.alert is Alert.EXCEEDED:
                    self._publish(_exceeded(account.department, crossing, now))
            account.crossings.clear()

    def _tell_usage(self, now: Moment) -> None:
        connections = list(self._flows.connections())
        for account in self._accounts.values():
            networks = networks_of(account.department, self.links)
            self._publish(
                UsageUpdate(
                    timestamp=timestamp(now.wall),
                    department_id=account.department.id,
                    metrics=UsageMetrics(
                        bytes_transferred=account.ledgers[Kind.DAILY].used_bytes,
                        active_connections=count_connections(connections, networks),
                        bandwidth_utilization=account.utilization,
                    ),
                )
            )

    def _books(self, account: _Account, kind: Kind, limit_bytes: int | None, today: date) -> Books:
        ledger = account.ledgers.get(kind) or Ledger(kind, quota.period_start(kind, today))
        return Books(
            kind=kind,
            used_bytes=ledger.used_bytes,
            limit_bytes=limit_bytes,
            percentage=None if limit_bytes is None else quota.percentage(ledger.used_bytes, limit_bytes),
            resets_at=quota.resets_at(kind, ledger.start, self._zone),
        )


def _alert(department: str, crossing: Crossing, now: Moment) -> QuotaAlert:
    return QuotaAlert(
        timestamp=timestamp(now.wall),
        department_id=department,
        type=crossing.alert,
        quota=QuotaBooks(
            type=crossing.kind,
            used=crossing.used_bytes,
            limit=crossing.limit_bytes,
            percentage=crossing.percentage,
            resets_at=timestamp(crossing.resets_at),
        ),
    )


def _exceeded(department: Department, crossing: Crossing, now: Moment) -> QuotaExceeded:
    return QuotaExceeded(
        timestamp=timestamp(now.wall),
        department_id=department.id,
        code=Code.QUOTA_EXCEEDED,
        message=f"{department.name} has used up its {crossing.kind} quota",
        used=crossing.used_bytes,
        limit=crossing.limit_bytes,
        resets_at=timestamp(crossing.resets_at),
    )
