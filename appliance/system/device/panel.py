"""The panel: three LEDs and a button, by gpiozero.

gpiozero calls back on a native thread of its own, which only appends to a deque; the panel step empties it. Where the
computer is no Raspberry Pi (a laptop, a virtual machine), gpiozero's mock factory, which obeys the rules of real pins,
takes its place, and `press` moves the mock pin as a finger would. A GPIO chip alone is not enough: a laptop's lines
drive its own hardware.
"""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from gpiozero import LED, Button, GPIOZeroError
from gpiozero.pins.mock import MockFactory, MockPin
from gpiozero.pins.pi import PiFactory

from appliance.core.machine import Light, Lights, Press

log = logging.getLogger(__name__)

NO_PI = "this is no Raspberry Pi"
MODEL_FILE = Path("/proc/device-tree/model")  # the device tree's own name of the board

# Seconds on, which are also the seconds off. A person must tell SLOW from FAST at a glance across a server room.
# Of gpiozero, for a pin, the chip or a library that is missing.
PIN_FAILURES = (GPIOZeroError, ImportError, OSError, ValueError, AttributeError, TypeError)
MOCK_PINS = (17, (22, 23, 24))  # any that differ
BLINKS = {Light.SLOW: 1.0, Light.FAST: 0.1}
MOST_PRESSES = 16  # more than a finger manages between two steps; a stuck contact must not fill the memory
LONGER_S = 0.3  # by which a pretended hold outlasts the time that makes it one


class GpioPanel:
    """`ports.Panel` on BCM pins; the button closes to ground against the chip's own pull-up."""

    def __init__(self, button: int, status: int, alert: int, activity: int, hold_s: float, scratch: Path) -> None:
        """`hold_s`: seconds that make a press a hold. `scratch`: a folder for the pipe that lgpio needs."""
        factory, self.mocked_because = _factory(scratch)
        # What a person should mend; a computer without such pins is no trouble.
        self.trouble: str | None = None if self.mocked_because in {None, NO_PI} else self.mocked_because
        self._presses: deque[Press] = deque(maxlen=MOST_PRESSES)
        self._hold_s = hold_s
        self._was_held = False
        leds = (status, alert, activity)
        try:
            self._button, self._leds = _devices(factory, button, leds, hold_s)
        except _failures() as error:  # a pin is in use, or there is none: metering needs none of them
            self.trouble = f"the panel does not work: {error or type(error).__name__}; are its pins free, and right?"
            log.error("%s", self.trouble)
            self.mocked_because = self.trouble
            self._button, self._leds = _devices(MockFactory(), *MOCK_PINS, hold_s)
        self._button.when_held = self._on_held
        self._button.when_released = self._on_released
        self._shown: tuple[Light, ...] = (Light.OFF,) * len(self._leds)

    def presses(self) -> Sequence[Press]:
        return [self._presses.popleft() for _ in range(len(self._presses))]

    def show(self, lights: Lights) -> None:
        """Make the LEDs burn like this; one that burns so already is left alone, so that its blinking is even."""
        wanted = (lights.status, lights.alert, lights.activity)
        for led, light, shown in zip(self._leds, wanted, self._shown, strict=True):
            if light is not shown:
                try:
                    _burn(led, light)
                except _failures() as error:
                    self._note(error)
        self._shown = wanted

    def press(self, kind: Press) -> None:
        """Move the mock pin as a finger would. Raises `TypeError` on a real pin: there a finger is needed."""
        pin = self._button.pin
        if not isinstance(pin, MockPin):
            raise TypeError("the button is real: press it")
        pin.drive_low()
        threading.Timer(self._hold_s + LONGER_S if kind is Press.HELD else 0.0, pin.drive_high).start()

    def close(self) -> None:
        """Put the LEDs out and give the pins back."""
        for device in (*self._leds, self._button):
            try:
                device.close()
            except _failures() as error:
                self._note(error)

    def _note(self, error: Exception) -> None:
        if self.trouble is None:
            self.trouble = f"the panel does not work: {error or type(error).__name__}"
            log.error("%s", self.trouble)

    def _on_held(self) -> None:
        self._was_held = True
        self._presses.append(Press.HELD)

    def _on_released(self) -> None:
        if not self._was_held:
            self._presses.append(Press.SHORT)
        self._was_held = False


def _factory(scratch: Path) -> tuple[PiFactory, str | None]:
    """The real pins, or mock ones and the reason for them."""
    if not MODEL_FILE.exists() or "Raspberry Pi" not in MODEL_FILE.read_text(errors="replace"):
        return MockFactory(), NO_PI
    os.environ.setdefault("LG_WD", str(scratch))  # else lgpio writes its pipe into the working directory
    try:
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory(), None
    except _failures() as error:  # a panel that cannot be reached must not stop the metering
        return MockFactory(), f"the GPIO chip cannot be opened ({error}); is the user in the group gpio?"


def _failures() -> tuple[type[Exception], ...]:
    """What a pin may raise: lgpio, which is loaded on a Pi only, has an error of no other kind."""
    lgpio = sys.modules.get("lgpio")
    return PIN_FAILURES if lgpio is None else (*PIN_FAILURES, lgpio.error)


def _devices(factory: PiFactory, button: int, leds: Sequence[int], hold_s: float) -> tuple[Button, tuple[LED, ...]]:
    """The button and the LEDs; where one cannot be had, none is held."""
    made_button = Button(button, hold_time=hold_s, pin_factory=factory)
    made_leds: list[LED] = []
    try:
        made_leds += [LED(pin, pin_factory=factory) for pin in leds]
    finally:
        if len(made_leds) < len(leds):
            made_button.close()
    return made_button, tuple(made_leds)


def _burn(led: LED, light: Light) -> None:
    if light in BLINKS:
        led.blink(BLINKS[light], BLINKS[light])
    elif light is Light.ON:
        led.on()
    else:
        led.off()
