"""Denials: the names that the kernel's DNS filter refuses to look up, for whom, and where it stands."""

from typing import NamedTuple

FILTER_NAME = "appliance_dns"  # by which it is known among others' filters


class Question(NamedTuple):
    """A name, with all below it, as a department asks for it. `department`: `None`: every one."""

    name: str
    department: str | None


class Denial(NamedTuple):
    """A question that is refused. `ends`: until when, in seconds; infinity for one until lifted.

    `mark`: the origin and the number of the block that it is there for (`core.slots.mark_of`).
    """

    question: Question
    ends: float
    mark: int


class Spot(NamedTuple):
    """Where at an interface: `is_outward`: where packets go out, else where they come in. `interface`: its index."""

    interface: int
    is_outward: bool
