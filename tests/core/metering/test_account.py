from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appliance.core.metering.account import Account
from appliance.core.metering.meter import Reading
from appliance.core.metering.quota import (
    MOST_GRANTS,
    Action,
    AlertKind,
    Crossing,
    Extension,
    Ledger,
    Limits,
    QuotaKind,
    override,
)
from appliance.core.metering.usage import Mark, Passed
from appliance.core.moment import Moment

BERLIN = ZoneInfo("Europe/Berlin")
NOON = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 5000.0, is_trusted=True)
TODAY = date(2026, 11, 23)
DAILY = Limits({QuotaKind.DAILY: 1000})


def account(
    limits: Limits = DAILY,
    used: int | None = None,
    mark: Mark | None = None,
    by_hand: dict[QuotaKind, int | None] | None = None,
) -> Account:
    ledgers = [Ledger(kind, date(2026, 11, 1 if kind is QuotaKind.MONTHLY else 23), used or 0) for kind in QuotaKind]
    return Account(
        limits=override(limits, by_hand or {}), zone=BERLIN, ledgers=ledgers if used is not None else [], mark=mark
    )


def granted(more: int) -> Extension:
    return Extension(more, "ben", NOON.wall, "exam week")


def meter(total: int) -> Reading:
    return Reading("first", total, 0)


def at(seconds: float, wall: timedelta = timedelta(0)) -> Moment:
    return Moment(NOON.wall + timedelta(seconds=seconds) + wall, NOON.monotonic_s + seconds, is_trusted=True)


def read(books: Account, total: int, now: Moment, trusted: bool = True) -> list[Crossing]:
    return list(books.charge_reading(meter(total), 1.0, replace(now, is_trusted=trusted))[1])


def use_by_day(books: Account, kind: QuotaKind = QuotaKind.DAILY) -> dict[date, int]:
    return {one.start: one.used_bytes for one in books.unsaved if one.kind is kind}


def test_every_byte_is_charged_to_a_ledger_of_each_kind() -> None:
    books = account(used=100, mark=Mark("first", 40, 0))
    amount, _ = books.charge_reading(meter(65), 1.0, NOON)
    assert amount == Passed(25, 0)
    assert [one.used_bytes for one in books.ledgers] == [125, 125, 125]
    assert books.mark == Mark("first", 65, 0)
    assert books.daily.used_bytes == 125


def test_without_a_meter_an_account_charges_nothing_and_opens_its_ledgers() -> None:
    books = account()
    assert books.charge_reading(None, 1.0, NOON) == (Passed(), [])
    assert books.mark is None
    assert [(one.kind, one.used_bytes) for one in books.ledgers] == [(kind, 0) for kind in QuotaKind]


def test_bytes_of_an_untrusted_clock_stay_in_the_running_day() -> None:
    books = account(used=0)
    for day in range(1, 4):
        assert read(books, 10 * day, at(day, timedelta(days=day)), trusted=False) == []
    assert use_by_day(books) == {TODAY: 30}


def test_undated_bytes_move_to_their_days_once_the_clock_is_trusted() -> None:
    books = account(used=500)
    read(books, 10, at(1, timedelta(days=-400)), trusted=False)
    read(books, 30, at(2, timedelta(days=-400)), trusted=False)
    crossings = read(books, 35, at(3, timedelta(days=1)))
    assert [one.alert for one in crossings] == [AlertKind.RESET]
    assert use_by_day(books) == {TODAY: 500, TODAY + timedelta(days=1): 35}
    assert use_by_day(books, QuotaKind.WEEKLY) == {TODAY: 535}


def test_moved_bytes_raise_no_alert_a_second_time() -> None:
    limits = Limits({QuotaKind.DAILY: 1000, QuotaKind.MONTHLY: 1000})
    books = account(limits, used=300)
    raised = [*read(books, 10, at(1), trusted=False), *read(books, 600, at(2), trusted=False)]
    assert [(one.kind, one.alert) for one in raised] == [
        (QuotaKind.DAILY, AlertKind.WARNING),
        (QuotaKind.MONTHLY, AlertKind.WARNING),
    ]
    assert read(books, 601, at(3)) == []
    assert use_by_day(books) == {TODAY: 901}


def test_a_running_month_alerts_once_when_its_bytes_move_to_another_day() -> None:
    books = account(Limits({QuotaKind.MONTHLY: 1000}), used=0)
    assert [one.alert for one in read(books, 850, at(1), trusted=False)] == [AlertKind.WARNING]
    assert read(books, 851, at(2, timedelta(days=1))) == []
    assert use_by_day(books, QuotaKind.MONTHLY) == {date(2026, 11, 1): 851}
    assert use_by_day(books) == {TODAY: 0, TODAY + timedelta(days=1): 851}


def test_an_ended_period_stays_unsaved_until_its_saving_is_confirmed() -> None:
    books = account(used=7)
    read(books, 5, at(0, timedelta(days=1)))
    assert use_by_day(books) == {TODAY: 7, TODAY + timedelta(days=1): 5}
    books.confirm_saved()
    assert use_by_day(books) == {TODAY + timedelta(days=1): 5}


def test_a_limit_that_was_set_by_hand_wins_over_the_configured_one() -> None:
    books = account(used=500, by_hand={QuotaKind.DAILY: 400, QuotaKind.WEEKLY: 9000})
    assert [one.limit_bytes for one in books.books(NOON)] == [400, 9000, None]
    assert books.exceeded_kinds() == (QuotaKind.DAILY,)
    books.set_limit(QuotaKind.DAILY, None)
    assert [one.limit_bytes for one in books.books(NOON)] == [None, 9000, None]
    assert books.exceeded_kinds() == ()


def test_books_give_granted_bytes_and_the_end_of_the_period() -> None:
    books = account(used=500)
    books.grant(QuotaKind.DAILY, granted(250))
    books.grant(QuotaKind.DAILY, granted(750))
    daily = books.books(NOON)[0]
    assert (daily.used_bytes, daily.limit_bytes, daily.granted_bytes, daily.percentage) == (500, 2000, 1000, 25.0)
    assert daily.resets_at == datetime(2026, 11, 23, 23, tzinfo=UTC)


def test_books_name_the_latest_grants_and_one_that_is_taken_back_leaves_no_trace() -> None:
    books = account(used=500)
    for more in range(1, MOST_GRANTS + 2):
        books.grant(QuotaKind.DAILY, granted(more))
    books.take_back(books.grant(QuotaKind.DAILY, granted(10**6)))
    daily = books.books(NOON)[0]
    assert daily.grants == tuple(granted(more) for more in range(2, MOST_GRANTS + 2))
    assert daily.granted_bytes == sum(range(1, MOST_GRANTS + 2))


def test_books_say_since_when_a_quota_is_used_up_and_again_after_a_grant() -> None:
    books = account(used=900, mark=Mark("first", 900, 0))
    read(books, 1000, at(1))
    read(books, 1001, at(2))
    assert books.books(at(3))[0].exceeded_at == at(1).wall
    books.grant(QuotaKind.DAILY, granted(100))
    books.check_limits(at(4))
    assert books.books(at(4))[0].exceeded_at is None
    read(books, 1100, at(5))
    assert books.books(at(6))[0].exceeded_at == at(5).wall, "in the hysteresis there is no alert, but a time"


def test_no_time_of_an_untrusted_clock_is_told_for_a_used_up_quota() -> None:
    books = account(used=900, mark=Mark("first", 900, 0))
    read(books, 1000, at(1, timedelta(days=-400)), trusted=False)
    [daily] = [one for one in books.books(at(2)) if one.kind is QuotaKind.DAILY]
    assert (books.exceeded_kinds(), daily.is_exceeded, daily.exceeded_at) == ((QuotaKind.DAILY,), True, None)


def test_each_quota_has_the_forecast_of_its_own_limit() -> None:
    books = account(Limits({QuotaKind.DAILY: 1000, QuotaKind.WEEKLY: 2000}), used=500)
    found = [one.reaches_limit_at for one in books.books(NOON, 1.0)]
    assert found == [at(500).wall, at(1500).wall, None]
    assert [one.started_at.day for one in books.books(NOON)] == [22, 22, 31], "UTC, of midnight in Berlin"


def test_an_ended_period_keeps_the_limit_that_it_ended_with() -> None:
    books = account(used=900, mark=Mark("first", 900, 0))
    books.grant(QuotaKind.DAILY, granted(50))
    read(books, 950, at(1))
    books.confirm_saved()
    read(books, 960, at(2, timedelta(days=1)))
    ended = books.unsaved[0]
    [closed] = books.closed_periods([ended], books.running_start(QuotaKind.DAILY, at(2, timedelta(days=1))))
    assert (closed.used_bytes, closed.limit_bytes, closed.granted_bytes) == (950, 1050, 50)
    assert (closed.started_at, closed.ended_at) == (
        datetime(2026, 11, 22, 23, tzinfo=UTC),
        datetime(2026, 11, 23, 23, tzinfo=UTC),
    )
    assert closed.exceeded_at is None


def test_a_period_that_a_new_billing_day_cut_short_ends_where_the_next_begins() -> None:
    books = account(replace(DAILY, billing_day=15))
    ended = [Ledger(QuotaKind.MONTHLY, date(2026, 10, 1), 5)]
    [closed] = books.closed_periods(ended, date(2026, 10, 15))
    assert closed.ended_at == datetime(2026, 10, 14, 22, tzinfo=UTC)


def test_the_books_of_a_new_account_are_empty() -> None:
    assert [(one.kind, one.used_bytes) for one in account().books(NOON)] == [(kind, 0) for kind in QuotaKind]


@pytest.mark.parametrize(
    ("action", "used", "stop", "throttle"),
    [
        (Action.ALERT, 1200, None, None),
        (Action.THROTTLE, 400, None, None),
        (Action.THROTTLE, 1000, None, 50),
        (Action.BLOCK, 400, 77 + 600, None),
        (Action.BLOCK, 1200, 77 - 200, None),
    ],
)
def test_stop_and_throttle_follow_from_the_quota(
    action: Action, used: int, stop: int | None, throttle: int | None
) -> None:
    books = account(replace(DAILY, on_exceeded=action, throttle_bytes_s=50), used=used)
    assert books.stop_at_bytes(meter(77)) == stop
    assert books.throttle_bytes_s() == throttle


def test_a_meter_that_does_not_exist_yet_stops_at_the_remaining_bytes() -> None:
    assert account(replace(DAILY, on_exceeded=Action.BLOCK), used=400).stop_at_bytes(None) == 600


def test_the_forecast_is_for_the_first_limit_to_be_reached() -> None:
    books = account(Limits({QuotaKind.DAILY: 1000, QuotaKind.WEEKLY: 700}), used=100)
    assert books.forecast(10.0, NOON.wall) == NOON.wall + timedelta(seconds=60)
    assert books.forecast(0.0, NOON.wall) is None


def test_the_kernel_s_first_refusal_of_the_running_budget_is_the_exceeding() -> None:
    books = account(Limits({QuotaKind.DAILY: 1000}, on_exceeded=Action.BLOCK), used=0, mark=Mark("first", 0, 0))
    read(books, 500, at(1))
    refused = replace(meter(990), refused_budget=books.budget)
    _, crossings = books.charge_reading(refused, 1.0, at(2))
    assert [one.alert for one in crossings] == [AlertKind.WARNING, AlertKind.CRITICAL, AlertKind.EXCEEDED]
    assert crossings[-1].used_bytes == 990
    assert books.exceeded_kinds() == (QuotaKind.DAILY,)
    assert books.stop_at_bytes(meter(990)) == 990
    assert books.charge_reading(refused, 1.0, at(3))[1] == []


def test_a_refusal_of_an_earlier_budget_closes_nothing() -> None:
    books = account(Limits({QuotaKind.DAILY: 1000}, on_exceeded=Action.BLOCK), used=0, mark=Mark("first", 0, 0))
    read(books, 990, at(1))
    earlier = books.budget
    books.grant(QuotaKind.DAILY, granted(500))
    assert books.budget != earlier
    books.charge_reading(replace(meter(990), refused_budget=earlier), 1.0, at(2))
    assert books.exceeded_kinds() == ()
    assert books.left_bytes() == 510
