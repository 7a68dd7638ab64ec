"""Health: the faults of a department's connection, and how much each matters.

Each present fault takes its share of the remaining score, so that faults add up and the score stays within 0..1. A
department is active when its link is up and the position can do what is configured; a full line or an open incident
lowers the score but does not make it inactive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

BUSY = 0.9  # share of the line rate above which queues grow and people notice


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """The facts by which a department is judged.

    `can_enforce`: whether the position can stop traffic. `wanted`: blocks that should be in force; `enforced`: those
    that are. `frames_lost`: by the capture, since the previous judgement. `quotas_exceeded`: the kinds (`daily`, ...).
    `utilization`: 0..1. `troubles`: what the appliance itself does not do, in sentences.
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
    troubles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HealthReason:
    """A reason for a score below 1. `weight`: the share that it takes."""

    text: str
    weight: float


@dataclass(frozen=True, slots=True)
class Condition:
    """A department's health. `active`: link up, and the position can do what is configured; `reasons`: worst first."""

    active: bool
    score: float
    reasons: tuple[HealthReason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Fault:
    weight: float
    holds: Callable[[HealthFacts], bool]
    text: Callable[[HealthFacts], str]


# Worst first. Weights: 1 is an outage, 0.5 a promise that is not kept, less for what a person should look at when there
# is time.
_FAULTS = (
    _Fault(1.0, lambda facts: not facts.is_present, lambda facts: f"the interface {facts.interface} does not exist"),
    _Fault(
        1.0,
        lambda facts: facts.is_present and not facts.is_up,
        lambda facts: f"the link of {facts.interface} is down; check its cable",
    ),
    _Fault(
        0.5,
        lambda facts: not facts.can_enforce and facts.wanted > 0,
        lambda facts: f"this position cannot enforce; {_count(facts.wanted, 'block')} to be done elsewhere",
    ),
    _Fault(
        0.5,
        lambda facts: facts.can_enforce and facts.enforced < facts.wanted,
        lambda facts: f"{facts.enforced} of {_count(facts.wanted, 'block')} enforced",
    ),
    _Fault(
        0.2,
        lambda facts: bool(facts.quotas_exceeded),
        lambda facts: f"the {' and the '.join(facts.quotas_exceeded)} quota is exceeded",
    ),
    _Fault(
        0.2,
        lambda facts: facts.open_incidents > 0,
        lambda facts: f"{_count(facts.open_incidents, 'incident')} open",
    ),
    _Fault(
        0.2,
        lambda facts: bool(facts.troubles),
        lambda facts: "; ".join(facts.troubles),
    ),
    _Fault(
        0.1,
        lambda facts: facts.frames_lost > 0,
        lambda facts: f"the capture missed {_count(facts.frames_lost, 'frame')}; sites and incidents may be missing",
    ),
    _Fault(
        0.1,
        lambda facts: facts.utilization >= BUSY,
        lambda facts: f"the line is {facts.utilization:.0%} full",
    ),
)


def judge(facts: HealthFacts) -> Condition:
    """Judge the department, with every reason that lowers its score."""
    reasons = tuple(HealthReason(fault.text(facts), fault.weight) for fault in _FAULTS if fault.holds(facts))
    able = facts.can_enforce or facts.wanted == 0
    return Condition(
        active=facts.is_present and facts.is_up and able,
        score=round(prod(1 - reason.weight for reason in reasons), 2),
        reasons=reasons,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
