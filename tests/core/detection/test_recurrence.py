from appliance.core.detection.rates.recurrence import MOST, Recurrence

DAY_S, NIGHT_S = 86400.0, 2 * 3600.0


def told(recurrence: Recurrence, *times: tuple[int, float, float]) -> list[bool]:
    """Whether it is told on these days, at this second and of this rate."""
    return [recurrence.is_new(second, rate, day * DAY_S + second) for day, second, rate in times]


def test_what_was_told_on_two_days_at_the_same_time_is_usual() -> None:
    nights = [(day, NIGHT_S + day * 60, 5e6 + day * 1e5) for day in (1, 4, 5, 9)]
    assert told(Recurrence(), *nights) == [True, True, False, False]


def test_midnight_lies_between_two_near_times() -> None:
    assert told(Recurrence(), (1, 86000.0, 1e6), (3, 300.0, 1e6), (4, 86300.0, 1e6)) == [True, True, False]


def test_what_carries_far_more_or_comes_at_another_time_is_new() -> None:
    known = Recurrence()
    told(known, (1, NIGHT_S, 5e6), (2, NIGHT_S, 5e6))
    assert told(known, (3, NIGHT_S, 20e6), (3, NIGHT_S + 7200, 5e6)) == [True, True]


def test_what_becomes_graver_in_one_night_was_told_on_one_day() -> None:
    found = told(Recurrence(), (1, NIGHT_S, 1e6), (1, NIGHT_S + 600, 9e6), (2, NIGHT_S, 9e6), (3, NIGHT_S, 9e6))
    assert found == [True, True, True, False]


def test_few_are_remembered_and_what_goes_on_is_among_them() -> None:
    known = Recurrence()
    told(known, (1, NIGHT_S, 1e6), (2, NIGHT_S, 1e6))
    for number in range(2 * MOST):
        told(known, (3 + number, 30_000 + number * 3700.0, 1e6))
        assert told(known, (3 + number, NIGHT_S, 1e6)) == [False]


def test_what_was_told_is_known_after_a_restart() -> None:
    known = Recurrence()
    told(known, (1, NIGHT_S, 1e6), (2, NIGHT_S, 1e6))
    assert told(Recurrence(known.numbers), (3, NIGHT_S, 1e6)) == [False]
