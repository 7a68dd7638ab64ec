from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.rate_limit import Rate, RateLimit

TEN = Rate(rate_per_s=10, burst=5)


def test_a_burst_is_granted_and_the_rest_waits():
    allowance = RateLimit(TEN, most_keys=100)
    assert [allowance.take("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert allowance.take("a", 0.0) == 0.1
    assert allowance.take("b", 0.0) == 0.0
    assert allowance.take("a", 0.1) == 0.0


def test_more_than_a_burst_is_never_granted_at_once():
    allowance = RateLimit(TEN, most_keys=100)
    assert allowance.take("a", 0.0) == 0.0
    assert sum(allowance.take("a", 1e6) == 0.0 for _ in range(50)) == 5


def test_a_clock_that_goes_back_gives_nothing():
    allowance = RateLimit(TEN, most_keys=100)
    for _ in range(5):
        allowance.take("a", 100.0)
    assert allowance.take("a", 50.0) > 0


def test_full_buckets_are_forgotten_and_there_are_never_more_than_the_most():
    allowance = RateLimit(TEN, most_keys=100)
    for stranger in range(1000):
        allowance.take(stranger, 0.0)
    assert len(allowance) == 100
    allowance.take("late", 60.0)
    assert len(allowance) == 1


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_what_is_granted_is_never_more_than_the_burst_and_the_rate(pauses):
    allowance, now_s, granted = RateLimit(TEN, most_keys=1), 0.0, 0
    for pause in pauses:
        now_s += pause
        granted += allowance.take("a", now_s) == 0.0
    assert granted <= TEN.burst + TEN.rate_per_s * now_s + 1e-6
