"""Health: the faults of a department's connection, and how much each matters.

Each present fault takes its share of the remaining score, so that faults add up and the score stays within 0..1. A
department is active when its link is up and the position can do what is configured; a full line or an open incident
lowers the score but does not make it inactive.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from math import prod
from typing import NamedTuple

from msgspec import Struct

from appliance.core.text import Values

BUSY = 0.9  # share of the line rate above which queues grow and people notice


class HealthFacts(Struct, frozen=True):
    """The facts by which a department is judged.

    `can_enforce`: whether the position can stop traffic. `wanted`: blocks that should be in force; `enforced`: those
    that are. `frames_lost`: by the capture, since the previous judgement. `quotas_exceeded`: the kinds (`daily`, ...).
    `utilization`: 0..1. `setup_faults`: what keeps the configuration from working here, in sentences; `can_work`: it
    works all the same. `troubles`: what the appliance itself does not do, in sentences. `strangers`: what passes at the
    interface and is no department's, or cannot be read, likewise. `notes`: what a person should know although all is as
    configured. `is_open`: nothing is enforced, because of a maintenance that is configured so.
    """

    interface: str
    is_present: bool
    is_up: bool
    can_enforce: bool = True
    wanted: int = 0
    enforced: int = 0
    frames_lost: int = 0
    quotas_exceeded: tuple[str, ...] = ()
    utilization: float = 0.0
    open_incidents: int = 0
    setup_faults: tuple[str, ...] = ()
    can_work: bool = True
    troubles: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_open: bool = False


class ReasonKind(StrEnum):
    """What lowers a score, or should only be known."""

    ABSENT = "absent"  # the interface
    DOWN = "down"  # the link
    SETUP = "setup"
    POSITION = "position"
    BLOCKS = "blocks"
    QUOTA = "quota"
    INCIDENTS = "incidents"
    TROUBLES = "troubles"
    STRANGERS = "strangers"
    FRAMES = "frames"
    BUSY = "busy"
    OPEN = "open"  # blocks and quotas, in a maintenance
    NOTES = "notes"


class HealthFault(NamedTuple):
    """A fault of a department. `weight`: the share of the remaining score that it takes; `values`: what `text` says."""

    kind: ReasonKind
    weight: float
    text: str
    values: Values


class Loss(NamedTuple):
    """What a fault takes from the score."""

    reason: str
    points: float


class Condition(Struct, frozen=True):
    """A department's health. `active`: link up, and the position can do what is configured.

    `faults`: all that lowers the score, worst first, and what a person should only know. `losses`: of those that lower
    it, by how much; with the score they add up to 1.
    """

    active: bool
    score: float
    faults: tuple[HealthFault, ...] = ()
    losses: tuple[Loss, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each fault."""
        return tuple(one.text for one in self.faults)


def judge(facts: HealthFacts) -> Condition:
    """Judge the department, with every reason that lowers its score."""
    found = tuple(_faults(facts))
    return Condition(
        active=facts.is_present and facts.is_up and facts.can_work and (facts.can_enforce or facts.wanted == 0),
        score=round(prod(1 - one.weight for one in found), 2),
        faults=found,
        losses=tuple(_losses(found)),
    )


def _losses(found: Sequence[HealthFault]) -> Iterator[Loss]:
    """The share of each in what is missing; each is rounded so that they add up."""
    left = 1.0
    for one in found:
        before, left = left, left * (1 - one.weight)
        points = round(round(before, 2) - round(left, 2), 2)
        if points > 0:
            yield Loss(one.text, points)


def _faults(facts: HealthFacts) -> Iterator[HealthFault]:
    """The faults that are present, worst first.

    Weights: 1 is an outage, 0.5 a promise that is not kept, less for what a person should look at when there is time, 0
    for what is as the configuration wants it.
    """
    yield from _failures(facts)
    if facts.quotas_exceeded:
        text = f"the {' and the '.join(facts.quotas_exceeded)} quota is exceeded"
        yield HealthFault(ReasonKind.QUOTA, 0.2, text, {"quotas": " ".join(facts.quotas_exceeded)})
    if facts.open_incidents > 0:
        text, count = f"{_count(facts.open_incidents, 'incident')} open", {"count": facts.open_incidents}
        yield HealthFault(ReasonKind.INCIDENTS, 0.2, text, count)
    yield from _told(ReasonKind.TROUBLES, 0.2, facts.troubles)
    yield from _told(ReasonKind.STRANGERS, 0.2, facts.strangers)
    if facts.frames_lost > 0:
        text = f"the capture missed {_count(facts.frames_lost, 'frame')}; sites and incidents may be missing"
        yield HealthFault(ReasonKind.FRAMES, 0.1, text, {"count": facts.frames_lost})
    if facts.utilization >= BUSY:
        percent = round(facts.utilization * 100)
        yield HealthFault(ReasonKind.BUSY, 0.1, f"the line is {percent}% full", {"percent": percent})
    if facts.is_open:
        yield HealthFault(ReasonKind.OPEN, 0.0, "in this maintenance blocks and quotas are not enforced", {})
    yield from _told(ReasonKind.NOTES, 0.0, facts.notes)


def _failures(facts: HealthFacts) -> Iterator[HealthFault]:
    """What is not done that should be."""
    here, blocks = {"interface": facts.interface}, _count(facts.wanted, "block")
    if not facts.is_present:
        yield HealthFault(ReasonKind.ABSENT, 1.0, f"the interface {facts.interface} does not exist", here)
    elif not facts.is_up:
        yield HealthFault(ReasonKind.DOWN, 1.0, f"the link of {facts.interface} is down; check its cable", here)
    yield from _told(ReasonKind.SETUP, 0.5 if facts.can_work else 1.0, facts.setup_faults)
    if not facts.can_enforce and facts.wanted > 0:
        text = f"this position cannot enforce; {blocks} to be done elsewhere"
        yield HealthFault(ReasonKind.POSITION, 0.5, text, {"count": facts.wanted})
    elif facts.enforced < facts.wanted and not facts.is_open:
        values = {"enforced": facts.enforced, "count": facts.wanted}
        yield HealthFault(ReasonKind.BLOCKS, 0.5, f"{facts.enforced} of {blocks} enforced", values)


def _told(kind: ReasonKind, weight: float, sentences: Sequence[str]) -> Iterator[HealthFault]:
    """The fault that others tell in sentences, if they do."""
    if sentences:
        yield HealthFault(kind, weight, text := "; ".join(sentences), {"text": text})


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
