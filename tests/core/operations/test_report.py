from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.metering.history_series import Step
from appliance.core.metering.quota import QuotaKind
from appliance.core.operations.report import Gap, ReportSpan, counted, latest_span, span_of

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
COUNTED = "Counted are the bytes of IP packets, in both directions, by the days of Europe/Berlin."
NO_GAP = "There is no gap of an hour or more."


@pytest.mark.parametrize(
    ("text", "first", "after", "before"),
    [
        ("2026-11-27", date(2026, 11, 27), date(2026, 11, 28), date(2026, 11, 26)),
        ("2026-W48", date(2026, 11, 23), date(2026, 11, 30), date(2026, 11, 16)),
        ("2026-W53", date(2026, 12, 28), date(2027, 1, 4), date(2026, 12, 21)),
        ("2027-W01", date(2027, 1, 4), date(2027, 1, 11), date(2026, 12, 28)),
        ("2026-10", date(2026, 10, 1), date(2026, 11, 1), date(2026, 9, 1)),
        ("2026-03", date(2026, 3, 1), date(2026, 4, 1), date(2026, 2, 1)),
        ("2028-02-29", date(2028, 2, 29), date(2028, 3, 1), date(2028, 2, 28)),
        ("2026-01", date(2026, 1, 1), date(2026, 2, 1), date(2025, 12, 1)),
    ],
)
def test_a_day_a_week_and_a_month_have_their_days(text: str, first: date, after: date, before: date) -> None:
    span = span_of(text)
    assert (span.first, span.after, span.before.first, span.before.after) == (first, after, before, first)
    assert span.text == text


@pytest.mark.parametrize(
    ("kind", "wall", "expected"),
    [
        (QuotaKind.DAILY, "2026-12-01 05:59", ("2026-11-29", "2026-11-30 05:00")),
        (QuotaKind.DAILY, "2026-12-01 06:00", ("2026-11-30", "2026-12-01 05:00")),
        (QuotaKind.WEEKLY, "2026-11-30 06:00", ("2026-W48", "2026-11-30 05:00")),
        (QuotaKind.WEEKLY, "2026-11-30 05:59", ("2026-W47", "2026-11-23 05:00")),
        (QuotaKind.MONTHLY, "2026-12-31 23:59", ("2026-11", "2026-12-01 05:00")),
        (QuotaKind.DAILY, "2026-03-29 12:00", ("2026-03-28", "2026-03-29 04:00")),  # after the change of the clocks
    ],
)
def test_the_latest_span_is_due_at_its_local_time(kind: QuotaKind, wall: str, expected: tuple[str, str]) -> None:
    now = datetime.fromisoformat(wall).replace(tzinfo=BERLIN).astimezone(UTC)
    span, due = latest_span(kind, time(6), now, BERLIN)
    assert (span.text, f"{due:%Y-%m-%d %H:%M}") == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", "2026", "2026-13", "2026-00", "2026-11-31", "2026-W00", "2025-W53", "2026-W54", "2026-1", "26-11-27"),
        *("1999-12", "2100-01", "2026-11-27T00", " 2026-11", "2026-11\n", "٢٠٢٦-11", "2026/11", "2026-w48", "2026-W4"),
    ],
)
def test_anything_else_is_no_span(text: str) -> None:
    with pytest.raises(ValueError, match="must be a day such as 2026-11-27"):
        span_of(text)


@given(st.text(max_size=12))
def test_any_text_is_a_span_or_a_value_error(text: str) -> None:
    try:
        span = span_of(text)
    except ValueError:
        return
    assert span.before.after == span.first < span.after


def test_a_span_begins_and_ends_with_local_days() -> None:
    assert span_of("2026-10-25").bounds(BERLIN) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )


def test_a_month_tells_how_it_was_counted_and_which_day_had_other_hours() -> None:
    assert counted(span_of("2026-10"), [], Step.HOUR, [], NOW, BERLIN).sentences() == [
        COUNTED,
        "2026-10-25 has 25 hours, because the clocks change.",
        NO_GAP,
    ]


def test_gaps_are_told_with_the_longest_of_them() -> None:
    began = datetime(2026, 11, 12, 13, 5, tzinfo=UTC)
    gap, other = Gap(began, began + timedelta(minutes=11)), Gap(began + timedelta(hours=1), began + timedelta(hours=3))
    where = "from 2026-11-12 14:05 to 2026-11-12 14:16"
    assert (
        counted(span_of("2026-11-12"), [gap], Step.MINUTE, [], NOW, BERLIN).sentences()[1]
        == f"Not metered: 11m, {where}."
    )
    assert counted(span_of("2026-11"), [gap, other], Step.FIVE_MINUTES, [], NOW, BERLIN).sentences()[1] == (
        "Not metered: 2h11m in 2 gaps of five minutes or more, the longest from 2026-11-12 15:05 to 2026-11-12 17:05."
    )


def test_a_running_span_says_how_far_it_goes_and_one_ahead_that_it_has_not_begun() -> None:
    running = ReportSpan(QuotaKind.DAILY, date(2026, 12, 1))
    assert counted(running, [], Step.HOUR, ["10.0.0.0/8"], NOW, BERLIN).sentences() == [
        COUNTED,
        "Traffic with 10.0.0.0/8 is exempt and not counted.",
        NO_GAP,
        "The figures go up to 2026-12-01 13:00.",
    ]
    assert counted(span_of("2026-12-02"), [], Step.HOUR, [], NOW, BERLIN).sentences() == [
        COUNTED,
        "The time of this report has not begun.",
    ]
