from collections.abc import Callable, Iterable
from math import inf, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.detection.rates.anomaly import Anomaly, AnomalyType, Contributor, Direction
from appliance.core.detection.rates.department_rates import DepartmentRates
from appliance.core.detection.rates.expectation import Clock
from tests.bench import traffic
from tests.bench.traffic import DAY, Happening, Line

SERVER = Contributor("192.168.1.20", 170_000.0)
LEARNED = 9  # days, from a Monday on; the tenth day is a Wednesday


def judged(
    line: Line, rates: DepartmentRates | None = None, minutes: Iterable[int] | None = None
) -> list[tuple[int, Anomaly]]:
    """The anomalies of a line, by the minute after which they are told."""
    rates, found = rates or DepartmentRates(), []
    for minute in minutes or range(line.minutes):
        second = (minute + 1) * 60
        clock = Clock(second // 86400 % 7, second % 86400)
        one = rates.judge(line.up[minute], line.down[minute], clock, second, contributor)
        if one is not None:
            found.append((minute + 1, one))
    return found


def contributor(_: Direction) -> Contributor:
    return SERVER


@pytest.fixture(scope="module")
def learned() -> bytes:
    """What a small line of its own has taught in nine days."""
    rates = DepartmentRates()
    assert judged(traffic.small(1, LEARNED), rates) == []
    return rates.state


def tenth_day() -> Line:
    return traffic.small(1, LEARNED + 1)


def on_tenth_day(line: Line, saved: bytes) -> list[tuple[int, Anomaly]]:
    """The anomalies after a restart at midnight; minutes of that day."""
    found = judged(line, DepartmentRates(saved), range(LEARNED * DAY, (LEARNED + 1) * DAY))
    return [(minute - LEARNED * DAY, one) for minute, one in found]


def test_an_ordinary_day_is_no_anomaly(learned: bytes) -> None:
    assert on_tenth_day(tenth_day(), learned) == []


def test_much_more_than_usual_is_told_once_within_five_minutes_in_a_sentence(learned: bytes) -> None:
    line = tenth_day()
    line.add(line.down, LEARNED * DAY + 10 * 60, 30, 180e3)
    [(minute, found)] = on_tenth_day(line, learned)
    assert 600 < minute <= 605
    assert (found.type, found.direction, found.contributor) == (
        "usage_spike",
        "down",
        Contributor("192.168.1.20", 170e3),
    )
    assert found.low < 20e3 < found.high < 150e3 < found.rate
    said = found.details
    assert said.startswith(("19", "18", "2"))
    assert "kB/s down since 10:00, where" in said
    assert "is usual on a Wednesday at this hour, by the last 9 days" in said
    assert said.endswith("most of it by 192.168.1.20 (170 kB/s); see what is fetched")


def test_an_outage_is_a_drop(learned: bytes) -> None:
    line = tenth_day()
    for minute in range(LEARNED * DAY + 11 * 60, LEARNED * DAY + 12 * 60):
        line.up[minute] = line.down[minute] = 0.0
    [(minute, found)] = on_tenth_day(line, learned)
    assert 660 < minute <= 665
    assert (found.type, found.severity, found.contributor) == ("usage_drop", "high", None)
    assert found.confidence >= 0.8
    assert found.details.startswith("0 B/s ")
    assert found.details.endswith("look at the cable, the switch and the uplink")


def test_the_rate_of_a_working_hour_is_unusual_by_night_and_told_once_all_night(learned: bytes) -> None:
    line = tenth_day()
    line.add(line.down, LEARNED * DAY, 6 * 60, 14e3)
    [(minute, found)] = on_tenth_day(line, learned)
    assert minute <= 5
    assert found.type == "unusual_hour"


def test_a_quiet_holiday_is_no_outage(learned: bytes) -> None:
    line = tenth_day()
    sunday = traffic.small(2, 7)
    for minute in range(DAY):
        line.up[LEARNED * DAY + minute] = sunday.up[6 * DAY + minute]
        line.down[LEARNED * DAY + minute] = sunday.down[6 * DAY + minute]
    assert on_tenth_day(line, learned) == []


@pytest.mark.parametrize("days", [7, 14])
def test_a_line_that_nobody_uses_yet_teaches_nothing(days: int) -> None:
    silent, line = traffic.empty(days), traffic.small(1, LEARNED)
    assert judged(Line(silent.up + line.up, silent.down + line.down)) == []


def test_a_silence_of_weeks_changes_nothing_of_what_is_usual(learned: bytes) -> None:
    begins, ends, line = LEARNED * DAY, 21 * DAY, traffic.small(1, 28)
    for rates in (line.up, line.down):
        rates[begins:ends] = traffic.empty(21 - LEARNED).up
    found = judged(line, DepartmentRates(learned), range(begins, 28 * DAY))
    assert [one.type for minute, one in found if minute < ends] in ([], [AnomalyType.DROP])
    assert [one for minute, one in found if minute >= ends] == []


def test_what_grows_graver_is_told_again(learned: bytes) -> None:
    line = tenth_day()
    line.add(line.down, LEARNED * DAY + 10 * 60, 60, 300e3)
    line.add(line.down, LEARNED * DAY + 10 * 60 + 30, 30, 20e6)
    assert [one.severity for _, one in on_tenth_day(line, learned)] == ["medium", "critical"]


def test_what_carries_far_more_than_what_was_told_is_told_too(learned: bytes) -> None:
    line = tenth_day()
    line.add(line.down, LEARNED * DAY + 10 * 60, 30, 2e6)
    line.add(line.down, LEARNED * DAY + 11 * 60, 30, 5e6)
    line.add(line.down, LEARNED * DAY + 12 * 60, 30, 20e6)
    found = on_tenth_day(line, learned)
    assert [(one.severity, round(one.rate / 1e6)) for _, one in found] == [("critical", 2), ("critical", 20)]


@pytest.fixture(scope="module")
def learned_office() -> bytes:
    """What an office has taught, where each day somebody fetches something large."""
    rates = DepartmentRates()
    judged(office(), rates, range(LEARNED * DAY))
    return rates.state


def office() -> Line:
    return traffic.office(2, LEARNED + 1, 25)


@pytest.mark.parametrize("happens", [traffic.burst, traffic.rise])
def test_a_burst_and_a_slow_rise_are_told_where_large_transfers_are_usual(
    learned_office: bytes, happens: Callable[[Line, int, Random], Happening]
) -> None:
    line = office()
    event = happens(line, LEARNED, Random(2))
    told = [minute + LEARNED * DAY for minute, _ in on_tenth_day(line, learned_office)]
    assert [minute for minute in told if event.start < minute <= event.told_from + 5]


def test_a_day_of_that_office_is_no_anomaly(learned_office: bytes) -> None:
    assert on_tenth_day(office(), learned_office) == []


def test_a_nightly_backup_is_told_at_most_twice_in_all() -> None:
    found = judged(traffic.office(4, 15, 5))
    assert sum(110 <= minute % DAY < 240 for minute, _ in found) <= 2


@pytest.mark.slow  # 24 days of both directions
def test_a_backup_that_lasts_longer_in_some_nights_is_told_twice_after_the_first_week() -> None:
    found = [minute for minute, _ in judged(traffic.office(7, 24, 5)) if minute > 7 * DAY]
    assert sum(110 <= minute % DAY < 240 for minute in found) == 2


@pytest.mark.slow  # twenty days of both directions
def test_a_new_level_becomes_usual_within_a_week() -> None:
    line = traffic.steady(3, 20)
    for minute in range(8 * DAY, line.minutes):
        line.up[minute] *= 4
    found = [minute // DAY for minute, _ in judged(line)]
    assert 8 in found
    assert max(found) < 15


def test_the_wall_clock_may_be_set_and_then_nothing_is_concluded(learned: bytes) -> None:
    rates = DepartmentRates(learned)
    clock = Clock(2, 36000)
    for now_s in (0.0, 60.0, 1e9, 1e9 + 60, 100.0, 160.0):
        assert rates.judge(3e3, 12e3, clock, now_s) is None


def test_no_hour_learns_from_a_time_that_is_not_known() -> None:
    rates = DepartmentRates()
    before = rates.state
    for minute in range(3 * DAY):
        rates.judge(1e3, 1e3, None, minute * 60.0)
    assert rates.state == before
    assert rates.expected(Clock(0, 0)) is None


def test_what_was_learned_fits_a_kilobyte_a_direction_and_survives_as_it_is(learned: bytes) -> None:
    assert len(learned) <= 2048
    assert DepartmentRates(learned).state == learned


@pytest.mark.parametrize("saved", [b"", b"x", bytes(8), bytes(800), b"\xff" * 4096])
def test_what_another_version_saved_is_not_used(saved: bytes) -> None:
    assert DepartmentRates(saved).state == DepartmentRates().state


@pytest.mark.parametrize("at", [0, 100, -5, -1])
def test_what_was_damaged_is_not_used(learned: bytes, at: int) -> None:
    saved = bytearray(learned)
    saved[at] ^= 0x40
    assert DepartmentRates(bytes(saved)).state == DepartmentRates().state


def test_what_is_usual_follows_the_hour(learned: bytes) -> None:
    rates = DepartmentRates(learned)
    night, day = rates.expected(Clock(2, 3 * 3600)), rates.expected(Clock(2, 11 * 3600))
    assert night is not None
    assert day is not None
    assert night[0] <= 1.5e3 <= night[1] < day[1]
    assert day[0] < 15e3 < day[1]


@given(st.lists(st.tuples(st.floats(0, 1e13), st.floats(0, 1e13), st.floats(0, 700)), max_size=60))
def test_whatever_the_rates_what_is_told_has_numbers_in_it(samples: list[tuple[float, float, float]]) -> None:
    rates, now_s, chance = DepartmentRates(), 0.0, Random(1)
    for up, down, elapsed_s in samples * 3:
        now_s += elapsed_s
        found = rates.judge(up, down, Clock(chance.randrange(7), now_s % 86400), now_s)
        assert found is None or (0 < found.confidence < 1 and str(nan) not in found.details)
        expected = rates.expected(Clock(0, now_s % 86400))
        assert expected is None or 0 <= expected[0] <= expected[1] < inf
