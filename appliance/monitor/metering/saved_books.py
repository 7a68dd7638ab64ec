"""The books as the disk has them, when the service starts: an account for each department and host.

Where the configuration has changed when periods begin, the days of the books and of history say what has been used in
the periods that run now.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from appliance.core.metering.account import Account, AccountKey
from appliance.core.metering.carry_over import carry_over
from appliance.core.metering.history_series import ALL_HOSTS, Step, buckets_between
from appliance.core.metering.quota import Ledger, Limits, QuotaKind, first_instant
from appliance.core.metering.usage import Mark
from appliance.ports import HistoryStore, Store


class SavedBooks:
    """Makes accounts of what was saved. `history_store`: `None`: there is none. `zone`: whose midnight ends a day."""

    def __init__(self, store: Store, history_store: HistoryStore | None, zone: ZoneInfo) -> None:
        self.store = store
        self._history_store = history_store
        self.zone = zone
        self._saved_at = store.saved_at()
        self._days: dict[str, date | None] = {}  # by department, its running day

    def account(
        self, key: AccountKey, limits: Limits, mark: Mark | None, kinds: Sequence[QuotaKind] = tuple(QuotaKind)
    ) -> Account:
        """An account as it was saved, in the periods of today's configuration. `kinds`: of each it has a ledger."""
        ledgers, day = self.store.ledgers(key), self._running_day(key.department)
        if day is not None:
            ledgers = [self._moved(one, key, day) for one in ledgers]
            longer = [kind for kind in kinds if kind is not QuotaKind.DAILY]
            ledgers = carry_over(
                ledgers, longer, day, limits.billing_day, lambda since, until: self._shown(key, ledgers, since, until)
            )
        return Account(limits=limits, zone=self.zone, kinds=kinds, ledgers=ledgers, mark=mark)

    def _running_day(self, department: str) -> date | None:
        """The local day on which the department was charged last; `None`: it never was."""
        if department not in self._days:
            daily = (one for one in self.store.ledgers(AccountKey(department)) if one.kind is QuotaKind.DAILY)
            self._days[department] = max((self._day_of(department, one) for one in daily), default=None)
        return self._days[department]

    def _day_of(self, department: str, daily: Ledger) -> date:
        """The ledger's day, or the one after it where that had begun already, by the time zone of now."""
        following = daily.start + timedelta(days=1)
        if self._saved_at is None or self._saved_at.astimezone(self.zone).date() != following:
            return daily.start
        return following if self._since_midnight(AccountKey(department), following) else daily.start

    def _moved(self, ledger: Ledger, key: AccountKey, day: date) -> Ledger:
        """The ledger of a day that ended when the time zone changed, as that of the day that runs now."""
        if ledger.kind is not QuotaKind.DAILY or ledger.start >= day:
            return ledger
        return replace(ledger, start=day, used_bytes=self._since_midnight(key, day))

    def _since_midnight(self, key: AccountKey, day: date) -> int:
        if self._saved_at is None:
            return 0
        buckets = buckets_between(Step.FIVE_MINUTES, first_instant(day, self.zone), self._saved_at, self.zone)
        return sum(self._history(key, Step.FIVE_MINUTES, buckets).values())

    def _shown(self, key: AccountKey, ledgers: Sequence[Ledger], since: date, until: date) -> int:
        """The most that books and history show for these days; and no less than a running ledger inside of them."""
        days = range(since.toordinal(), until.toordinal() + 1)
        history = self._history(key, Step.DAY, days)
        books = {day.toordinal(): used_bytes for day, used_bytes in self.store.used_by_day(key).items()}
        running = max((one.used_bytes for one in ledgers if one.start >= since), default=0)
        return max(running, sum(max(history.get(day, 0), books.get(day, 0)) for day in days))

    def _history(self, key: AccountKey, step: Step, buckets: range) -> dict[int, int]:
        if self._history_store is None:
            return {}
        series = key.department, key.host or ALL_HOSTS
        passed = self._history_store.passed_in(step, series, buckets)
        return {bucket: amount.total_bytes for bucket, amount in passed.items()}
