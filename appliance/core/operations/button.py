"""The button: what a finger means by it, from when the contact closed and opened.

    state       closes      opens          held for `hold_s`    for `LONG_S`    for `STUCK_S`
    open        down
    down                    open, short    held, hold
    held                    open                                long, long
    long                    open                                                stuck
    stuck                   open

Anything else changes nothing. A contact that is closed at the start is stuck: whoever has leaned on it, or soldered it,
has asked for nothing, and its opening is no press. The hold is told at its moment, while the finger is still down.
"""

from collections.abc import Mapping
from enum import StrEnum, auto

from appliance.core.machine import Press

LONG_S = 10.0  # nobody holds it so long by mistake
LONGER_S = 2.0  # at least, beyond the time that makes a hold
STUCK_S = 30.0  # no finger holds so long by intention; a thing that lies on the button does


class ButtonState(StrEnum):
    """The state of the button."""

    OPEN = auto()
    DOWN = auto()
    HELD = auto()
    LONG = auto()
    STUCK = auto()


class ButtonChange(StrEnum):
    """What happens to the button."""

    CLOSES = auto()
    OPENS = auto()
    HOLDS = auto()
    LASTS = auto()
    STICKS = auto()


BUTTON: Mapping[tuple[ButtonState, ButtonChange], tuple[ButtonState, Press | None]] = {
    (ButtonState.OPEN, ButtonChange.CLOSES): (ButtonState.DOWN, None),
    (ButtonState.DOWN, ButtonChange.OPENS): (ButtonState.OPEN, Press.SHORT),
    (ButtonState.DOWN, ButtonChange.HOLDS): (ButtonState.HELD, Press.HELD),
    (ButtonState.HELD, ButtonChange.OPENS): (ButtonState.OPEN, None),
    (ButtonState.HELD, ButtonChange.LASTS): (ButtonState.LONG, Press.LONG),
    (ButtonState.LONG, ButtonChange.OPENS): (ButtonState.OPEN, None),
    (ButtonState.LONG, ButtonChange.STICKS): (ButtonState.STUCK, None),
    (ButtonState.STUCK, ButtonChange.OPENS): (ButtonState.OPEN, None),
}


class ButtonWatch:
    """The button, with the time since when it is down, by a clock that never jumps."""

    def __init__(self, hold_s: float, *, is_closed: bool) -> None:
        """`is_closed`: at the start."""
        self._hold_s = hold_s
        self.state = ButtonState.STUCK if is_closed else ButtonState.OPEN
        self._since_s = 0.0

    def turn(self, is_closed: bool, at_s: float) -> list[Press]:
        """The contact closed or opened; returns what that means, after what had come before it."""
        before = self.look(at_s)
        if is_closed:
            self._since_s = at_s
        return [*before, *self._change(ButtonChange.CLOSES if is_closed else ButtonChange.OPENS)]

    def look(self, now_s: float) -> list[Press]:
        """What it means that the contact is as it is by now."""
        held_s = now_s - self._since_s
        held = self._change(ButtonChange.HOLDS) if held_s >= self._hold_s else []
        long = self._change(ButtonChange.LASTS) if held_s >= max(LONG_S, self._hold_s + LONGER_S) else []
        return [*held, *long, *(self._change(ButtonChange.STICKS) if held_s >= STUCK_S else [])]

    def _change(self, change: ButtonChange) -> list[Press]:
        self.state, press = BUTTON.get((self.state, change), (self.state, None))
        return [press] if press else []
