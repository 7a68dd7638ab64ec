from hypothesis import given
from hypothesis import strategies as st

from appliance.core.traffic.presence import WINDOW_S, Presence


def test_a_device_is_counted_once_however_often_it_shows_itself() -> None:
    presence = Presence()
    for second in range(10):
        presence.mark_seen("one", second)
    presence.mark_seen("other", 3)
    assert presence.count(10) == 2
    assert presence.present(10) == {"one", "other"}


def test_a_device_is_gone_after_five_quiet_minutes() -> None:
    presence = Presence()
    presence.mark_seen("one", 0)
    presence.mark_seen("other", 200)
    assert presence.count(WINDOW_S) == 2
    assert presence.present(WINDOW_S + 0.1) == {"other"}


def test_beyond_the_bound_the_one_that_was_quiet_for_longest_is_forgotten() -> None:
    presence = Presence(most=3)
    for device in ("a", "b", "c", "a", "d"):
        presence.mark_seen(device, 1)
    assert presence.present(1) == {"a", "c", "d"}


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 200))))
def test_the_count_is_that_of_the_last_window(steps: list[tuple[str, float]]) -> None:
    presence, now_s, last = Presence(), 0.0, dict[str, float]()
    for device, pause_s in steps:
        now_s += pause_s
        presence.mark_seen(device, now_s)
        last[device] = now_s
        assert presence.count(now_s) == sum(1 for seen_s in last.values() if seen_s >= now_s - WINDOW_S)
