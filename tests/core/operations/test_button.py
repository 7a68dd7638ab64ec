"""What a finger means: every transition of the table, and sequences of them."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.machine import Press
from appliance.core.operations.button import BUTTON, LONG_S, LONGER_S, STUCK_S, ButtonChange, ButtonState, ButtonWatch

HOLD_S = 3.0
OPEN, DOWN, HELD, LONG, STUCK = ButtonState
# By change, what follows on open, down, held, long and stuck, and what is told; `None`: nothing changes.
TABLE: dict[ButtonChange, tuple[tuple[ButtonState, Press | None] | None, ...]] = {
    ButtonChange.CLOSES: ((DOWN, None), None, None, None, None),
    ButtonChange.OPENS: (None, (OPEN, Press.SHORT), (OPEN, None), (OPEN, None), (OPEN, None)),
    ButtonChange.HOLDS: (None, (HELD, Press.HELD), None, None, None),
    ButtonChange.LASTS: (None, None, (LONG, Press.LONG), None, None),
    ButtonChange.STICKS: (None, None, None, (STUCK, None), None),
}


@pytest.mark.parametrize(("state", "change"), list(product(ButtonState, ButtonChange)))
def test_the_table_has_every_transition_and_no_other(state: ButtonState, change: ButtonChange) -> None:
    assert BUTTON.get((state, change)) == TABLE[change][[*ButtonState].index(state)]


def test_a_short_press_is_told_as_it_ends_and_a_hold_while_the_finger_is_down() -> None:
    button = ButtonWatch(HOLD_S, is_closed=False)
    assert button.turn(True, 10.0) == []
    assert button.turn(False, 10.2) == [Press.SHORT]
    assert button.turn(True, 20.0) == []
    assert button.look(22.9) == []
    assert button.look(23.0) == [Press.HELD]
    assert button.turn(False, 24.0) == []


def test_a_hold_that_nobody_looked_at_meanwhile_is_no_short_press() -> None:
    button = ButtonWatch(HOLD_S, is_closed=False)
    button.turn(True, 10.0)
    assert button.turn(False, 13.5) == [Press.HELD]


def test_a_button_that_is_down_at_the_start_has_asked_for_nothing() -> None:
    button = ButtonWatch(HOLD_S, is_closed=True)
    assert button.look(1000.0) == []
    assert button.state is STUCK
    assert button.turn(False, 1001.0) == []
    button.turn(True, 1002.0)
    assert button.turn(False, 1002.1) == [Press.SHORT]


def test_a_hold_that_lasts_is_told_once_more_and_never_as_soon_as_the_hold() -> None:
    button = ButtonWatch(HOLD_S, is_closed=False)
    button.turn(True, 10.0)
    assert button.look(10.0 + HOLD_S) == [Press.HELD]
    assert button.look(10.0 + LONG_S - 0.1) == []
    assert button.look(10.0 + LONG_S) == [Press.LONG]
    assert button.turn(False, 10.0 + LONG_S + 1) == []
    slow = ButtonWatch(LONG_S, is_closed=False)
    slow.turn(True, 10.0)
    assert slow.look(10.0 + LONG_S) == [Press.HELD]
    assert slow.look(10.0 + LONG_S + LONGER_S) == [Press.LONG]


def test_a_button_that_stays_down_holds_once_and_is_stuck_until_it_opens() -> None:
    button = ButtonWatch(HOLD_S, is_closed=False)
    button.turn(True, 10.0)
    assert button.look(10.0 + STUCK_S) == [Press.HELD, Press.LONG]
    assert button.state is STUCK
    assert button.look(10.0 + 10 * STUCK_S) == []
    assert button.turn(False, 10.0 + 11 * STUCK_S) == []
    assert button.state is OPEN


@given(st.booleans(), st.lists(st.tuples(st.sampled_from(["close", "open", "look"]), st.floats(0, 60)), max_size=40))
def test_no_sequence_leaves_it_stuck_once_it_opens(is_closed: bool, turns: list[tuple[str, float]]) -> None:
    button, at_s, told = ButtonWatch(HOLD_S, is_closed=is_closed), 100.0, 0
    for what, after_s in turns:
        at_s += after_s
        told += len(button.look(at_s) if what == "look" else button.turn(what == "close", at_s))
    assert told <= 2 * sum(what == "close" for what, _ in turns), "none without a finger, and a hold may be told twice"
    button.turn(False, at_s + 1)
    assert button.state is OPEN
    button.turn(True, at_s + 2)
    assert button.turn(False, at_s + 2.1) == [Press.SHORT]
