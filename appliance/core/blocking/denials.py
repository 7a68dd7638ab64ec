"""Denials: the look-ups that the kernel's DNS filter refuses."""

from typing import NamedTuple

from appliance.core.blocking.targets import WHOLE_NAME, Scope


class Question(NamedTuple):
    """The look-ups of a name, and of those below it, by a department. `department`: `None`: all."""

    name: str
    department: str | None


class Denial(NamedTuple):
    """A question that is refused. `ends`: seconds since the epoch; infinity until lifted.

    `mark`: origin and number of its block (`core.blocking.sets.mark_of`). `scope`: which of its names are refused.
    """

    question: Question
    ends: float
    mark: int
    scope: Scope = WHOLE_NAME
