"""Keeps history on the disk: sums by bucket and series in a SQLite file of its own, which may be lost without harm.

The exact books are in the `Store`. A damaged file is moved aside and replaced by an empty one, and sums that the disk
does not take stay with the caller. A crash loses at most the sums that were not handed over yet; a power cut loses also
those of the seconds that the kernel had not written.

Four measures spare the SD card (`tests/bench/history.py` has the figures): batches of many minutes; records of all
buckets of a quarter of an hour or an hour of one series, as narrow as their numbers allow; keys of the time and then
the series, so that a batch appends to the end of four tables instead of touching a page for each series; and a log that
is folded into the file seldom and beside the event loop, because only that waits for the medium.
"""

import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlite_utils.db import Database
from sqlite_utils.migrations import Migrations

from appliance.core.detection.rates.anomaly import StoredAnomaly
from appliance.core.metering.history_series import ALL_HOSTS, Key, Series, Step
from appliance.core.metering.usage import Passed
from appliance.system.storage.sqlite import (
    BUSY_S,
    DAMAGE,
    LOOP_BUSY_S,
    UnsoundDatabase,
    code_of,
    fold_whole,
    move_aside,
    open_database,
)

log = logging.getLogger(__name__)

SERIES_BITS = 28  # of a key; 268 million hosts last longer than the computer, and a key stays within 8 bytes until 2097
SERIES_MASK = (1 << SERIES_BITS) - 1
FIRST_HOST = 1 << 16  # the numbers below it are departments'
MOST_NUMBERS = 16384  # series whose number is remembered: 8 times the hosts that the appliance is made for, 3 MB
MOST_ANOMALIES = 10_000  # of all departments; 5 MB: at two a week each, a year of 64
OLDEST = -(1 << 62)  # before every key
FOLD_S = 14400.0  # the batches of some hours share pages; their log is 5 MB where there is most to write
BACKSTOP_PAGES = 8192  # 32 MB: a commit folds the log only if `fold` was not called for a day

PRAGMAS = (
    "synchronous = NORMAL",  # a commit does not wait for the medium, and a power cut leaves the file whole
    f"wal_autocheckpoint = {BACKSTOP_PAGES}",
    "secure_delete = OFF",  # Debian's is on: it would write each page once more, in zeros, when its sums are deleted
)

# Buckets of one record: those of a batch, so that no record is written twice. Each divides the hour.
RECORD_BUCKETS = {Step.MINUTE: 15, Step.FIVE_MINUTES: 12, Step.HOUR: 1, Step.DAY: 1}

TABLES = {Step.MINUTE: "minute", Step.FIVE_MINUTES: "five_minutes", Step.HOUR: "hour", Step.DAY: "day"}

migrations = Migrations("history")


@migrations(name="0001_sums")
def _sums(database: Database) -> None:
    """`seen`: the last day of which the series has a sum, as a date's ordinal."""
    for table in TABLES.values():
        database.table(table).create({"key": int, "data": bytes}, pk="key")
    series = database.table("series")
    series.create({"number": int, "department": str, "host": str, "seen": int}, pk="number")
    series.create_index(["department", "host"], unique=True)


@migrations(name="0002_rates")
def _rates(database: Database) -> None:
    """What is usual for departments, and the anomalies."""
    database.table("learned_rates").create({"department": str, "numbers": bytes}, pk="department")
    anomaly = database.table("anomaly")
    anomaly.create({"id": int, "department": str, "at": float, "facts": bytes}, pk="id")
    anomaly.create_index(["at"])


@migrations(name="0003_sent_volumes")
def _sent_volumes(database: Database) -> None:
    """How much devices send, by department."""
    database.table("sent_volume").create({"department": str, "numbers": bytes}, pk="department")


_ADD = "INSERT INTO {table} (key, data) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data"
_FOUND = "SELECT key, data FROM {table} WHERE key BETWEEN ? AND ?"
_ENDS = "SELECT (SELECT min(key) FROM {table}), (SELECT max(key) FROM {table})"
# The keys of one series are evenly spaced, so that each is looked up and no other series is read.
_READ = (
    "WITH RECURSIVE wanted (key) AS (SELECT ? UNION ALL SELECT key + {apart} FROM wanted WHERE key < ?)"
    " SELECT key, data FROM wanted JOIN {table} USING (key)"
)
_OLDEST = "SELECT key FROM {table} WHERE key >= ? AND key < ? AND key & {mask} >= ? ORDER BY key LIMIT ?"
_DELETE = "DELETE FROM {table} WHERE key BETWEEN ? AND ? AND key & {mask} >= ?"
# A host whose last day is deleted has no sums any more: wider buckets are kept at least as long as narrower ones.
_DELETE_SERIES = (
    "DELETE FROM series WHERE seen <= ? AND number IN"
    " (SELECT key & {mask} FROM day WHERE key BETWEEN ? AND ? AND key & {mask} >= {hosts})"
)


class SqliteHistoryStore:
    """`ports.HistoryStore` in one SQLite file with a write-ahead log; opened when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: Database | None = None
        self._numbers: dict[Series, tuple[int, int]] = {}  # with the last day seen
        self._held: list[StoredAnomaly] | None = None  # what waits for `release`; `None`: nothing is held
        self._pruned: dict[tuple[Step, int], int] = {}  # up to which key, so that no search starts at the oldest

    def hold(self) -> None:
        """Write nothing from now on: anomalies are kept in memory. The file is open, because opening it writes."""
        with suppress(OSError, sqlite3.Error), self._opened():
            pass
        self._held = [] if self._held is None else self._held

    def settle(self) -> None:
        """Wait until all that was saved is in the file and on the medium; it may run in another thread."""
        fold_whole(self._path)

    def release(self) -> None:
        """Save the anomalies that were held."""
        held, self._held = self._held or [], None
        for one in held:
            self.add_anomaly(one)

    def accumulate(self, sums: Mapping[Series, Mapping[Key, Sequence[int]]]) -> str | None:
        """Add these bytes to the stored sums in one transaction; returns `None`, or why nothing was added."""
        try:
            with self._opened() as database, database.atomic():
                for step, records in self._records(database, sums).items():
                    _add(database, step, records)
        except (OSError, sqlite3.Error) as error:
            return f"{self._path}: history is kept in memory only, {error}; the oldest is forgotten after some hours"
        return None

    def passed_in(self, step: Step, series: Series, buckets: range) -> Mapping[int, Passed]:
        """By bucket, the stored sums of this series."""
        try:
            with self._opened() as database:
                return self._read(database, step, series, buckets)
        except (OSError, sqlite3.Error) as error:
            log.error("%s: history cannot be read: %s", self._path, error)
            return {}

    def prune(self, step: Step, before: int, hosts_before: int, most: int) -> int:
        """Delete up to `most` old records, of hosts first, in one transaction."""
        try:
            with self._opened() as database:
                hosts = self._prune(database, step, hosts_before, FIRST_HOST, most)
                return hosts or self._prune(database, step, before, 0, most)
        except (OSError, sqlite3.Error) as error:
            log.error("%s: old history cannot be deleted: %s", self._path, error)
            return 0

    def save_learned_rates(self, learned: Mapping[str, bytes]) -> None:
        """Save what was learned, by department, over what was saved before; not while held."""
        self._save_learned("learned_rates", learned)

    def learned_rates(self) -> Mapping[str, bytes]:
        """What was saved, by department."""
        return self._learned("learned_rates")

    def save_sent_volumes(self, learned: Mapping[str, bytes]) -> None:
        """Save how much devices send, by department, over what was saved before; not while held."""
        self._save_learned("sent_volume", learned)

    def sent_volumes(self) -> Mapping[str, bytes]:
        """What was saved, by department."""
        return self._learned("sent_volume")

    def add_anomaly(self, one: StoredAnomaly) -> None:
        """Save an anomaly; the oldest of more than `MOST_ANOMALIES` is deleted."""
        if self._held is not None:
            self._held = [*self._held, one][-MOST_ANOMALIES:]
            return
        try:
            with self._opened() as database, database.atomic():
                row = {"department": one.department, "at": one.at.timestamp(), "facts": one.facts}
                database.table("anomaly").insert(row)
                database.execute(
                    "DELETE FROM anomaly WHERE id <= (SELECT max(id) FROM anomaly) - ?", (MOST_ANOMALIES,)
                ).close()
        except (OSError, sqlite3.Error) as error:
            log.error("%s: an anomaly cannot be saved: %s", self._path, error)

    def anomalies(
        self, departments: Sequence[str], since: datetime, until: datetime, most: int
    ) -> Sequence[StoredAnomaly]:
        """Those that were told from `since` until before `until`, the newest first, at most so many."""
        wanted = ", ".join("?" * len(departments))
        query = (
            f"SELECT department, at, facts FROM anomaly WHERE department IN ({wanted}) AND at >= ? AND at < ?"  # noqa: S608
            " ORDER BY at DESC, id DESC LIMIT ?"
        )
        try:
            with self._opened() as database:
                found = database.execute(query, (*departments, since.timestamp(), until.timestamp(), most)).fetchall()
        except (OSError, sqlite3.Error) as error:
            log.error("%s: anomalies cannot be read: %s", self._path, error)
            return []
        return [StoredAnomaly(name, datetime.fromtimestamp(at, UTC), facts) for name, at, facts in found]

    def fold(self) -> None:
        """Fold the log into the file, over a connection of its own: it may run in another thread."""
        if self._held is not None or not self._path.exists():
            return
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=rw", uri=True, timeout=BUSY_S)) as connection:
                connection.execute("PRAGMA wal_checkpoint (PASSIVE)").close()
        except sqlite3.Error as error:  # the medium is full or damaged, which `add` reports; the log has everything
            log.info("%s: its log is not folded: %s", self._path, error)

    def close(self) -> None:
        """Fold the log and close the file."""
        database, self._database = self._database, None
        self._numbers.clear()
        if database is not None:
            database.close()

    def _save_learned(self, table: str, learned: Mapping[str, bytes]) -> None:
        if self._held is not None:
            return
        try:
            with self._opened() as database, database.atomic():
                rows = ({"department": one, "numbers": numbers} for one, numbers in learned.items())
                database.table(table).upsert_all(rows, pk="department")
        except (OSError, sqlite3.Error) as error:
            log.error("%s: what is usual cannot be saved: %s", self._path, error)

    def _learned(self, table: str) -> Mapping[str, bytes]:
        try:
            with self._opened() as database:
                return {row["department"]: row["numbers"] for row in database.table(table).rows}
        except (OSError, sqlite3.Error) as error:
            log.error("%s: what is usual cannot be read: %s", self._path, error)
            return {}

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        """The database.

        After a failure other than a full disk it is closed, to be opened again; a damaged file is moved aside first.
        """
        try:
            if self._database is None:
                self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._database = open_database(self._path, migrations, PRAGMAS, busy_s=LOOP_BUSY_S)
            yield self._database
        except (OSError, sqlite3.Error) as error:
            self._numbers.clear()  # some may belong to the transaction that failed
            if code_of(error) != sqlite3.SQLITE_FULL:
                self.close()
            if code_of(error) in {*DAMAGE, sqlite3.SQLITE_ERROR}:  # the last: a table is missing or another
                aside = move_aside(self._path, datetime.now(UTC), most=1)
                log.error("%s is damaged (%s): moved to %s; history begins again", self._path, error, aside)
            raise

    def _records(
        self, database: Database, sums: Mapping[Series, Mapping[Key, Sequence[int]]]
    ) -> dict[Step, dict[int, dict[int, Sequence[int]]]]:
        """By width and key of the record, the sums by bucket."""
        records: dict[Step, dict[int, dict[int, Sequence[int]]]] = {step: {} for step in TABLES}
        for series, buckets in sums.items():
            number = self._number(database, series, max((day for step, day in buckets if step is Step.DAY), default=0))
            for (step, bucket), total in buckets.items():
                key = bucket // RECORD_BUCKETS[step] << SERIES_BITS | number
                records[step].setdefault(key, {})[bucket] = total
        return records

    def _number(self, database: Database, series: Series, day: int) -> int:
        known = self._numbers.get(series)
        if known is None:
            found = database.execute("SELECT number, seen FROM series WHERE department = ? AND host = ?", series)
            known = found.fetchone() or self._enter(database, series)
        number, seen = known
        if day > seen:
            database.execute("UPDATE series SET seen = ? WHERE number = ?", (day, number)).close()
            seen = day
        if len(self._numbers) >= MOST_NUMBERS:
            self._numbers.clear()
        self._numbers[series] = number, seen
        return number

    @staticmethod
    def _enter(database: Database, series: Series) -> tuple[int, int]:
        first, last = (0, FIRST_HOST - 1) if series[1] == ALL_HOSTS else (FIRST_HOST, SERIES_MASK)
        found = database.execute("SELECT max(number) FROM series WHERE number BETWEEN ? AND ?", (first, last))
        [largest] = found.fetchone()
        number = first if largest is None else largest + 1
        values = (number, *series)
        database.execute("INSERT INTO series (number, department, host, seen) VALUES (?, ?, ?, 0)", values).close()
        return number, 0

    def _read(self, database: Database, step: Step, series: Series, buckets: range) -> dict[int, Passed]:
        found = database.execute("SELECT number FROM series WHERE department = ? AND host = ?", series).fetchone()
        oldest, newest = database.execute(_sql(_ENDS, step)).fetchone()
        if found is None or oldest is None:
            return {}
        size = RECORD_BUCKETS[step]
        first = max(buckets.start // size, oldest >> SERIES_BITS)
        last = min((buckets.stop - 1) // size, newest >> SERIES_BITS)
        if first > last:
            return {}
        keys = [record << SERIES_BITS | found[0] for record in (first, last)]
        return {
            bucket: Passed(up_bytes, down_bytes)
            for key, data in database.execute(_sql(_READ, step), keys).fetchall()
            for bucket, up_bytes, down_bytes in _unpacked(key, data, size)
            if bucket in buckets
        }

    def _prune(self, database: Database, step: Step, before: int, first_number: int, most: int) -> int:
        since, until = self._pruned.get((step, first_number), OLDEST), before // RECORD_BUCKETS[step] << SERIES_BITS
        keys = database.execute(_sql(_OLDEST, step), (since, until, first_number, most)).fetchall()
        if keys:
            [[oldest], [newest]] = keys[0], keys[-1]
            with database.atomic():
                if step is Step.DAY and first_number == FIRST_HOST:
                    database.execute(_sql(_DELETE_SERIES, step), (newest >> SERIES_BITS, oldest, newest)).close()
                    self._numbers.clear()
                database.execute(_sql(_DELETE, step), (oldest, newest, first_number)).close()
        # Sums added before this point, by a clock that was set back, are found after the next start.
        self._pruned[step, first_number] = keys[-1][0] if len(keys) == most else max(since, until)
        return len(keys)


def _add(database: Database, step: Step, records: dict[int, dict[int, Sequence[int]]]) -> None:
    if not records:
        return
    size = RECORD_BUCKETS[step]
    for key, data in database.execute(_sql(_FOUND, step), (min(records), max(records))).fetchall():
        sums = records.get(key)
        if sums is not None:
            for bucket, up_bytes, down_bytes in _unpacked(key, data, size):
                up_more, down_more = sums.get(bucket, (0, 0))
                sums[bucket] = up_bytes + up_more, down_bytes + down_more
    rows = [(key, _packed(sums, size)) for key, sums in sorted(records.items())]
    database.conn.executemany(_sql(_ADD, step), rows)


def _packed(sums: Mapping[int, Sequence[int]], size: int) -> bytes:
    """Encode a record: a number's width in bytes, then by bucket up plus one (0: no such bucket) and down."""
    numbers = [0] * (2 * size)
    for bucket, (up_bytes, down_bytes) in sums.items():
        place = bucket % size * 2
        numbers[place], numbers[place + 1] = up_bytes + 1, down_bytes
    width = (max(numbers).bit_length() + 7) // 8
    return bytes([width]) + b"".join([number.to_bytes(width, "little") for number in numbers])


def _unpacked(key: int, data: bytes, size: int) -> list[tuple[int, int, int]]:
    """The record's buckets, each with its sums. Raises `UnsoundDatabase` for what `_packed` has not made."""
    try:
        width = data[0]
        numbers = [int.from_bytes(data[at : at + width], "little") for at in range(1, len(data), width)]
        first = (key >> SERIES_BITS) * size
        sums = list(zip(range(first, first + size), numbers[0::2], numbers[1::2], strict=True))
    except (IndexError, TypeError, ValueError) as error:
        raise UnsoundDatabase(f"the record {key} cannot be read: {error}") from error
    return [(bucket, up_more - 1, down_bytes) for bucket, up_more, down_bytes in sums if up_more]


def _sql(template: str, step: Step) -> str:
    return template.format(table=TABLES[step], mask=SERIES_MASK, apart=1 << SERIES_BITS, hosts=FIRST_HOST)
