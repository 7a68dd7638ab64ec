"""What history writes to the disk in a day, what its steps cost, and how soon a day of it is answered.

The clock is sped up: the steps are called with a `now` that is a minute later each time, over three days, with
everybody busy all the time, which is the worst case; what is kept for a day only is deleted on the third, and that
one is told. Between two batches the kernel would have written all dirty pages, so that each batch is synced before it
is counted: `write_bytes` in `/proc/self/io` is what went to the medium.
"""

import os
import random
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from zoneinfo import ZoneInfo

from msgspec.structs import fields

from appliance.core.access.token_lifetime import Lifetime
from appliance.core.metering.history_series import DEPARTMENT_STEPS, HOST_STEPS, Retention, Series
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment, timestamp
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.metering.history_schedule import BATCH_S
from appliance.server.access import Grant, Role
from appliance.server.calls.call_table import carry_out
from appliance.server.calls.context import Context
from appliance.server.services import Services
from appliance.server.sessions import ClientSession
from appliance.system.storage.history_store import FOLD_S, SqliteHistoryStore

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
DAYS = 3
A_DAY_EACH = Retention(dict.fromkeys(DEPARTMENT_STEPS, 1), dict.fromkeys(HOST_STEPS, 1))
ASKED = 9  # times; the median is told
SIZES = ((4, 100), (64, 2000))


class Run:
    """Three days of a network of this size; what the third wrote and cost."""

    def __init__(self, folder: Path, departments: int, hosts: int) -> None:
        self.departments = [f"department{number}" for number in range(departments)]
        self.hosts: list[Series] = [
            (self.departments[number % departments], f"10.{number % departments}.{number // 250}.{number % 250 + 1}")
            for number in range(hosts)
        ]
        self.path = folder / "history.sqlite3"
        self.history_store = SqliteHistoryStore(self.path)
        self.history = HistoryRecorder(ZONE, self.history_store, A_DAY_EACH)
        self.written_bytes = 0
        self.observe_s = 0.0
        self.step_s: list[float] = []
        self._sizes = random.Random(1)

    def run(self) -> None:
        for minute in range(DAYS * 1440):
            if minute == (DAYS - 1) * 1440:
                self._sync()
                self.step_s, self.observe_s, before_bytes = [], 0.0, written_bytes()
            self._minute(moment(minute * 60))
        self._sync()
        self.written_bytes = written_bytes() - before_bytes

    def _minute(self, now: Moment) -> None:
        charged = {one: self._amount(30) for one in self.departments}
        hosts = {one: self._amount(1) for one in self.hosts}
        began_s = process_time()
        self.history.record_passed(charged, hosts, now)
        self.observe_s += process_time() - began_s
        for second in range(60):
            began_s = process_time()
            self.history.step(Moment(now.wall + timedelta(seconds=second), now.monotonic_s + second, is_trusted=True))
            self.step_s.append(process_time() - began_s)
        if now.monotonic_s % BATCH_S == 0:
            self._sync()
        if now.monotonic_s % FOLD_S == 0:
            self.history_store.fold()

    def _amount(self, times: int) -> Passed:
        # Log-normal: most are quiet and a few are not; the median is 160 kB a minute.
        return Passed(*(int(self._sizes.lognormvariate(12, 2)) * times for _ in range(2)))

    def _sync(self) -> None:
        for path in (self.path, self.path.with_name(self.path.name + "-wal")):
            if path.exists():
                descriptor = os.open(path, os.O_RDWR)
                os.fdatasync(descriptor)
                os.close(descriptor)

    def ask(self) -> float:
        """Milliseconds until `history:get` has answered with a day in steps of five minutes for each department."""
        now = moment(DAYS * 86400)
        context = _context(self.history, self.departments, now)
        span = {"from": timestamp(now.wall - timedelta(days=1)), "to": timestamp(now.wall), "step": "5min"}
        began_s = perf_counter()
        for one in self.departments:
            answer = carry_out("history:get", [{"departmentId": one, **span}], context)
            assert len(answer["points"]) == 288
        return (perf_counter() - began_s) * 1000


def moment(second: float) -> Moment:
    return Moment(MIDNIGHT + timedelta(seconds=second), second, is_trusted=True)


def run() -> list[str]:
    """The rows of this bench."""
    rows = []
    for departments, hosts in SIZES:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # never in memory, where nothing is written
            one = Run(Path(folder), departments, hosts)
            one.run()
            size_mb = one.path.stat().st_size / 1e6
            busy_ms = [second * 1000 for second in one.step_s if second > 0.001]
            rows += [
                f"history, {departments} departments, {hosts} hosts: {one.written_bytes / 1e6:.1f} MB written a day"
                f" (sped-up clock), file {size_mb:.1f} MB for a day each",
                f"  observing {one.observe_s / 1440 * 1000:.1f} ms a time; steps {sum(one.step_s):.2f} s of CPU a day,"
                f" the longest {max(busy_ms, default=0):.1f} ms",
                f"  a day of 5 min for {departments} departments: answered in"
                f" {median(one.ask() for _ in range(ASKED)):.0f} ms",
            ]
            one.history_store.close()
    return rows


def written_bytes(process: int | str = "self") -> int:
    """What a process has sent to the medium since it began."""
    fields = dict(line.split(": ") for line in Path(f"/proc/{process}/io").read_text().splitlines())
    return int(fields["write_bytes"])


def _context(history: HistoryRecorder, departments: list[str], now: Moment) -> Context:
    nobody: Any = None
    grant = Grant("bench", Role.VIEWER, None, Lifetime(now.wall, now.wall + timedelta(hours=1)), "bench")
    caller = ClientSession("", "", grant, None, None, nobody)
    unused = dict.fromkeys((field.name for field in fields(Services)), nobody)
    return Context(Services(**{**unused, "departments": frozenset(departments), "history": history}), caller, now)


if __name__ == "__main__":
    print("\n".join(run()))
