"""What has been used stays used when the configuration changes where periods begin."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from appliance.core.metering.history_series import ALL_HOSTS, Step, bucket_of
from appliance.core.metering.quota import Action, Limits, QuotaKind
from appliance.system.storage.history_store import SqliteHistoryStore
from tests.monitor.metering.test_departments import BERLIN, A, Appliance
from tests.monitor.metering.test_hosts import HOST, used
from tests.monitor.metering.test_hosts import use as use_host

DAY = timedelta(days=1)
TENTH = datetime(2026, 11, 10, 12, tzinfo=UTC)


def monthly(billing_day: int, limit: int = 1000) -> Limits:
    return Limits({QuotaKind.MONTHLY: limit}, billing_day=billing_day, on_exceeded=Action.BLOCK)


def used_in(appliance: Appliance, kind: QuotaKind = QuotaKind.MONTHLY) -> int:
    return next(one.used_bytes for one in appliance.metering.books(A, appliance.now) if one.kind is kind)


def resets_on(appliance: Appliance) -> date:
    books = appliance.metering.books(A, appliance.now)
    return next(one.resets_at for one in books if one.kind is QuotaKind.MONTHLY).astimezone(BERLIN).date()


def from_tenth_to_twentieth(path: Path, billing_day: int) -> Appliance:
    """A department that used 100 on the 10th and 30 on the 20th, now."""
    appliance = Appliance(path, monthly(billing_day), wall=TENTH)
    appliance.use(A, 100)
    appliance.step(10 * DAY.total_seconds())
    appliance.use(A, 30)
    return appliance


# From one billing day to another, on the 20th: what the month that runs now has used, and when it ends.
CHANGES = {
    "to a day that has passed": (1, 15, 30, date(2026, 12, 15)),
    "to a day before all use": (1, 5, 130, date(2026, 12, 5)),
    "to the day itself": (1, 20, 30, date(2026, 12, 20)),
    "to a day to come": (1, 25, 130, date(2026, 11, 25)),
    "to the first": (15, 1, 130, date(2026, 12, 1)),
    "to one before that of the month": (15, 10, 130, date(2026, 12, 10)),
    "to none of this month": (15, 31, 130, date(2026, 11, 30)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_billing_day_keeps_what_the_month_has_used(tmp_path: Path, change: str) -> None:
    former, latter, used_bytes, end = CHANGES[change]
    appliance = from_tenth_to_twentieth(tmp_path / "s", former)
    for _ in range(3):  # a start more changes nothing
        appliance.reconfigure(monthly(latter))
        assert (used_in(appliance), resets_on(appliance)) == (used_bytes, end)
        appliance.step()
    appliance.use(A, 7)
    assert used_in(appliance) == used_bytes + 7


def test_there_and_back_is_as_before(tmp_path: Path) -> None:
    appliance = from_tenth_to_twentieth(tmp_path / "s", 1)
    for billing_day, used_bytes in ((15, 30), (1, 130), (25, 130), (15, 30), (1, 130)):
        appliance.reconfigure(monthly(billing_day))
        assert used_in(appliance) == used_bytes
        appliance.step()


def test_who_is_cut_off_is_not_opened_by_another_billing_day(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "s", monthly(1), wall=TENTH)
    appliance.use(A, 1000)
    appliance.reconfigure(monthly(10))
    assert appliance.metering.exceeded_kinds(A) == (QuotaKind.MONTHLY,)
    appliance.step()
    assert appliance.alerts() == [("monthly", "warning"), ("monthly", "critical"), ("monthly", "exceeded")]
    appliance.reconfigure(monthly(11))  # which is a new month, from tomorrow on
    appliance.step(DAY.total_seconds())
    assert appliance.metering.exceeded_kinds(A) == ()


def test_a_grant_of_the_month_stays_granted(tmp_path: Path) -> None:
    appliance = from_tenth_to_twentieth(tmp_path / "s", 1)
    appliance.metering.extend(A, QuotaKind.MONTHLY, 500, "because", "me", appliance.now)
    appliance.reconfigure(monthly(15))
    books = next(one for one in appliance.metering.books(A, appliance.now) if one.kind is QuotaKind.MONTHLY)
    assert (books.used_bytes, books.limit_bytes) == (30, 1500)


def history(path: Path, series: tuple[str, str], sums: Mapping[tuple[Step, datetime], int], zone: ZoneInfo):
    store = SqliteHistoryStore(path)
    by_key = {(step, bucket_of(step, wall, zone)): (used_bytes, 0) for (step, wall), used_bytes in sums.items()}
    assert store.accumulate({series: by_key}) is None
    return store


def test_days_that_only_history_has_count_too(tmp_path: Path) -> None:
    appliance = from_tenth_to_twentieth(tmp_path / "s", 15)
    store = history(tmp_path / "h", (A, ALL_HOSTS), {(Step.DAY, TENTH - DAY): 55, (Step.DAY, TENTH): 90}, BERLIN)
    appliance.reconfigure(monthly(1), history_store=store)
    assert used_in(appliance) == 55 + 100 + 30  # of each day, the more that is known


def test_a_hosts_month_is_shown_by_its_history(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "s", Limits({}), host_limits=monthly(1), wall=TENTH)
    use_host(appliance, 100)
    appliance.step(10 * DAY.total_seconds())
    use_host(appliance, 30)
    store = history(tmp_path / "h", (A, HOST), {(Step.DAY, TENTH): 100, (Step.DAY, appliance.now.wall): 30}, BERLIN)
    appliance.reconfigure(Limits({}), monthly(15), history_store=store)
    assert used(appliance, kind=QuotaKind.MONTHLY) == 30
    appliance.reconfigure(Limits({}), monthly(1), history_store=store)
    assert used(appliance, kind=QuotaKind.MONTHLY) == 130


def test_a_new_kind_of_host_quota_begins_with_what_history_shows(tmp_path: Path) -> None:
    daily = Limits({QuotaKind.DAILY: 1000})
    appliance = Appliance(tmp_path / "s", Limits({}), host_limits=daily, wall=TENTH)
    use_host(appliance, 100)
    store = history(tmp_path / "h", (A, HOST), {(Step.DAY, TENTH): 100, (Step.DAY, TENTH - DAY): 40}, BERLIN)
    appliance.reconfigure(Limits({}), Limits({**daily.bytes_by_kind, QuotaKind.MONTHLY: 2000}), history_store=store)
    assert used(appliance, kind=QuotaKind.MONTHLY) == 140


def test_a_zone_in_which_it_is_tomorrow_already_takes_over_what_was_used_since_its_midnight(tmp_path: Path) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")  # where the 11th began at 15:00 UTC
    appliance = Appliance(tmp_path / "s", Limits({QuotaKind.DAILY: 1000}), wall=TENTH + timedelta(hours=2))
    appliance.use(A, 100)
    appliance.wait(2 * 3600)
    appliance.use(A, 30)
    sums = {(Step.FIVE_MINUTES, TENTH + timedelta(hours=2)): 100, (Step.FIVE_MINUTES, appliance.now.wall): 30}
    store = history(tmp_path / "h", (A, ALL_HOSTS), sums, tokyo)
    appliance.reconfigure(Limits({QuotaKind.DAILY: 1000}), zone=tokyo, history_store=store)
    appliance.step()
    assert used_in(appliance, QuotaKind.DAILY) == 30
    assert used_in(appliance) == 130


def test_a_zone_in_which_it_is_still_yesterday_keeps_the_running_day(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "s", Limits({QuotaKind.DAILY: 1000}), wall=datetime(2026, 11, 10, 1, tzinfo=UTC))
    appliance.use(A, 100)
    appliance.reconfigure(Limits({QuotaKind.DAILY: 1000}), zone=ZoneInfo("America/New_York"))
    appliance.step()
    assert used_in(appliance, QuotaKind.DAILY) == 100
