"""Denials: the look-ups that the kernel's DNS filter refuses."""

from typing import NamedTuple


class Question(NamedTuple):
    """A look-up of a name, or any name below it, by a department. `department`: `None`: all."""

    name: str
    department: str | None


class Denial(NamedTuple):
    """A question that is refused. `ends`: seconds since the epoch; infinity until lifted.

    `mark`: origin and number of its block (`core.blocking.sets.mark_of`). `is_exact`: names below are not refused.
    """

    question: Question
    ends: float
    mark: int
    is_exact: bool = False
