"""Metering of departments: bytes in the kernel's meters become bytes in accounts, alerts, and limits in the kernel.

    each step       read the meters -> charge the accounts -> save if due -> put limits in force -> publish
    each minute     save every account's mark and ledgers together, in one transaction: a checkpoint
    at once         save when a threshold is crossed, a period ends, a meter is gone, or a person orders something

What each side knows, and what survives:

    kernel          meters (absolute counts) and limits         survive a crash of this program, not a reboot
    disk            marks, ledgers, limits set by hand          survive both; up to a minute behind
    this program    the same accounts, exact to the last step

The disk's ledgers always belong to the disk's marks. So a crash loses nothing: the kernel goes on counting, and the
next start charges what came since the saved mark. A power cut loses the bytes since the last checkpoint. The terms
mark, ledger, crossing and limit are explained in `core.metering.account`.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

from appliance.core.machine import Link, Network, Position
from appliance.core.metering.account import Account, AccountKey, Books, ClosedPeriod
from appliance.core.metering.department import Department, holds, networks_of
from appliance.core.metering.history_series import Series
from appliance.core.metering.quota import Crossing, Extension, Limits, QuotaKind, override
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.core.pause import Pause, no_pause
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.department_meters import DepartmentMeters
from appliance.monitor.metering.device_directory import DeviceDirectory
from appliance.monitor.metering.hosts import Host, HostMetering
from appliance.monitor.metering.quota_events import crossing_events
from appliance.monitor.metering.saved_books import SavedBooks
from appliance.monitor.metering.utilization import Utilization
from appliance.ports import Flows, HistoryStore, Interfaces, Meters, Publisher, Store

log = logging.getLogger(__name__)

# A commit a minute writes 10 MB of pages a day to the SD card, and 30 MB of ext4 and of the log's index beside them.
# One a second writes 60 times that.
CHECKPOINT_S = 60.0
UNSAVED = "the books cannot be saved and are kept in memory; is the disk full?"


class PassedBytes(NamedTuple):
    """What passed in one step, for history. `hosts`: empty but for steps that looked at the hosts' meters."""

    departments: Mapping[str, Passed]
    hosts: Mapping[Series, Passed]


class CutOff(Struct, frozen=True):
    """A department that is cut off, or one `host` of it, and the quotas that are used up."""

    department: Department
    books: Sequence[Books]
    host: str | None = None

    @property
    def limits(self) -> Limits:
        """The limits that cut it off, as configured."""
        return self.department.limits if self.host is None else self.department.host_limits

    @property
    def last(self) -> Books:
        """The quota that resets last: until then it is cut off."""
        return max(self.books, key=lambda one: one.resets_at)


class Metering:
    """Charges departments with what the kernel's meters show, and has the kernel limit them by their quotas.

    `history_store`: shows what was used before where the configuration has changed when periods begin.
    """

    def __init__(
        self,
        departments: Sequence[Department],
        *,
        position: Position,
        zone: ZoneInfo,
        interfaces: Interfaces,
        flows: Flows,
        meters: Meters,
        devices: DeviceDirectory,
        store: Store,
        publish: Publisher,
        history_store: HistoryStore | None = None,
    ) -> None:
        self._interfaces, self._store, self._publish, self.devices = interfaces, store, publish, devices
        self._departments = {one.id: one for one in departments}
        self._accounts = _saved_accounts(departments, books := SavedBooks(store, history_store, zone))
        self.meters = DepartmentMeters(departments, position, meters, store.saved_at())
        self.hosts = HostMetering(departments, meters=meters, devices=devices, books=books, publish=publish)
        self.lines = Utilization(departments, flows, history_store)
        self.links: Mapping[str, Link] = {}
        self.is_saved = True
        self._saved_s: float | None = None
        self._paused: tuple[frozenset[str], frozenset[Host]] = (frozenset(), frozenset())
        self._is_open = False

    def step(self, now: Moment) -> PassedBytes:
        """Reads the meters, charges, saves what must not be lost, puts limits in force, and publishes."""
        self.links = self._interfaces.links()
        self.devices.look(self.links, now)
        elapsed_s = self.meters.read(self.links, self._accounts, self.hosts, now)
        readings = self.meters.readings
        is_new = any(one.is_other_meter(readings.get(name)) for name, one in self._accounts.items())
        amounts, crossings = self._charge(elapsed_s, now)
        self.lines.add_to_day(self._accounts, amounts)
        self.lines.measure(self.links, readings, amounts, elapsed_s)
        self.lines.watch_strangers(self.meters.unread_bytes, now)
        hosts = self.hosts.step(readings, now)
        if crossings or is_new or now.is_due(self._saved_s, CHECKPOINT_S):
            self.save(now)
        self.meters.apply_plans(self._accounts, self.hosts)
        for name, crossing in crossings:
            self._publish_crossing(name, crossing, now)
        for name, account in self._accounts.items():
            self._publish(self.lines.usage_update(name, account, now))
        return PassedBytes(amounts, hosts)

    def save(self, now: Moment, *, everything: bool = False) -> None:
        """Saves all accounts, as at a checkpoint; where the disk takes nothing, the next checkpoint tries again.

        `everything`: all hosts too, whose checkpoint may not be due.
        """
        hosts = self.hosts.unsaved(now, everything=everything)
        accounts = {AccountKey(name): account for name, account in self._accounts.items()}
        self.is_saved = self._store.save_metering(
            {key: account.unsaved for key, account in accounts.items()} | hosts.ledgers,
            {key: account.mark for key, account in accounts.items() if account.mark is not None} | hosts.marks,
            now.wall,
            forgotten=hosts.forgotten,
        )
        self._saved_s = now.monotonic_s
        if self.is_saved:
            self.hosts.confirm_saved(hosts)
            for account in accounts.values():
                account.confirm_saved()

    @property
    def ids(self) -> Sequence[str]:
        """The departments' ids, as they are configured."""
        return list(self._departments)

    def count_connections(self, pause: Pause) -> None:
        """Counts each department's open connections, for display. `pause`: gives others their turn."""
        self.lines.count_connections(self.links, pause)

    def open_connections(
        self, targets: Sequence[Network], departments: Collection[str], pause: Pause = no_pause
    ) -> int | None:
        """The connections of these departments that have an end in these networks; `None`: the kernel tracks none."""
        networks = [networks_of(self._departments[one], self.links) for one in departments]
        return self.lines.open_connections(targets, networks, pause)

    def books(self, department: str, now: Moment) -> Sequence[Books]:
        """The department's use in the running periods, daily first."""
        return self._accounts[department].books(now, self.lines.average_bytes_s(department))

    def closed_periods(self, department: str, kind: QuotaKind, most: int, now: Moment) -> Sequence[ClosedPeriod]:
        """The department's periods that have ended, at most so many, newest first."""
        account = self._accounts[department]
        running = account.running_start(kind, now)
        return account.closed_periods(self._store.closed_ledgers(AccountKey(department), kind, running, most), running)

    def set_limit(self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment) -> None:
        """Limits this kind from now on, over the configured limit, or not at all (`None`).

        Raises `Refused` where the disk does not take it. Only where the medium fails at the very end, the limit is in
        force all the same.
        """
        self._store.save_limit(AccountKey(department), kind, limit_bytes)
        self._accounts[department].set_limit(kind, limit_bytes)
        log.info("%s limits %s, %s, to %s bytes", actor, department, kind, limit_bytes)
        self._apply_limits(department, now)
        self._store.sync()

    def limits_by_hand(self) -> frozenset[tuple[str, QuotaKind, bool]]:
        """The limits that people set over the configured ones: department, kind, and whether it is each host's."""
        saved = self._store.limits()
        return frozenset((key.department, kind, key.host is not None) for key, kinds in saved.items() for kind in kinds)

    def extend(self, department: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment) -> None:
        """Grants more bytes until the running period ends, or takes some back, below 0.

        Raises `Refused` where this kind is not limited, or the disk does not take it; otherwise as `set_limit`.
        """
        account = self._accounts[department]
        if kind not in account.limits.bytes_by_kind:
            raise Refused(
                Code.BAD_REQUEST, f"type: the {kind} use of {department} is not limited; there is nothing to extend"
            )
        former = account.grant(kind, Extension(more_bytes, actor, now.wall, reason))
        self._save_grant(partial(account.take_back, former), now)
        log.info("%s extends the %s quota of %s by %d bytes: %s", actor, kind, department, more_bytes, reason)
        self._apply_limits(department, now)
        self._store.sync()

    def set_host_limit(
        self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment
    ) -> None:
        """Limits this kind for each host by itself from now on, or not at all (`None`).

        Raises `Refused` as `set_limit`.
        """
        self.hosts.set_limit(department, kind, limit_bytes)
        log.info("%s limits each host of %s, %s, to %s bytes", actor, department, kind, limit_bytes)
        self.meters.apply_plans(self._accounts, self.hosts)
        self.hosts.look(now)
        self._store.sync()

    def extend_host(
        self, department: str, host: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment
    ) -> None:
        """Grants one host more bytes until the running period ends, or takes some back, below 0.

        Raises `Refused` where it has no such quota, or the disk does not take it; otherwise as `set_limit`.
        """
        self._save_grant(self.hosts.grant(department, host, kind, Extension(more_bytes, actor, now.wall, reason)), now)
        log.info(
            "%s extends the %s quota of %s in %s by %d bytes: %s", actor, kind, host, department, more_bytes, reason
        )
        self.hosts.look(now)
        self._store.sync()

    def pause_limits(self, paused: Collection[tuple[str, str | None]], now: Moment) -> None:
        """Has these quotas count and limit nobody, and all others limit; in force when it returns, if it is a change.

        `paused`: departments, with all of their hosts (`None`), or with one host by its MAC address or an address.
        """
        whole = frozenset(department for department, host in paused if host is None)
        hosts = ((department, host) for department, host in paused if host is not None and department in self._accounts)
        found = frozenset((department, self.devices.find(department, host)) for department, host in hosts)
        if (whole, found) == self._paused:
            return
        self._paused = whole, found
        for name, account in self._accounts.items():
            account.is_paused = name in whole
        self.hosts.pause_limits(whole, found)
        self.meters.apply_plans(self._accounts, self.hosts)
        self.hosts.look(now)
        log.info("quotas that pause: of the departments %s, of the hosts %s", sorted(whole), sorted(found))

    def let_pass(self, for_s: float) -> str | None:
        """Has the kernel count on and limit nobody for so long, or limit again (0); returns why it does not."""
        refusal = self.meters.let_pass(for_s)
        if refusal is None:
            self._is_open = for_s > 0
        return refusal

    def is_paused(self, department: str) -> bool:
        """Whether the department's quotas count, and limit nobody for now."""
        return self._accounts[department].is_paused

    @property
    def is_filed(self) -> bool:
        """Whether the disk takes the books; while they are held in maintenance, too."""
        return self.is_saved or self._store.is_held

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence where the books cannot be saved, and where the kernel has no room for hosts."""
        return [*([] if self.is_filed else [UNSAVED]), *self.hosts.troubles(now)]

    def fault(self, late_s: float, now: Moment) -> str | None:
        """Why departments are not metered now; `None`: they are. `late_s`: without a reading, too long."""
        return self.meters.fault(late_s, now)

    def exceeded_kinds(self, department: str) -> tuple[QuotaKind, ...]:
        """The kinds of the department's quotas that are used up."""
        return self._accounts[department].exceeded_kinds()

    def find_cut_off(self, address: str, now: Moment) -> CutOff | None:
        """The department or host at this address that its used-up quotas have cut off; `None`: it is not cut off."""
        for name, account in {} if self._is_open else self._accounts.items():
            department = self._departments[name]
            books = account.cut_off_by(now)
            if books and holds(networks_of(department, self.links), address):
                return CutOff(department, books)
            if books := self.hosts.cut_off_by(name, address, now):
                return CutOff(department, books, address)
        return None

    def _save_grant(self, take_back: Callable[[], None], now: Moment) -> None:
        self.save(now, everything=True)
        if not self.is_saved:
            take_back()
            raise Refused(Code.MAINTENANCE, "the disk takes no changes: nothing was granted; make room and try again")

    def _charge(self, elapsed_s: float, now: Moment) -> tuple[Mapping[str, Passed], Sequence[tuple[str, Crossing]]]:
        amounts: dict[str, Passed] = {}
        crossings: list[tuple[str, Crossing]] = []
        for name, account in self._accounts.items():
            amounts[name], crossed = account.charge_reading(self.meters.readings.get(name), elapsed_s, now)
            crossings += [(name, one) for one in crossed]
        return amounts, crossings

    def _apply_limits(self, department: str, now: Moment) -> None:
        """Puts changed limits in force; it reads no meter, so that rates stay those of whole metering periods."""
        account = self._accounts[department]
        crossings = account.check_limits(now)
        if crossings:
            self.save(now)
        self.meters.apply_plans(self._accounts, self.hosts)
        for crossing in crossings:
            self._publish_crossing(department, crossing, now)
        self._publish(self.lines.usage_update(department, account, now))

    def _publish_crossing(self, department: str, crossing: Crossing, now: Moment) -> None:
        for event in crossing_events(self._departments[department], crossing, now):
            self._publish(event)


def _saved_accounts(departments: Sequence[Department], books: SavedBooks) -> Mapping[str, Account]:
    """By department, its account as the disk has it, or an empty one."""
    marks, by_hand = books.store.marks(), books.store.limits()
    keys = {one.id: AccountKey(one.id) for one in departments}
    return {
        one.id: books.account(
            keys[one.id], override(one.limits, by_hand.get(keys[one.id], {})), marks.get(keys[one.id])
        )
        for one in departments
    }
