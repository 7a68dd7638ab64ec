"""Pauses in long work: whoever serves clients passes a function that gives them their turn."""

from collections.abc import Callable

Pause = Callable[[], None]


def no_pause() -> None:
    """The pause of a program in which nobody waits."""
