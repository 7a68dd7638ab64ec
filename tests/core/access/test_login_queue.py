"""Who is judged next, and who has to go for lack of room."""

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.access.login_queue import MOST_OF_LANE, MOST_WAITING, OLDEST_EACH, LoginQueue, Waiting


def _filled(*visitors: Waiting) -> LoginQueue:
    queue = LoginQueue()
    for visitor in visitors:
        assert queue.enter(visitor) is None
    return queue


def _served(queue: LoginQueue, turns: int) -> list[str]:
    return [visitor.lane for _ in range(turns) if (visitor := queue.next()) is not None]


def test_a_known_visitor_is_judged_before_strangers() -> None:
    queue = _filled(*(Waiting(f"10.0.0.{n}", 1) for n in range(20)), Waiting("anna 10.9.9.9", 0))
    assert _served(queue, 1) == ["anna 10.9.9.9"]


def test_a_stranger_who_asks_once_is_judged_before_those_who_ask_again_and_again() -> None:
    queue = _filled(*(Waiting(f"10.0.0.{n}", 1) for n in range(8) for _ in range(5)), Waiting("10.9.9.9", 1))
    assert _served(queue, 1) == ["10.9.9.9"]


def test_a_stranger_with_wrong_passwords_is_judged_after_one_without() -> None:
    assert _served(_filled(Waiting("10.9.9.9", 1), Waiting("10.0.0.1", 9)), 1) == ["10.9.9.9"]


def test_of_one_network_the_first_to_come_is_the_first_to_be_judged() -> None:
    one, other = Waiting("10.0.0.1", 1), Waiting("10.0.0.1", 1)
    queue = _filled(one, other)
    assert [queue.next(), queue.next(), queue.next()] == [one, other, None]


def test_nobody_starves_while_known_visitors_come_without_end() -> None:
    queue = _filled(Waiting("10.0.0.1", 99))
    served = []
    for number in range(OLDEST_EACH):
        queue.enter(Waiting(f"anna 10.9.9.{number}", 0))
        served += _served(queue, 1)
    assert "10.0.0.1" in served


def test_a_flood_from_one_address_fills_only_its_own_lane() -> None:
    queue = LoginQueue()
    displaced = [queue.enter(Waiting("10.0.0.1", 1)) for _ in range(1000)]
    assert displaced.count(None) == len(queue) == MOST_OF_LANE


def test_a_stranger_keeps_their_place_although_a_flood_from_many_addresses_asks_without_end() -> None:
    queue = LoginQueue()
    for number in range(2000):
        queue.enter(Waiting(f"10.0.0.{number % 200}", 1))
    person = Waiting("10.9.9.9", 1)
    assert queue.enter(person) is not person
    for number in range(2000):
        assert queue.enter(Waiting(f"10.0.0.{number % 200}", 1)) is not person
    assert queue.next() is person


def test_who_has_gone_loses_their_place_and_nobody_else_does() -> None:
    gone, other = Waiting("10.0.0.1", 1), Waiting("10.0.0.2", 1)
    queue = _filled(gone, other)
    queue.leave(gone)
    queue.leave(gone)
    assert [queue.next(), queue.next()] == [other, None]


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 99), st.integers(0, 3))), max_size=400))
def test_whatever_comes_everybody_is_judged_or_told_to_go_and_the_queue_stays_small(
    steps: list[tuple[int, int] | None],
) -> None:
    queue, came, went = LoginQueue(), 0, 0
    for step in steps:
        if step is None:
            went += queue.next() is not None
        else:
            came += 1
            went += queue.enter(Waiting(str(step[0]), step[1])) is not None
        assert len(queue) == came - went <= MOST_WAITING
