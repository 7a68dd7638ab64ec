from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.rate_limit import Rate, RateLimit

TEN = Rate(rate_per_s=10, burst=5)


def test_a_burst_is_granted_and_the_rest_waits() -> None:
    rate_limit = RateLimit(TEN, most_keys=100)
    assert [rate_limit.spend("a", 0.0) for _ in range(5)] == [0.0] * 5
    assert rate_limit.spend("a", 0.0) == 0.1
    assert rate_limit.spend("b", 0.0) == 0.0
    assert rate_limit.spend("a", 0.1) == 0.0


def test_more_than_a_burst_is_never_granted_at_once() -> None:
    rate_limit = RateLimit(TEN, most_keys=100)
    assert rate_limit.spend("a", 0.0) == 0.0
    assert sum(rate_limit.spend("a", 1e6) == 0.0 for _ in range(50)) == 5


def test_a_clock_that_goes_back_regains_no_tokens() -> None:
    rate_limit = RateLimit(TEN, most_keys=100)
    for _ in range(5):
        rate_limit.spend("a", 100.0)
    assert rate_limit.spend("a", 50.0) > 0


def test_full_buckets_are_forgotten_and_there_are_never_more_than_the_most() -> None:
    rate_limit = RateLimit(TEN, most_keys=100)
    for stranger in range(1000):
        rate_limit.spend(stranger, 0.0)
    assert len(rate_limit) == 100
    rate_limit.spend("late", 60.0)
    assert len(rate_limit) == 1


@given(st.lists(st.floats(0, 0.5), max_size=200))
def test_what_is_granted_is_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    rate_limit, now_s, granted = RateLimit(TEN, most_keys=1), 0.0, 0
    for pause in pauses:
        now_s += pause
        granted += rate_limit.spend("a", now_s) == 0.0
    assert granted <= TEN.burst + TEN.rate_per_s * now_s + 1e-6
