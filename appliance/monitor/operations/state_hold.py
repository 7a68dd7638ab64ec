"""Holds the state directory still: in maintenance not a byte is written to it, so that the power can be cut any time.

    hold       everything is saved      each file keeps what comes in memory      what was saved is waited for
    release    each file takes what it has kept                                   everything is saved

What a power cut meanwhile takes back is what came since `hold`, and nothing else.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from appliance.core.moment import Moment


class Held(Protocol):
    """A file, or a sender of alerts, that can keep what comes in memory."""

    def hold(self) -> None:
        """Write or send nothing from now on; at once."""

    def settle(self) -> None:
        """Wait until what was written before is on the medium."""

    def release(self) -> None:
        """Write or send what was kept."""


class StateHold:
    """Every file of the state directory. `savers`: save what the monitors have in memory.

    `turn`: who holds or releases has it meanwhile, and everybody else waits: nobody is answered before all is settled.
    """

    def __init__(self, parts: Sequence[Held], turn: AbstractContextManager[object] | None = None) -> None:
        """`turn`: `None`: of a program in which nobody else has their turn meanwhile."""
        self._parts = parts
        self.turn = nullcontext() if turn is None else turn
        self.savers: Sequence[Callable[[Moment], object]] = ()

    def hold(self, now: Moment) -> None:
        """Save everything, and hold every file. All are held before the first wait, in which others have their turn."""
        self._save(now)
        for part in self._parts:
            part.hold()
        for part in self._parts:
            part.settle()

    def release(self, now: Moment) -> None:
        """Release every file, and save everything."""
        for part in self._parts:
            part.release()
        self._save(now)

    def _save(self, now: Moment) -> None:
        for save in self.savers:
            save(now)
