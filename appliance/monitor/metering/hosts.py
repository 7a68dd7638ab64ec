"""Hosts: what passed for each, and the quotas of those departments whose hosts have some.

A host's books are an account like a department's, with what its own meter shows. They are looked at less often and
saved less often, because there are thousands: what the kernel counts meanwhile is charged after a crash just the same,
and only a power cut takes a host's last hour, which its department's books still have.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from heapq import nlargest
from zoneinfo import ZoneInfo

from appliance.core.metering.account import Account, Books
from appliance.core.metering.department import EACH_HOST, Department, host_account, parse_account
from appliance.core.metering.meter import Reading
from appliance.core.metering.quota import Action, AlertKind, Crossing, Ledger, Limits, QuotaKind
from appliance.core.metering.usage import NOTHING, Mark, Passed, passed, plus
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import HostQuota
from appliance.monitor.metering.quota_events import quota_books
from appliance.ports import Meters, Publisher, Store

log = logging.getLogger(__name__)

LOOK_S = 10.0  # 2,000 hosts take tens of milliseconds to read, and the kernel holds them to the packet meanwhile
CHECKPOINT_S = 3600.0  # the books of 2,000 hosts are 0.4 MB: so often is 20 MB a day on the SD card
MOST_ACCOUNTS = 8192  # of a department, IPv4 and IPv6: as many as the kernel has meters for

Host = tuple[str, str]  # department and address


@dataclass(frozen=True, slots=True)
class HostBooks:
    """A host's quotas as a person reads them."""

    address: str
    books: Sequence[Books]

    @property
    def percentage(self) -> float:
        """Of that of its limits that it is nearest to."""
        return max((one.percentage or 0.0 for one in self.books), default=0.0)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What of hosts' books the disk must take, by account. `gone`: to be forgotten first.

    `taken_s`: when it was put together; `None`: there is nothing.
    """

    ledgers: dict[str, Sequence[Ledger]] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    gone: Sequence[str] = ()
    taken_s: float | None = None


class HostMetering:
    """Charges hosts with what their meters show, and has the kernel hold them to what they have left."""

    def __init__(
        self,
        departments: Sequence[Department],
        zone: ZoneInfo,
        meters: Meters,
        store: Store,
        publish: Publisher,
    ) -> None:
        self._zone = zone
        self._meters = meters
        self._store = store
        self._publish = publish
        by_hand = {one.id: store.limits().get(host_account(one.id, EACH_HOST), {}) for one in departments}
        # As an account needs it: the limits of a department of one host.
        self._departments = {
            one.id: replace(one, limits=_limited(one.host_limits, by_hand[one.id])) for one in departments
        }
        self._accounts: dict[str, dict[str, Account]] = {one.id: {} for one in departments}
        for name, mark in store.marks().items():
            department, host = parse_account(name)
            if host is not None and department in self._accounts:
                one = self._departments[department]
                self._accounts[department][host] = Account(one, zone, store.ledgers(name), mark, {}, kinds=_kinds(one))
        self._changed: set[Host] = set()
        self._gone: set[Host] = set()
        self._marks: dict[Host, Mark] = {}
        self._passed: Mapping[Host, Passed] = {}
        self._meters_seen: frozenset[str] = frozenset()
        self._read_s: float | None = None
        self._must_look = True
        self._saved_s: float | None = None
        self._is_urgent = False
        self._day: date | None = None

    def step(self, departments: Mapping[str, Reading], now: Moment) -> None:
        """Read the hosts' meters where that is due, charge, save what must not be lost, hold, and tell.

        `departments`: the meters of their departments; when one was made anew, so were theirs, and it is due at once.
        """
        meters_seen = frozenset(one.identity for one in departments.values())
        if not (self._must_look or meters_seen != self._meters_seen or _is_due(self._read_s, LOOK_S, now)):
            return
        self._meters_seen, self._must_look = meters_seen, False
        found = self._meters.hosts()
        self._note(found)
        crossings = list(self._charge(found, now))
        self._read_s = now.monotonic_s
        self._hold()
        for host, crossing in crossings:
            self._publish(_alert(host, crossing, now))

    def unsaved(self, now: Moment, *, all_of_it: bool = False) -> Unsaved:
        """What the disk must take now: nothing between two checkpoints, but for a new day and what a person did."""
        if not (all_of_it or self._is_urgent or _is_due(self._saved_s, CHECKPOINT_S, now)):
            return Unsaved()
        found = {host_account(name, host): self._accounts[name][host] for name, host in self._changed}
        return Unsaved(
            {name: account.ledgers for name, account in found.items()},
            {name: account.mark for name, account in found.items() if account.mark is not None},
            # The ledgers of former periods go, which nobody asks for.
            [*(found if self._is_urgent else ()), *(host_account(*host) for host in self._gone)],
            taken_s=now.monotonic_s,
        )

    def saved(self, unsaved: Unsaved) -> None:
        """The disk has taken it."""
        if unsaved.taken_s is not None:
            self._saved_s = unsaved.taken_s
            self._is_urgent = False
            self._changed.clear()
            self._gone.clear()

    def take_passed(self) -> Mapping[Host, Passed]:
        """What has passed since the hosts were read last, for those of which something did; empty until the next time.

        What passed before the first reading of this program's life is left out: a department's books are exact, a
        host's history is not worth a row on the disk for each host and minute.
        """
        taken, self._passed = self._passed, {}
        return taken

    def busiest(self, department: str, most: int) -> Sequence[tuple[str, Mark]]:
        """The hosts of the department whose meters have counted most, and what these showed last."""
        here = ((host, mark) for (name, host), mark in self._marks.items() if name == department)
        return nlargest(most, here, key=lambda one: one[1].up_bytes + one[1].down_bytes)

    def limit_bytes(self, department: str) -> int | None:
        """What the kernel may let pass of a host that it hears of first; `None`: it does not hold hosts."""
        limits = self._departments[department].limits
        return None if limits.on_exceeded is Action.ALERT else min(limits.bytes_by_kind.values(), default=None)

    def throttle_bytes_s(self, department: str) -> int | None:
        """The rate of a host beyond its limit; `None`: it is stopped."""
        limits = self._departments[department].limits
        return limits.throttle_bytes_s if limits.on_exceeded is Action.THROTTLE else None

    def books(self, department: str, now: Moment) -> Sequence[HostBooks]:
        """The books of the department's hosts, those nearest to a limit first."""
        found = [HostBooks(host, self._books(one, now)) for host, one in self._accounts[department].items()]
        return sorted(found, key=lambda one: one.percentage, reverse=True)

    def cut_off(self, department: str, address: str, now: Moment) -> Sequence[Books]:
        """The used-up quotas that have cut this host off, if any."""
        account = self._accounts[department].get(address)
        if account is None or account.limits.on_exceeded is not Action.BLOCK:
            return []
        return [one for one in self._books(account, now) if one.kind in account.exceeded()]

    def set_limit(self, department: str, kind: QuotaKind, limit_bytes: int | None) -> None:
        """Limit this kind for each host from now on, over what is configured, or not at all (`None`)."""
        self._store.save_limit(host_account(department, EACH_HOST), kind, limit_bytes)
        one = self._departments[department]
        self._departments[department] = replace(one, limits=_limited(one.limits, {kind: limit_bytes}))
        for account in self._accounts[department].values():
            account.set_limit(kind, limit_bytes)
        self._must_look = True

    def grant(self, department: str, host: str, kind: QuotaKind, more_bytes: int) -> None:
        """Extend a host's limit of the period that runs. Raises `Refused` where it has no such quota."""
        account = self._accounts[department].get(host)
        if account is None or not account.is_limited(kind):
            raise Refused(
                Code.BAD_REQUEST,
                f"host: {host} has no {kind} quota of its own in {department}; none can be extended",
            )
        account.grant(kind, more_bytes)
        self._changed.add((department, host))
        self._must_look = True

    def _note(self, found: Mapping[str, Mapping[str, Reading]]) -> None:
        readings = {(name, host): reading for name, hosts in found.items() for host, reading in hosts.items()}
        if self._read_s is not None:
            amounts = {host: passed(self._marks.get(host), reading) for host, reading in readings.items()}
            before = self._passed
            news = {host: plus(before.get(host, NOTHING), one) for host, one in amounts.items() if one.total_bytes}
            self._passed = {**before, **news}
        self._marks = {host: Mark(one.identity, one.up_bytes, one.down_bytes) for host, one in readings.items()}

    def _charge(self, found: Mapping[str, Mapping[str, Reading]], now: Moment) -> Iterator[tuple[Host, Crossing]]:
        day = now.wall.astimezone(self._zone).date() if now.is_trusted else self._day
        is_new_day, elapsed_s = day != self._day, self._elapsed_s(now)
        for name, one in self._departments.items():
            if one.limits.bytes_by_kind:
                for host, account, reading in self._behind(one, found.get(name, {}), all_of_them=is_new_day):
                    crossings = _read(account, reading, elapsed_s, now)
                    self._changed.add((name, host))
                    yield from (((name, host), crossing) for crossing in crossings)
        if is_new_day:
            self._forget_idle(found)
            self._is_urgent = True
        self._day = day

    def _behind(
        self, department: Department, readings: Mapping[str, Reading], *, all_of_them: bool
    ) -> Iterator[tuple[str, Account, Reading | None]]:
        """The accounts that have something to charge, new ones among them."""
        accounts = self._accounts[department.id]
        for host in readings:
            if host not in accounts and len(accounts) < MOST_ACCOUNTS:
                accounts[host] = Account(department, self._zone, [], None, {}, kinds=_kinds(department))
        for host, account in accounts.items():
            reading = readings.get(host)
            if reading is None:
                account.lose_meter()
            if all_of_them or account.is_behind(reading):
                yield host, account, reading

    def _forget_idle(self, found: Mapping[str, Mapping[str, Reading]]) -> None:
        """At the turn of a day, forget who has used nothing in any period and has no meter any more."""
        for name, accounts in self._accounts.items():
            idle = [host for host, one in accounts.items() if one.is_unused and host not in found.get(name, {})]
            self._gone |= {(name, host) for host in idle}
            self._changed -= self._gone
            for host in idle:
                del accounts[host]

    def _elapsed_s(self, now: Moment) -> float:
        if self._read_s is not None:
            return now.monotonic_s - self._read_s
        saved_at = self._store.saved_at()
        return max(0.0, min((now.wall - saved_at).total_seconds(), now.monotonic_s)) if saved_at else 0.0

    def _hold(self) -> None:
        left = {
            name: {host: left for host, one in accounts.items() if (left := one.left_bytes()) is not None}
            for name, accounts in self._accounts.items()
            if self.limit_bytes(name) is not None
        }
        refusal = self._meters.hold_hosts(left) if left else None
        if refusal is not None:
            log.error("the kernel refuses the hosts' limits, the former ones hold: %s", refusal)

    def _books(self, account: Account, now: Moment) -> Sequence[Books]:
        day = now.wall.astimezone(self._zone).date()
        return [one for one in account.books(day) if one.limit_bytes is not None]


def _read(account: Account, reading: Reading | None, elapsed_s: float, now: Moment) -> Sequence[Crossing]:
    """Charge, and say what that crossed: of a new period only where the old one was used up."""
    was_exceeded = bool(account.exceeded())
    _, crossings = account.read(reading, elapsed_s, now)
    return [one for one in crossings if was_exceeded or one.alert is not AlertKind.RESET]


def _alert(host: Host, crossing: Crossing, now: Moment) -> HostQuota:
    department, address = host
    return HostQuota(
        timestamp=timestamp(now.wall),
        department_id=department,
        host=address,
        type=crossing.alert,
        quota=quota_books(crossing),
    )


def _limited(limits: Limits, by_hand: Mapping[QuotaKind, int | None]) -> Limits:
    together = {**limits.bytes_by_kind, **by_hand}
    return replace(limits, bytes_by_kind={kind: limit for kind, limit in together.items() if limit is not None})


def _kinds(department: Department) -> tuple[QuotaKind, ...]:
    return tuple(kind for kind in QuotaKind if kind in department.limits.bytes_by_kind)


def _is_due(since_s: float | None, period_s: float, now: Moment) -> bool:
    return since_s is None or now.monotonic_s - since_s >= period_s
