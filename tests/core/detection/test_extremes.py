from random import Random

import pytest

from appliance.core.detection.rates.extremes import (
    BUSY,
    COURSES,
    DAY_S,
    LEAST_DAYS,
    LEAST_RETURN_DAYS,
    QUIET,
    WEEKEND,
    Course,
    Extremes,
    Kinds,
    return_days,
)

IDLE = 1e-9
BURST = COURSES.index(Course.BURST)


def measures(burst: float) -> list[float]:
    return [burst if place == BURST else 0.0 for place in range(len(COURSES))]


def after_days(days: int, kinds: Kinds = (BUSY,), largest: float = 1000.0) -> Extremes:
    """A series whose largest burst of each day is about so high."""
    extremes, chance = Extremes(IDLE), Random(days)
    for _ in range(days):
        extremes.remember(kinds, measures(largest * chance.uniform(0.9, 1.1)), DAY_S)
    return extremes


def test_what_is_far_beyond_the_largest_of_every_day_is_found_with_how_far() -> None:
    extremes = after_days(20)
    assert extremes.furthest((BUSY,), measures(1050)) is None
    course, excess = extremes.furthest((BUSY,), measures(1500)) or pytest.fail("not found")
    assert course is Course.BURST
    assert return_days(excess) > LEAST_RETURN_DAYS


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_same_holds_for_a_line_of_any_width(scale: float) -> None:
    extremes = after_days(20, largest=1000 * scale)
    assert extremes.furthest((BUSY,), measures(1050 * scale)) is None
    assert extremes.furthest((BUSY,), measures(1500 * scale)) is not None


def test_bytes_are_judged_when_a_week_has_passed() -> None:
    assert after_days(LEAST_DAYS[BUSY] - 1).furthest((BUSY,), measures(1e9)) is None
    assert after_days(LEAST_DAYS[BUSY]).furthest((BUSY,), measures(1e9)) is not None


def test_an_hour_of_a_weekend_must_be_rare_among_both_of_its_kinds() -> None:
    extremes = after_days(20, (QUIET,), 1000)
    for _ in range(4):
        extremes.remember((QUIET, WEEKEND), measures(3000), DAY_S)
    assert extremes.furthest((QUIET, WEEKEND), measures(3050)) is None
    assert extremes.furthest((QUIET, WEEKEND), measures(9000)) is not None


def test_one_strange_day_does_not_become_the_measure_at_once() -> None:
    extremes = after_days(20)
    extremes.remember((BUSY,), measures(1e9), DAY_S)
    assert extremes.furthest((BUSY,), measures(2000)) is not None


def test_what_was_learned_is_the_same_after_a_restart() -> None:
    extremes = after_days(9)
    again = Extremes(IDLE, extremes.numbers)
    assert again.furthest((BUSY,), measures(1700)) == extremes.furthest((BUSY,), measures(1700))


def test_a_line_that_never_carried_anything_has_largest_values_too() -> None:
    extremes = Extremes(100.0)
    for _ in range(20):
        extremes.remember((BUSY,), measures(0.0), DAY_S)
    assert extremes.furthest((BUSY,), measures(10.0)) is None
    assert extremes.furthest((BUSY,), measures(1000.0)) is not None
