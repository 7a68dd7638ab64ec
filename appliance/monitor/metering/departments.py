"""Metering: the kernel's meters become bytes in accounts, accounts raise alerts and set the kernel's limits.

The books on disk always go with the meters up to which they are charged. So the disk may lag behind the memory by a
checkpoint and nothing is lost when the service dies: the kernel goes on counting, and the next start charges what came
since the saved mark. The kernel also holds what remains of a quota that blocks, so that it stops a department at its
limit while nobody is there to tell it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from appliance.core.machine import Link, Position
from appliance.core.metering.account import Account, Books
from appliance.core.metering.department import Department, holds, networks_of
from appliance.core.metering.meter import Plan, Reading
from appliance.core.metering.quota import Action, AlertKind, Crossing, QuotaKind
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.core.moment import Moment
from appliance.core.positions import POSITIONS
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.hosts import HostBooks, HostMetering
from appliance.monitor.metering.quota_events import quota_alert, quota_exceeded
from appliance.monitor.metering.utilization import Utilization
from appliance.ports import Flows, Interfaces, Meters, Publisher, Store

log = logging.getLogger(__name__)

CHECKPOINT_S = 60.0  # a commit a minute writes 10 MB a day to the SD card; one a second writes 60 times that


UNSAVED = "the books cannot be saved and are kept in memory; is the disk full?"


@dataclass(frozen=True, slots=True)
class CutOff:
    """A department that is cut off, by its name, or one `host` of it, and the quotas that are used up."""

    department: str
    books: Sequence[Books]
    host: str | None = None


class Metering:
    """Charges departments with what the kernel's meters show, and has the kernel hold them to their quotas."""

    def __init__(
        self,
        departments: Sequence[Department],
        position: Position,
        zone: ZoneInfo,
        interfaces: Interfaces,
        flows: Flows,
        meters: Meters,
        store: Store,
        publish: Publisher,
    ) -> None:
        self._facing = POSITIONS[position].facing
        self._zone = zone
        self._interfaces = interfaces
        self._meters = meters
        self._store = store
        self._publish = publish
        marks, limits = store.marks(), store.limits()
        self._accounts = {
            one.id: Account(one, zone, store.ledgers(one.id), marks.get(one.id), limits.get(one.id, {}))
            for one in departments
        }
        self.lines = Utilization(departments, flows)
        self._readings: Mapping[str, Reading] = {}
        self._previous_s: float | None = None
        self._saved_s: float | None = None
        self._refusal: str | None = None
        self.is_saved = True
        self.links: Mapping[str, Link] = {}
        self._untold: dict[str, Passed] = {}
        self.hosts = HostMetering(departments, zone, meters, store, publish)

    def step(self, now: Moment) -> None:
        """Read the meters, charge, save what must not be lost, hold, and tell."""
        self.links = self._interfaces.links()
        self._read_meters()
        is_new = any(one.is_other_meter(self._readings.get(name)) for name, one in self._accounts.items())
        crossings = self._charge(now)
        self.hosts.step(self._readings, now)
        if crossings or is_new or self._is_due(now):
            self.save(now)
        self._hold()
        for department, crossing in crossings:
            self._tell_crossing(department, crossing, now)
        for account in self._accounts.values():
            self._publish(self.lines.update(account, now))

    def save(self, now: Moment, *, synced: bool = False) -> None:
        """Bring the disk up to date, as at a checkpoint; where it cannot, the next checkpoint tries again.

        `synced`: to the medium before it returns, for what a person ordered.
        """
        accounts, hosts = self._accounts, self.hosts.unsaved(now, all_of_it=synced)
        self.is_saved = self._store.save_metering(
            {name: account.unsaved for name, account in accounts.items()} | hosts.ledgers,
            {name: account.mark for name, account in accounts.items() if account.mark is not None} | hosts.marks,
            now.wall,
            forgotten=hosts.gone,
            synced=synced,
        )
        self._saved_s = now.monotonic_s
        if self.is_saved:
            self.hosts.saved(hosts)
            for account in accounts.values():
                account.saved()

    def books(self, department: str, now: Moment) -> Sequence[Books]:
        """The department's use in the periods that run now, daily first."""
        return self._accounts[department].books(now.wall.astimezone(self._zone).date())

    def set_limit(self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment) -> None:
        """Limit this kind from now on, over what is configured, or not at all (`None`).

        Raises `Refused` where the disk does not take it.
        """
        account = self._accounts[department]
        self._store.save_limit(department, kind, limit_bytes)
        account.set_limit(kind, limit_bytes)
        log.info("%s limits %s, %s, to %s bytes", actor, department, kind, limit_bytes)
        self._obey(account, now)

    def extend(self, department: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment) -> None:
        """Grant more bytes until the running period ends.

        Raises `Refused` where this kind is not limited, or the disk does not take it.
        """
        account = self._accounts[department]
        if kind not in account.limits.bytes_by_kind:
            raise Refused(
                Code.BAD_REQUEST, f"type: the {kind} use of {department} is not limited; there is nothing to extend"
            )
        account.grant(kind, more_bytes)
        self._save_grant(lambda: account.grant(kind, -more_bytes), now)
        log.info("%s grants %s %d bytes more, %s: %s", actor, department, more_bytes, kind, reason)
        self._obey(account, now)

    def set_host_limit(
        self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment
    ) -> None:
        """Limit this kind for each host by itself from now on, or not at all (`None`).

        Raises `Refused` where the disk does not take it.
        """
        self.hosts.set_limit(department, kind, limit_bytes)
        log.info("%s limits each host of %s, %s, to %s bytes", actor, department, kind, limit_bytes)
        self._hold()
        self.hosts.step(self._readings, now)

    def extend_host(
        self, department: str, host: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment
    ) -> None:
        """Grant one host more bytes until the running period ends.

        Raises `Refused` where it has no such quota, or the disk does not take it.
        """
        self.hosts.grant(department, host, kind, more_bytes)
        self._save_grant(lambda: self.hosts.grant(department, host, kind, -more_bytes), now)
        log.info("%s grants %s of %s %d bytes more, %s: %s", actor, host, department, more_bytes, kind, reason)
        self.hosts.step(self._readings, now)

    def host_books(self, department: str, now: Moment) -> Sequence[HostBooks]:
        """The books of the department's hosts that have quotas, those nearest to a limit first."""
        return self.hosts.books(department, now)

    def take_passed(self) -> Mapping[str, Passed]:
        """By department, what has passed since the previous call."""
        untold, self._untold = self._untold, {}
        return untold

    def reading(self, department: str) -> Reading | None:
        """What the department's meter showed last; `None`: it is not there."""
        return self._readings.get(department)

    def refused(self) -> int:
        """Packets that were turned away because a quota was used up, of all departments, since the meters were made."""
        return self._meters.refused()

    def troubles(self, _: Moment) -> Sequence[str]:
        """A sentence where the books cannot be saved."""
        return [] if self.is_saved else [UNSAVED]

    def exceeded(self, department: str) -> tuple[QuotaKind, ...]:
        """The kinds of the department's quotas that are used up."""
        return self._accounts[department].exceeded()

    def cut_off(self, address: str, now: Moment) -> CutOff | None:
        """Who at this address is cut off, and by which quotas; `None`: nobody."""
        for name, account in self._accounts.items():
            kinds = account.exceeded() if account.limits.on_exceeded is Action.BLOCK else ()
            if kinds and holds(networks_of(account.department, self.links), address):
                return CutOff(account.department.name, [one for one in self.books(name, now) if one.kind in kinds])
            if books := self.hosts.cut_off(name, address, now):
                return CutOff(account.department.name, books, address)
        return None

    def _save_grant(self, take_back: Callable[[], None], now: Moment) -> None:
        self.save(now, synced=True)
        if not self.is_saved:
            take_back()
            raise Refused(Code.MAINTENANCE, "the disk takes no changes: nothing was granted; make room and try again")

    def _read_meters(self) -> None:
        self._readings = self._meters.read()
        if not self._readings.keys() >= self._accounts.keys():
            # They are not there yet, or another program has flushed them: they begin anew, and what was saved stands.
            self._apply([self._plan(account) for account in self._accounts.values()])
            self._readings = self._meters.read()

    def _charge(self, now: Moment) -> list[tuple[Department, Crossing]]:
        elapsed_s = self._elapsed_s(now)
        self._previous_s = now.monotonic_s
        found: list[tuple[Department, Crossing]] = []
        amounts: dict[str, Passed] = {}
        for name, account in self._accounts.items():
            amounts[name], crossings = account.read(self._readings.get(name), elapsed_s, now)
            found += [(account.department, crossing) for crossing in crossings]
            self._untold[name] = plus(self._untold.get(name, NOTHING), amounts[name])
        self.lines.observe(self.links, self._readings, amounts, elapsed_s, now)
        return found

    def _elapsed_s(self, now: Moment) -> float:
        """Since the meters were read last, be it before this program began: what came since may belong to yesterday."""
        if self._previous_s is not None:
            return now.monotonic_s - self._previous_s
        saved_at = self._store.saved_at()
        if saved_at is None:  # the books are lost, or there were none: what the meters show came at any time since boot
            return now.monotonic_s
        # A computer that was off meanwhile counted nothing: the monotonic clock and the meters begin at boot.
        return max(0.0, min((now.wall - saved_at).total_seconds(), now.monotonic_s))

    def _obey(self, account: Account, now: Moment) -> None:
        """Hold and tell what follows from other limits; no meter is read, so that rates stay those of whole periods."""
        crossings = account.judge(now)
        if crossings:
            self.save(now)
        self._hold()
        for crossing in crossings:
            self._tell_crossing(account.department, crossing, now)
        self._publish(self.lines.update(account, now))

    def _hold(self) -> None:
        self._apply([self._plan(account) for account in self._accounts.values()])

    def _apply(self, plans: Sequence[Plan]) -> None:
        refusal = self._meters.apply(plans)
        if refusal is not None and refusal != self._refusal:
            log.error("the kernel refuses the meters, the former ones go on: %s", refusal)
        self._refusal = refusal

    def _plan(self, account: Account) -> Plan:
        department = account.department
        return Plan(
            department=department.id,
            interface=department.interface,
            facing=self._facing,
            networks=department.subnets,
            stop_at_bytes=account.stop_at_bytes(self._readings.get(department.id)),
            throttle_bytes_s=account.throttle_bytes_s(),
            exempt=department.exempt,
            host_limit_bytes=self.hosts.limit_bytes(department.id),
            host_bytes_s=self.hosts.throttle_bytes_s(department.id),
        )

    def _is_due(self, now: Moment) -> bool:
        return self._saved_s is None or now.monotonic_s - self._saved_s >= CHECKPOINT_S

    def _tell_crossing(self, department: Department, crossing: Crossing, now: Moment) -> None:
        self._publish(quota_alert(department.id, crossing, now))
        if crossing.alert is AlertKind.EXCEEDED:
            self._publish(quota_exceeded(department, crossing, now))
