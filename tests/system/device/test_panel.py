import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.core.machine import Light, Lights, Press
from appliance.system.device.panel import GpioPanel

HOLD_S = 0.5


@pytest.fixture
def panel(tmp_path: Path) -> Iterator[GpioPanel]:
    panel = GpioPanel(button=17, status=22, alert=23, activity=24, hold_s=HOLD_S, scratch=tmp_path)
    yield panel
    panel.close()


def next_presses(panel: GpioPanel) -> list[Press]:
    for _ in range(100):  # gpiozero tells the hold on a thread of its own
        if presses := list(panel.presses()):
            return presses
        time.sleep(0.05)
    return []


def test_without_a_raspberry_pi_the_pins_are_mocked_and_it_says_why(panel: GpioPanel) -> None:
    assert panel.mocked_because == "this is no Raspberry Pi"


def test_a_short_press_and_a_hold_are_told_apart(panel: GpioPanel) -> None:
    panel.press(Press.SHORT)
    assert next_presses(panel) == [Press.SHORT]
    panel.press(Press.HELD)
    assert next_presses(panel) == [Press.HELD]
    assert list(panel.presses()) == []


def test_the_leds_burn_as_they_are_told(panel: GpioPanel) -> None:
    status, alert, activity = panel._leds
    panel.show(Lights(Light.ON, Light.OFF, Light.SLOW))
    assert status.value == 1
    assert alert.value == 0
    assert activity.value == 1  # a blink begins with light
    panel.show(Lights(Light.OFF, Light.ON, Light.OFF))
    assert (status.value, alert.value, activity.value) == (0, 1, 0)


def test_a_rhythm_is_played_and_the_activity_light_is_dimmed(panel: GpioPanel) -> None:
    status, _, activity = panel._leds
    panel.show(Lights(Light.FAST, Light.OFF, Light.ON, 0.3))
    assert activity.value == 0.3
    seen = set()
    for _ in range(400):
        seen.add(status.value)
        if seen == {0, 1}:
            break
        time.sleep(0.01)
    assert seen == {0, 1}
    panel.show(Lights(Light.ON, Light.OFF, Light.OFF))
    assert (status.value, activity.value) == (1, 0)


def test_a_pin_that_cannot_be_had_leaves_a_mocked_panel_and_is_told(tmp_path: Path) -> None:
    panel = GpioPanel(button=17, status=22, alert=22, activity=99, hold_s=HOLD_S, scratch=tmp_path)
    assert panel.trouble is not None
    assert panel.trouble.startswith("the panel does not work: ")
    panel.show(Lights(Light.ON, Light.OFF, Light.OFF))
    panel.press(Press.SHORT)
    assert next_presses(panel) == [Press.SHORT]
    panel.close()
