"""Denials: the names that the kernel's DNS filter refuses to look up, for whom, and where it stands."""

from typing import NamedTuple


class Question(NamedTuple):
    """A name, with all below it, as a department asks for it. `department`: `None`: every one."""

    name: str
    department: str | None


class Denial(NamedTuple):
    """A question that is refused. `ends`: until when, in seconds; infinity for one until lifted.

    `mark`: the origin and the number of the block that it is there for (`core.blocking.sets.mark_of`).
    """

    question: Question
    ends: float
    mark: int
