"""What the lights tell: each state alone, the worst of several, and that no two are told alike."""

from itertools import combinations

import pytest

from appliance.core.machine import Light
from appliance.core.operations.panel_lights import (
    ALERT,
    RHYTHMS,
    STATUS,
    TICK_S,
    PanelFacts,
    PanelState,
    lights,
)

# By state, what the status light and the alert light do; the worst first of each light.
TOLD = {
    PanelState.RESET: (Light.FAST, Light.OFF),
    PanelState.BOOTING: (Light.FLASH, Light.OFF),
    PanelState.MAINTENANCE: (Light.DIP, Light.OFF),
    PanelState.TRIAL: (Light.TWICE, Light.OFF),
    PanelState.DISK: (Light.ON, Light.ON),
    PanelState.ENFORCEMENT: (Light.ON, Light.FAST),
    PanelState.INCIDENT: (Light.ON, Light.THRICE),
    PanelState.OVER_QUOTA: (Light.ON, Light.TWICE),
    PanelState.NO_UPLINK: (Light.ON, Light.FLASH),
    PanelState.FAULT: (Light.ON, Light.SLOW),
}
ORDER = list(TOLD)


def told(*states: PanelState) -> tuple[Light, Light]:
    found = lights(PanelFacts(frozenset(states)))
    return found.status, found.alert


def test_ready_and_well_is_a_light_that_burns_and_nothing_else() -> None:
    assert told() == (Light.ON, Light.OFF)


def test_every_state_is_told() -> None:
    assert {*TOLD} == {*PanelState}


@pytest.mark.parametrize("state", list(PanelState))
def test_each_state_alone(state: PanelState) -> None:
    assert told(state) == TOLD[state]


@pytest.mark.parametrize(("worse", "other"), list(combinations(ORDER, 2)))
def test_of_two_states_of_one_light_the_worse_is_told_and_two_lights_tell_two(
    worse: PanelState, other: PanelState
) -> None:
    status, alert = told(other, worse)
    of_status = [TOLD[one][0] for one in (worse, other) if TOLD[one][0] is not Light.ON]
    of_alert = [TOLD[one][1] for one in (worse, other) if TOLD[one][1] is not Light.OFF]
    assert (status, alert) == ([*of_status, Light.ON][0], [*of_alert, Light.OFF][0])


def test_no_two_states_of_a_light_have_the_same_rhythm() -> None:
    for rows in (STATUS, ALERT):
        rhythms = [RHYTHMS[light] for _, light in rows]
        assert len({*rhythms}) == len(rhythms)
    assert {*RHYTHMS} == {*Light}
    assert all(len(one) * TICK_S <= 2 for one in RHYTHMS.values()), "a person who looks for two seconds has seen it all"


@pytest.mark.parametrize(
    ("utilization", "light", "brightness"),
    [(0, Light.OFF, 0.0), (0.001, Light.ON, 0.1), (0.1, Light.ON, 0.3), (0.5, Light.ON, 0.7), (1.4, Light.ON, 1.0)],
)
def test_the_activity_light_is_the_brighter_the_fuller_the_line(
    utilization: float, light: Light, brightness: float
) -> None:
    found = lights(PanelFacts(frozenset(), utilization))
    assert (found.activity, found.brightness) == (light, brightness)
