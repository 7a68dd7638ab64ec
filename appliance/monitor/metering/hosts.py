"""Metering of hosts: what passed for each, and the quotas of hosts in departments that have such quotas.

A host is a device, and its account has the device's MAC address; behind a router, its IP address. The account is like a
department's, charged with the host's own meter. `NEWCOMERS` have an account together: that of the allowance that hosts
share for which the kernel has no room, told as a trouble while it is used. Hosts are read and saved less often, because
there are thousands: a crash loses nothing all the same, because the kernel goes on counting, and a power cut takes at
most a host's last hour, which its department's account still has.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from heapq import nlargest, nsmallest
from typing import NamedTuple

from msgspec import Struct, field
from msgspec.structs import replace

from appliance.core.metering.account import EACH_HOST, Account, AccountKey, Books
from appliance.core.metering.department import Department
from appliance.core.metering.devices import joined
from appliance.core.metering.history_series import Series
from appliance.core.metering.host_room import COMFORTABLE, MOST_HOSTS
from appliance.core.metering.meter import NEWCOMERS, Reading, is_mac
from appliance.core.metering.quota import Action, AlertKind, Crossing, Extension, Ledger, Limits, QuotaKind, override
from appliance.core.metering.usage import Mark, Passed, next_mark, passed, seconds_since_reading
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.monitor.metering.device_directory import DeviceDirectory, HostName, unknown_host
from appliance.monitor.metering.quota_events import host_quota
from appliance.monitor.metering.saved_books import SavedBooks
from appliance.ports import Meters, Publisher, Store

log = logging.getLogger(__name__)

LOOK_S = 10.0  # 2,000 hosts take tens of milliseconds to read; meanwhile the kernel limits them, exact to the packet
CROWDED_LOOK_S = 3.0  # while newcomers share an allowance: making room is what gives them their own again
SHARED_S = 60.0  # so long after the last byte of it the shared allowance is told of
# The largest packet that the kernel hands on at once (GSO): where more than this is left, a refusal was too early,
# because the kernel counts the Ethernet headers of outgoing packets, and the rest is given.
LARGEST_PACKET_BYTES = 65_536
CHECKPOINT_S = 3600.0  # the books of 2,000 hosts are 0.4 MB: once an hour is 20 MB a day on the SD card
# What the kernel lets a host use whose quotas pause: a quota object's count is signed in some of its places.
WITHOUT_END_BYTES = 1 << 62
MOST_ACCOUNTS = 2 * MOST_HOSTS  # of a department: those with a meter, and as many that made room for others

Host = tuple[str, str]  # department and host
Readings = Mapping[str, Mapping[str, Reading]]  # by department and host


class HostBooks(NamedTuple):
    """A host's quotas as a person reads them."""

    host: HostName
    books: Sequence[Books]


class UnsavedHosts(Struct, frozen=True):
    """Host accounts to save, by key. `forgotten`: to delete before that.

    `taken_s`: when they were collected, by the monotonic clock; `None`: nothing is due.
    """

    ledgers: dict[AccountKey, Sequence[Ledger]] = field(default_factory=dict)
    marks: dict[AccountKey, Mark] = field(default_factory=dict)
    forgotten: Sequence[AccountKey] = ()
    taken_s: float | None = None


class _Shared(Struct, frozen=True):
    """What a department's newcomers did with the allowance that they share, since the meters were made.

    `moved_s`: when one was last seen, by the monotonic clock. `refused`: packets beyond the allowance.
    """

    moved_s: float
    passed_bytes: int
    refused: int


class _Unsaved(Struct):
    """What the disk lacks since the checkpoint at `saved_s` of the monotonic clock; `None`: there was none yet.

    `changed`: charged or extended accounts. `forgotten`: accounts of hosts that are gone. `is_new_day`: a day began, so
    it is due at once, and the disk's ledgers of ended periods are deleted, because a host's are not kept.
    """

    saved_s: float | None = None
    is_new_day: bool = False
    changed: set[Host] = field(default_factory=set)
    forgotten: set[Host] = field(default_factory=set)


class HostMetering:
    """Charges hosts with what their meters show, and has the kernel limit them to what they have left."""

    def __init__(
        self,
        departments: Sequence[Department],
        *,
        meters: Meters,
        devices: DeviceDirectory,
        books: SavedBooks,
        publish: Publisher,
    ) -> None:
        self._zone = books.zone
        self._meters = meters
        self.devices = devices
        self._store, self._publish = books.store, publish
        self._limits = _limits_of(departments, books.store)
        self._accounts = self._saved_accounts(books)
        self._unsaved = _Unsaved()
        self._saved_at = books.store.saved_at()
        self._read_s: float | None = None
        self._meters_seen: frozenset[str] = frozenset()
        self._readings: Readings | None = None
        self._day: date | None = None
        self._shared: dict[str, _Shared] = {}
        self._paused: tuple[frozenset[str], frozenset[Host]] = (frozenset(), frozenset())
        self._refused: Mapping[str, frozenset[str]] = {}
        self._has_new_budgets = False  # since the kernel was given them: its refusals are those of the former ones

    def step(self, departments: Mapping[str, Reading], now: Moment) -> Mapping[Series, Passed]:
        """Looks at the hosts' meters when that is due; returns what passed since the step before that looked.

        `departments`: the meters of their departments; when one was made again, so were its hosts', and a look is due
        at once. Bytes before this program's first look are left out: accounts are exact, a host's history need not be.
        """
        meters_seen = frozenset(one.identity for one in departments.values())
        self._watch_newcomers(now)
        self._refused = self._meters.refused_hosts()
        is_told_early = any(self._has_more(host) for host in self._refused_hosts())
        is_crowded = any(one.moved_s == now.monotonic_s for one in self._shared.values())
        look_s = 0.0 if is_told_early else CROWDED_LOOK_S if is_crowded else LOOK_S
        if meters_seen == self._meters_seen and not now.is_due(self._read_s, look_s):
            return {}
        former, self._readings, self._meters_seen = self._readings, self.look(now), meters_seen
        return {} if former is None else _passed_between(former, self._readings)

    def look(self, now: Moment) -> Readings:
        """Reads the hosts' meters, charges, puts limits in force, and publishes; returns the readings."""
        readings = self._meters.hosts()
        self.devices.meet({one: {*self._accounts[one], *readings.get(one, ())} for one in self._limits})
        self._carry_over(readings)
        crossings = self._charge(readings, now)
        self._limit_hosts()
        if any(len(hosts) > COMFORTABLE for hosts in readings.values()) or self.troubles(now):
            self._make_room()
        if any(not self.devices.describe(*host).addresses for host, _ in crossings):
            self.devices.refresh(now)  # a device may be so new that its address was not looked for
        for (department, host), crossing in crossings:
            if host != NEWCOMERS:
                self._publish(host_quota(department, self.devices.describe(department, host), crossing, now))
        return readings

    def troubles(self, now: Moment) -> Sequence[str]:
        """A sentence for each department whose newcomers share an allowance."""
        return [
            f"{department}: the kernel's {MOST_HOSTS} places for hosts are taken; newcomers share one allowance: "
            f"{one.passed_bytes} bytes have passed, {one.refused} packets were refused"
            for department, one in self._shared.items()
            if now.monotonic_s - one.moved_s < SHARED_S
        ]

    def unsaved(self, now: Moment, *, everything: bool = False) -> UnsavedHosts:
        """The accounts that the disk lacks; none between two checkpoints, but for a new day and with `everything`."""
        unsaved = self._unsaved
        if not (everything or unsaved.is_new_day or now.is_due(unsaved.saved_s, CHECKPOINT_S)):
            return UnsavedHosts()
        changed = {AccountKey(*host): self._accounts[host[0]][host[1]] for host in unsaved.changed}
        return UnsavedHosts(
            {key: account.ledgers for key, account in changed.items()},
            {key: account.mark for key, account in changed.items() if account.mark is not None},
            [*(changed if unsaved.is_new_day else ()), *(AccountKey(*host) for host in unsaved.forgotten)],
            taken_s=now.monotonic_s,
        )

    def confirm_saved(self, saved: UnsavedHosts) -> None:
        """Drops what is on the disk now."""
        if saved.taken_s is not None:
            self._unsaved = _Unsaved(saved.taken_s)

    def busiest(self, department: str, most: int) -> Sequence[tuple[str, Reading]]:
        """The hosts of the department whose meters have counted most, by their names, and what these showed last."""
        readings = (self._readings or {}).get(department, {})
        found = nlargest(most, readings.items(), key=lambda one: one[1].total_bytes)
        return [(self.devices.describe(department, host).name, reading) for host, reading in found]

    def limit_bytes(self, department: str) -> int | None:
        """The limit that the kernel gives a host when it appears; `None`: it does not limit hosts."""
        limits = self._limits[department]
        return None if limits.on_exceeded is Action.ALERT else min(limits.bytes_by_kind.values(), default=None)

    def throttle_bytes_s(self, department: str) -> int | None:
        """The rate of a host beyond its limit; `None`: it is stopped."""
        limits = self._limits[department]
        return limits.throttle_bytes_s if limits.on_exceeded is Action.THROTTLE else None

    def books(self, department: str, now: Moment) -> Sequence[HostBooks]:
        """The books of the department's hosts that have quotas, those nearest to a limit first."""
        found = [
            HostBooks(
                self.devices.describe(department, host),
                [quota for quota in one.books(now) if quota.limit_bytes is not None],
            )
            for host, one in self._accounts[department].items()
            if host != NEWCOMERS
        ]
        return sorted(found, key=lambda one: -max((quota.percentage or 0.0 for quota in one.books), default=0.0))

    def cut_off_by(self, department: str, address: str, now: Moment) -> Sequence[Books]:
        """The used-up quotas that have cut off the host at this address; empty: it is not cut off."""
        account = self._accounts[department].get(self.devices.find_now(department, address, now))
        return account.cut_off_by(now) if account else []

    def set_limit(self, department: str, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Limits this kind for each host from now on, over the configured limit, or not at all (`None`).

        In force with the next `look`. Raises `Refused` where the disk does not take it.
        """
        self._store.save_limit(AccountKey(department, EACH_HOST), kind, limit_bytes)
        self._limits[department] = override(self._limits[department], {kind: limit_bytes})
        self._has_new_budgets = True
        for account in self._accounts[department].values():
            account.set_limit(kind, limit_bytes)

    def pause_limits(self, departments: Collection[str], hosts: Collection[Host]) -> None:
        """Has the quotas of these departments' hosts, and of these hosts, limit nobody, and the others limit.

        In force with the next `look`. `hosts`: by the names of their meters.
        """
        self._paused = frozenset(departments), frozenset(hosts)
        for department, accounts in self._accounts.items():
            for host, account in accounts.items():
                account.is_paused = self._is_paused(department, host)

    def own_limit_bytes(self, department: str, kind: QuotaKind) -> int | None:
        """The limit of this kind for each host of the department; `None`: it has none."""
        return self._limits[department].bytes_by_kind.get(kind)

    def grant(self, department: str, host: str, kind: QuotaKind, grant: Extension) -> Callable[[], None]:
        """Extends a host's limit of the running period, in force with the next `look`; returns what takes it back.

        `host`: its MAC address or any of its addresses. Raises `Refused` where no device is known to have that, or it
        has no such quota.
        """
        found = self.devices.find(department, host)
        account = self._accounts[department].get(found)
        if account is None and not is_mac(found):
            raise unknown_host(host, department)
        if account is None or not account.is_limited(kind):
            raise Refused(
                Code.BAD_REQUEST, f"host: {host} has no {kind} quota of its own in {department}; none can be extended"
            )
        former = account.grant(kind, grant)
        self._has_new_budgets = True
        self._unsaved.changed.add((department, found))
        return partial(account.take_back, former)

    def _is_paused(self, department: str, host: str) -> bool:
        return department in self._paused[0] or (department, host) in self._paused[1]

    def _charge(self, readings: Readings, now: Moment) -> Sequence[tuple[Host, Crossing]]:
        day = now.wall.astimezone(self._zone).date() if now.is_trusted else self._day
        is_new_day = day != self._day
        # Never saved: all counts as today's, because a host's ledgers of ended days are not kept.
        elapsed_s = seconds_since_reading(self._read_s, self._saved_at, now, never_saved_s=0.0)
        crossings: list[tuple[Host, Crossing]] = []
        for host, account, reading in self._metered_accounts(readings):
            if reading is None:
                account.lose_meter()
            if is_new_day or account.is_behind(reading):
                crossings += [(host, one) for one in _charge_reading(account, reading, elapsed_s, now)]
                self._unsaved.changed.add(host)
        if is_new_day:
            self._has_new_budgets = True
            self._forget_idle(readings)
            self._unsaved.is_new_day = True
        if not self._has_new_budgets:
            crossings += self._close_refused(readings, now)
        self._day, self._read_s = day, now.monotonic_s
        return crossings

    def _watch_newcomers(self, now: Moment) -> None:
        for department, (passed_bytes, refused) in self._meters.newcomers().items():
            former = self._shared.get(department)
            if former is None or (former.passed_bytes, former.refused) != (passed_bytes, refused):
                self._shared[department] = _Shared(now.monotonic_s, passed_bytes, refused)

    def _carry_over(self, readings: Readings) -> None:
        """Joins the account of an address to that of the device that turns out to have it.

        Such accounts are of releases before devices had them, or of hosts that were behind a router.
        """
        for department, accounts in self._accounts.items():
            for host in [one for one in accounts if not is_mac(one) and one != NEWCOMERS]:
                device = self.devices.find(department, host)
                if device != host and host not in readings.get(department, {}):
                    own = accounts.get(device)
                    ledgers = joined(own.ledgers if own else (), accounts.pop(host).ledgers)
                    accounts[device] = self._account(department, device, ledgers, own.mark if own else None)
                    self._unsaved.forgotten.add((department, host))
                    self._unsaved.changed.discard((department, host))
                    self._unsaved.changed.add((department, device))

    def _refused_hosts(self) -> Iterator[Host]:
        return ((department, host) for department, hosts in self._refused.items() for host in hosts)

    def _has_more(self, host: Host) -> bool:
        account = self._accounts[host[0]].get(host[1])
        return account is None or (account.left_bytes() or 0) > 0

    def _close_refused(self, readings: Readings, now: Moment) -> Sequence[tuple[Host, Crossing]]:
        """Closes the rest of hosts whose next packet the kernel refused because it did not fit there."""
        crossings: list[tuple[Host, Crossing]] = []
        for host in self._refused_hosts():
            account, reading = self._accounts[host[0]].get(host[1]), readings.get(host[0], {}).get(host[1])
            left_bytes = account.left_bytes() if account else None
            if account and reading and left_bytes is not None and 0 < left_bytes < LARGEST_PACKET_BYTES:
                refused = replace(reading, refused_budget=account.budget)
                crossings += [(host, one) for one in account.charge_reading(refused, 0.0, now)[1]]
                self._unsaved.changed.add(host)
        return crossings

    def _metered_accounts(self, readings: Readings) -> Sequence[tuple[Host, Account, Reading | None]]:
        """Every account of departments whose hosts have quotas, with its reading; new hosts get an account."""
        for department, limits in self._limits.items():
            accounts = self._accounts[department]
            metered = readings.get(department, {}) if limits.bytes_by_kind else {}
            new = [host for host in metered if host not in accounts]
            self._drop_least_used(department, metered, len(accounts) + len(new) - MOST_ACCOUNTS)
            for host in new[: max(0, MOST_ACCOUNTS - len(accounts))]:
                accounts[host] = self._account(department, host)
        return [
            ((department, host), account, readings.get(department, {}).get(host))
            for department, accounts in self._accounts.items()
            if self._limits[department].bytes_by_kind
            for host, account in accounts.items()
        ]

    def _drop_least_used(self, department: str, metered: Mapping[str, Reading], number: int) -> None:
        """Drops so many accounts that have no meter, those that have used least."""
        accounts = self._accounts[department]
        idle = [host for host in accounts if host not in metered] if number > 0 else []
        for host in nsmallest(number, idle, key=lambda one: _used_bytes(accounts[one])):
            self._drop(department, host)

    def _drop(self, department: str, host: str) -> None:
        del self._accounts[department][host]
        self._unsaved.forgotten.add((department, host))
        self._unsaved.changed.discard((department, host))

    def _forget_idle(self, readings: Readings) -> None:
        """Forgets hosts that have used nothing in any running period and have no meter any more."""
        for department, accounts in self._accounts.items():
            metered = readings.get(department, {})
            for host in [host for host, one in accounts.items() if one.is_unused and host not in metered]:
                self._drop(department, host)

    def _limit_hosts(self) -> None:
        left = {
            department: {
                host: WITHOUT_END_BYTES if one.is_paused else left
                for host, one in accounts.items()
                if (left := one.left_bytes()) is not None
            }
            for department, accounts in self._accounts.items()
            if self.limit_bytes(department) is not None
        }
        refusal = self._meters.hold_hosts(left) if left else None
        self._has_new_budgets = refusal is not None
        if refusal is not None:
            log.error("the kernel refuses the hosts' limits; the former ones stay in force: %s", refusal)

    def _make_room(self) -> None:
        """Has the hosts that have used least leave the kernel's sets where these are nearly full."""
        used = {
            department: {host: _used_bytes(account) for host, account in accounts.items()}
            for department, accounts in self._accounts.items()
        }
        for department, hosts in self._meters.make_room(used).items():
            for host in hosts:
                account = self._accounts[department].get(host)
                if account is not None:
                    account.lose_meter()
            log.warning("%s: the places for hosts were nearly taken; %d hosts made room", department, len(hosts))

    def _saved_accounts(self, books: SavedBooks) -> dict[str, dict[str, Account]]:
        """By department and host, the accounts that the disk has."""
        accounts: dict[str, dict[str, Account]] = {department: {} for department in self._limits}
        for key, mark in self._store.marks().items():
            if key.host is not None and key.department in accounts:
                limits = self._limits[key.department]
                accounts[key.department][key.host] = books.account(key, limits, mark, _limited_kinds(limits))
        return accounts

    def _account(self, department: str, host: str, ledgers: Sequence[Ledger] = (), mark: Mark | None = None) -> Account:
        limits, zone = self._limits[department], self._zone
        made = Account(limits=limits, zone=zone, kinds=_limited_kinds(limits), ledgers=ledgers, mark=mark)
        made.is_paused = self._is_paused(department, host)
        return made


def _limited_kinds(limits: Limits) -> Sequence[QuotaKind]:
    return [kind for kind in QuotaKind if kind in limits.bytes_by_kind]


def _limits_of(departments: Sequence[Department], store: Store) -> dict[str, Limits]:
    """By department, the limits of each of its hosts, with those that a person set over them."""
    by_hand = store.limits()
    return {one.id: override(one.host_limits, by_hand.get(AccountKey(one.id, EACH_HOST), {})) for one in departments}


def _used_bytes(account: Account) -> int:
    return max((ledger.used_bytes for ledger in account.ledgers), default=0)


def _charge_reading(account: Account, reading: Reading | None, elapsed_s: float, now: Moment) -> Sequence[Crossing]:
    """Charges; returns the crossings, a new period only where the old one was used up."""
    was_exceeded = bool(account.exceeded_kinds())
    _, crossings = account.charge_reading(reading, elapsed_s, now)
    return [one for one in crossings if was_exceeded or one.alert is not AlertKind.RESET]


def _passed_between(former: Readings, latter: Readings) -> Mapping[Series, Passed]:
    """By department and host, what passed between two looks; hosts without traffic are left out."""
    return {
        (department, host): amount
        for department, readings in latter.items()
        for host, reading in readings.items()
        if host != NEWCOMERS
        if (amount := passed(next_mark(None, former.get(department, {}).get(host)), reading)).total_bytes
    }
