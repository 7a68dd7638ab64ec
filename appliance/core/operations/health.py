"""Health: the faults of a department's connection, and how much each matters.

Each present fault takes its share of the remaining score, so that faults add up and the score stays within 0..1. A
department is active when its link is up and the position can do what is configured; a full line or an open incident
lowers the score but does not make it inactive.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

BUSY = 0.9  # share of the line rate above which queues grow and people notice


@dataclass(frozen=True, slots=True)
class HealthFacts:
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


class Loss(NamedTuple):
    """What a fault takes from the score."""

    reason: str
    points: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A department's health. `active`: link up, and the position can do what is configured.

    `reasons`: a sentence for each that lowers the score, worst first, and for what a person should only know.
    `losses`: of those that lower it, by how much; with the score they add up to 1.
    """

    active: bool
    score: float
    reasons: tuple[str, ...] = ()
    losses: tuple[Loss, ...] = ()


def judge(facts: HealthFacts) -> Condition:
    """Judge the department, with every reason that lowers its score."""
    found = [(weight, text) for weight, is_present, text in _faults(facts) if is_present]
    return Condition(
        active=facts.is_present and facts.is_up and facts.can_work and (facts.can_enforce or facts.wanted == 0),
        score=round(prod(1 - weight for weight, _ in found), 2),
        reasons=tuple(text for _, text in found),
        losses=tuple(_losses(found)),
    )


def _losses(found: Sequence[tuple[float, str]]) -> Iterator[Loss]:
    """The share of each in what is missing; each is rounded so that they add up."""
    left = 1.0
    for weight, text in found:
        before, left = left, left * (1 - weight)
        points = round(round(before, 2) - round(left, 2), 2)
        if points > 0:
            yield Loss(text, points)


def _faults(facts: HealthFacts) -> tuple[tuple[float, bool, str], ...]:
    """Each possible fault, worst first: its weight, whether it is present, and its sentence.

    Weights: 1 is an outage, 0.5 a promise that is not kept, less for what a person should look at when there is time, 0
    for what is as the configuration wants it.
    """
    missed = _count(facts.frames_lost, "frame")
    blocks = _count(facts.wanted, "block")
    has_gap = facts.can_enforce and facts.enforced < facts.wanted
    cannot_block = not facts.can_enforce and facts.wanted > 0
    return (
        (1.0, not facts.is_present, f"the interface {facts.interface} does not exist"),
        (1.0, facts.is_present and not facts.is_up, f"the link of {facts.interface} is down; check its cable"),
        (0.5 if facts.can_work else 1.0, bool(facts.setup_faults), "; ".join(facts.setup_faults)),
        (0.5, cannot_block, f"this position cannot enforce; {blocks} to be done elsewhere"),
        (0.5, has_gap and not facts.is_open, f"{facts.enforced} of {blocks} enforced"),
        (0.2, bool(facts.quotas_exceeded), f"the {' and the '.join(facts.quotas_exceeded)} quota is exceeded"),
        (0.2, facts.open_incidents > 0, f"{_count(facts.open_incidents, 'incident')} open"),
        (0.2, bool(facts.troubles), "; ".join(facts.troubles)),
        (0.2, bool(facts.strangers), "; ".join(facts.strangers)),
        (0.1, facts.frames_lost > 0, f"the capture missed {missed}; sites and incidents may be missing"),
        (0.1, facts.utilization >= BUSY, f"the line is {facts.utilization:.0%} full"),
        (0.0, facts.is_open, "in this maintenance blocks and quotas are not enforced"),
        (0.0, bool(facts.notes), "; ".join(facts.notes)),
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
