"""The bytes up and down of each department since its local day began: for display, nothing here is charged.

Ledgers count both directions together. How a day divides is added up here, from what history has when the service
starts. A crash takes up to a quarter hour from history and nothing from the ledgers: where the two differ, directions
are not told rather than told wrong.
"""

from datetime import date

from msgspec import Struct

from appliance.core.metering.account import Account
from appliance.core.metering.history_series import ALL_HOSTS, Step
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.ports import HistoryStore

MOST_MISSING = 0.01  # of the day's bytes: a person reads three digits of them


class _RunningDay(Struct):
    """What passed in a department's running day."""

    day: date
    passed: Passed


class DayDirections:
    """Adds up both directions of each department's running day. `history_store`: `None`: there is none."""

    def __init__(self, history_store: HistoryStore | None) -> None:
        self._history_store = history_store
        self._days: dict[str, _RunningDay] = {}

    def add(self, department: str, account: Account, amount: Passed) -> None:
        """Add what passed in a step, after the account was charged with it: the account says which day runs."""
        ledger = account.daily
        running = self._days.get(department)
        if running is None:
            self._days[department] = _RunningDay(ledger.start, plus(self._recorded(department, ledger.start), amount))
        elif running.day != ledger.start:
            # Of a step over midnight the new day has only a part.
            total = amount.total_bytes
            share = min(1.0, ledger.used_bytes / total) if total else 0.0
            part = Passed(round(amount.up_bytes * share), round(amount.down_bytes * share))
            self._days[department] = _RunningDay(ledger.start, part)
        else:
            running.passed = plus(running.passed, amount)

    def passed(self, department: str, account: Account) -> Passed | None:
        """What passed in the running day; `None`: that is not known well enough."""
        running = self._days.get(department)
        used = account.daily.used_bytes
        if running is None or abs(running.passed.total_bytes - used) > used * MOST_MISSING:
            return None
        return running.passed

    def _recorded(self, department: str, day: date) -> Passed:
        if self._history_store is None:
            return NOTHING
        bucket = day.toordinal()
        found = self._history_store.passed_in(Step.DAY, (department, ALL_HOSTS), range(bucket, bucket + 1))
        return found.get(bucket, NOTHING)
