"""The panel's three lights, decided from the state by tables that a person can learn by heart.

    status     flashes at times       the appliance starts
               burns                  it is ready
               goes out at times      maintenance
               two flashes            an update is on trial
               fast                   a short press resets the appliance to factory
    alert      burns                  the disk takes nothing
               fast                   what should be blocked is not all blocked
               three flashes          an incident is open
               two flashes            a quota is used up
               one flash              there is no uplink
               slow                   something else does not work as configured
               dark                   nothing is wrong
    activity   the brighter, the fuller the line; dark: no traffic

Each light tells the first row that is true: the worst. A state is known by its rhythm, never by the colour of the LED:
people who see no red or green read the same.
"""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from appliance.core.machine import Light, Lights


class PanelState(StrEnum):
    """What the panel can tell."""

    RESET = "reset waits for a press"
    BOOTING = "booting"
    TRIAL = "update on trial"
    MAINTENANCE = "maintenance"
    DISK = "disk trouble"
    ENFORCEMENT = "enforcement not as wanted"
    INCIDENT = "incident"
    OVER_QUOTA = "over quota"
    NO_UPLINK = "no uplink"
    FAULT = "fault"


class PanelFacts(Struct, frozen=True):
    """What is so now, and the share of the fullest line that is used, from 0 to 1; 0: no traffic."""

    states: frozenset[PanelState]
    utilization: float = 0.0


# The first of these that is so; else the last line's.
STATUS: tuple[tuple[PanelState | None, Light], ...] = (
    (PanelState.RESET, Light.FAST),
    (PanelState.BOOTING, Light.FLASH),
    (PanelState.MAINTENANCE, Light.DIP),
    (PanelState.TRIAL, Light.TWICE),
    (None, Light.ON),
)
ALERT: tuple[tuple[PanelState | None, Light], ...] = (
    (PanelState.DISK, Light.ON),
    (PanelState.ENFORCEMENT, Light.FAST),
    (PanelState.INCIDENT, Light.THRICE),
    (PanelState.OVER_QUOTA, Light.TWICE),
    (PanelState.NO_UPLINK, Light.FLASH),
    (PanelState.FAULT, Light.SLOW),
    (None, Light.OFF),
)
TICK_S = 0.1
# By light, a letter for each tick: `#` is on. Told apart at a glance across a room, by rhythm alone.
RHYTHMS: Mapping[Light, str] = {
    Light.OFF: ".",
    Light.ON: "#",
    Light.SLOW: "##########..........",
    Light.FAST: "#.",
    Light.FLASH: "##..................",
    Light.TWICE: "##..##..............",
    Light.THRICE: "##..##..##..........",
    Light.DIP: "##################..",
}
LEAST_SEEN = 0.1  # of the full brightness: an eye does not see less in a lit room
STEPS = 10  # of brightness: one that changed with each packet would be no calmer than a flicker


def lights(facts: PanelFacts) -> Lights:
    """The lights for this state."""
    return Lights(_first(STATUS, facts), _first(ALERT, facts), *_activity(facts.utilization))


def _first(rows: tuple[tuple[PanelState | None, Light], ...], facts: PanelFacts) -> Light:
    return next(light for state, light in rows if state is None or state in facts.states)


def _activity(utilization: float) -> tuple[Light, float]:
    """The activity light and its brightness: the root of the share, because an eye sees a tenth of it as a third."""
    if utilization <= 0:
        return Light.OFF, 0.0
    brightness = max(LEAST_SEEN, min(1.0, utilization) ** 0.5)
    return Light.ON, max(LEAST_SEEN, round(brightness * STEPS) / STEPS)


STARTING = lights(PanelFacts(frozenset({PanelState.BOOTING})))
DARK = Lights(Light.OFF, Light.OFF, Light.OFF, 0.0)
