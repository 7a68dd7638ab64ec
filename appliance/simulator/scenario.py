"""The scenario: which acts happen to the simulated appliance, and when.

The first minute has the same acts for every seed: each event that the appliance can emit has its cause in them. Later
acts repeat every few minutes, at varying seconds, with other devices, longer or shorter. The scenario says only what
people and cables do; the appliance's reaction is its own.
"""

from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from random import Random

from msgspec import Struct
from msgspec.structs import replace


class ActKind(StrEnum):
    """What a person or a cable does."""

    SCAN = "scan"  # a device tries one port of a server after the other
    ORDER = "order"  # an operator asks to block the same device for the length of the act
    OUTAGE = "outage"  # a cable is unplugged
    ARRIVAL = "arrival"  # a device comes that was never there
    DOWNLOAD = "download"  # a device fetches a huge file
    ASK = "ask"  # a person whose quota is used up asks for more
    GRANT = "grant"  # an operator grants it
    BEGIN_MAINTENANCE = "begin maintenance"  # a person holds the panel's button
    END_MAINTENANCE = "end maintenance"  # and holds it again


FIRST, LAST = 0, -1  # which department an act is about; with one department both are the same


class Act(Struct, frozen=True):
    """One thing that happens, `at_s` seconds after the start. `pick`: 0..1, chooses the device."""

    at_s: float
    kind: ActKind
    lasts_s: float = 0.0
    department: int = FIRST
    pick: float = 0.0
    strength: float = 1.0


# The operator's order follows the scan and avoids the maintenance, which would refuse it. The download comes when the
# anomaly baseline is warm (20 samples), and passes each threshold of the simulator's own quota at another second. That
# cuts the department off until the operator is back from the maintenance, in which the cable is unplugged; earlier, the
# gap would distort the baseline. Every act ends within the minute.
FIRST_MINUTE = (
    Act(10, ActKind.SCAN, lasts_s=3),  # security:incident
    Act(16, ActKind.ORDER, lasts_s=12),  # ip:blocked, ip:unblocked
    Act(20, ActKind.ARRIVAL, lasts_s=1),  # device:new
    Act(25, ActKind.DOWNLOAD, lasts_s=20, strength=10),  # analytics:anomaly, quota:alert, error E_QUOTA_EXCEEDED
    Act(47, ActKind.ASK),  # quota:request, open
    Act(48, ActKind.BEGIN_MAINTENANCE),  # system:maintenance, begun
    Act(50, ActKind.OUTAGE, lasts_s=4, department=LAST),  # department:status
    Act(56, ActKind.END_MAINTENANCE),  # system:maintenance, completed
    Act(58, ActKind.GRANT),  # quota:request, granted
)

# Seconds from the beginning of each round.
REPEATED = (
    Act(25, ActKind.SCAN, lasts_s=4),
    Act(37, ActKind.ORDER, lasts_s=60),
    Act(190, ActKind.DOWNLOAD, lasts_s=15, strength=10),
    Act(220, ActKind.ASK),
    Act(235, ActKind.GRANT),
    Act(250, ActKind.BEGIN_MAINTENANCE),
    Act(256, ActKind.OUTAGE, lasts_s=6, department=LAST),
    Act(275, ActKind.END_MAINTENANCE),
)

ROUND_S = 330.0  # above the 300 s in which the same anomaly is reported once, by more than the two shifts
SHIFT_S = 12.0  # the most by which a round is early or late
STRETCH = (0.7, 1.6)  # range of the factor on the length of a repeated act
STRENGTH = (0.8, 1.4)  # and on its strength


def seeded_random(*parts: object) -> Random:
    """A random source that gives the same numbers for the same parts, in every process."""
    return Random("/".join(map(str, parts)))  # noqa: S311  simulated traffic needs no secrets


@lru_cache(maxsize=4)
def acts_of_round(seed: int, number: int) -> tuple[Act, ...]:
    """The acts of one pass, in order: number 0 is the first minute, later ones repeat."""
    chance = seeded_random(seed, "round", number)
    pick = chance.random()
    acts: tuple[Act, ...] = FIRST_MINUTE
    if number > 0:
        begins_s = number * ROUND_S + chance.uniform(-SHIFT_S, SHIFT_S)
        acts = tuple(
            replace(
                act,
                at_s=begins_s + act.at_s,
                lasts_s=act.lasts_s * chance.uniform(*STRETCH),
                strength=act.strength * chance.uniform(*STRENGTH),
            )
            for act in REPEATED
        )
    other = (pick + 0.5) % 1  # a device other than the scanner, which a block may have stopped
    return tuple(replace(act, pick=other if act.kind is ActKind.DOWNLOAD else pick) for act in acts)


class Scenario:
    """The acts of one seed; seconds count from the start of the machine."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def under_way(self, kind: ActKind, at_s: float) -> Iterator[Act]:
        """The acts of this kind that are under way at this second."""
        acts = acts_of_round(self._seed, int(at_s // ROUND_S))
        return (act for act in acts if act.kind is kind and act.at_s <= at_s < act.at_s + act.lasts_s)

    def begun(self, kind: ActKind, after_s: float, until_s: float) -> list[Act]:
        """The acts of this kind that begin within `after_s < begin <= until_s`."""
        numbers = range(int(max(0.0, after_s) // ROUND_S), int(until_s // ROUND_S) + 1)
        acts = (act for number in numbers for act in acts_of_round(self._seed, number))
        return [act for act in acts if act.kind is kind and after_s < act.at_s <= until_s]
