"""The panel: three LEDs and a button, by gpiozero.

gpiozero calls back on a native thread of its own, which only appends to a deque; the panel step empties it, and a table
of the core says what a finger meant. Where the computer is no Raspberry Pi (a laptop, a virtual machine), gpiozero's
mock factory, which obeys the rules of real pins, takes its place, and `press` moves the mock pin as a finger would. A
GPIO chip alone is not enough: a laptop's lines drive its own hardware.
"""

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from time import monotonic

from gpiozero.exc import GPIOZeroError, PinPWMUnsupported
from gpiozero.input_devices import Button
from gpiozero.output_devices import LED, PWMLED
from gpiozero.pins.mock import MockFactory, MockPin, MockPWMPin
from gpiozero.pins.pi import PiFactory

from appliance.core.machine import Light, Lights, Press
from appliance.core.operations.button import ButtonState, ButtonWatch
from appliance.core.operations.panel_lights import RHYTHMS, TICK_S
from appliance.system.device.gpio_chip import NoChip, header_chip

log = logging.getLogger(__name__)

NO_PI = "this is no Raspberry Pi"
STUCK = "the button of the panel is stuck: what keeps it pressed? It is obeyed again once it opens"
MODEL_FILE = Path("/proc/device-tree/model")  # the device tree's own name of the board

# Of gpiozero, for a pin, the chip or a library that is missing.
PIN_FAILURES = (GPIOZeroError, ImportError, OSError, ValueError, AttributeError, TypeError)
MOCK_PINS = (17, (22, 23, 24))  # any that differ
BOUNCE_S = 0.02  # contacts chatter for some milliseconds; a finger takes longer
MOST_TURNS = 64  # more than a finger manages between two steps; a contact that chatters must not fill the memory
LONGER_S = 0.3  # by which a pretended hold outlasts the time that makes it one


class GpioPanel:
    """`ports.Panel` on BCM pins; the button closes to ground against the chip's own pull-up."""

    def __init__(self, button: int, status: int, alert: int, activity: int, hold_s: float, scratch: Path) -> None:
        """`hold_s`: seconds that make a press a hold. `scratch`: a folder for the pipe that lgpio needs."""
        factory, self.mocked_because = _factory(scratch)
        # What a person should mend; a computer without such pins is no trouble.
        self._trouble: str | None = None if self.mocked_because in {None, NO_PI} else self.mocked_because
        self._turns: deque[tuple[bool, float]] = deque(maxlen=MOST_TURNS)
        self._hold_s = hold_s
        try:
            self._button, self._leds = _devices(factory, button, (status, alert, activity))
        except _failures() as error:  # a pin is in use, or there is none: metering needs none of them
            self._trouble = f"the panel does not work: {error or type(error).__name__}; are its pins free, and right?"
            log.error("%s", self._trouble)
            self.mocked_because = self._trouble
            self._button, self._leds = _devices(_mock_factory(), *MOCK_PINS)
        self._watch = ButtonWatch(hold_s, is_closed=self._button.is_pressed)
        self._button.when_pressed = lambda: self._turns.append((True, monotonic()))
        self._button.when_released = lambda: self._turns.append((False, monotonic()))
        self._shown: tuple[tuple[Light, float], ...] = ((Light.OFF, 1.0),) * len(self._leds)

    @property
    def trouble(self) -> str | None:
        """What a person should mend; `None`: nothing."""
        return self._trouble or (STUCK if self._watch.state is ButtonState.STUCK else None)

    def presses(self) -> Sequence[Press]:
        turns = [self._turns.popleft() for _ in range(len(self._turns))]
        return [*(press for turn in turns for press in self._watch.turn(*turn)), *self._watch.look(monotonic())]

    def show(self, lights: Lights) -> None:
        """Make the LEDs burn like this; one that burns so already is left alone, so that its rhythm is even."""
        wanted = ((lights.status, 1.0), (lights.alert, 1.0), (lights.activity, lights.brightness))
        for led, light, shown in zip(self._leds, wanted, self._shown, strict=True):
            if light != shown:
                try:
                    _burn(led, *light)
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
        if self._trouble is None:
            self._trouble = f"the panel does not work: {error or type(error).__name__}"
            log.error("%s", self._trouble)


def _mock_factory() -> MockFactory:
    return MockFactory(pin_class=MockPWMPin)


def _factory(scratch: Path) -> tuple[PiFactory, str | None]:
    """The real pins, or mock ones and the reason for them."""
    if not MODEL_FILE.exists() or "Raspberry Pi" not in MODEL_FILE.read_text(errors="replace"):
        return _mock_factory(), NO_PI
    os.environ.setdefault("LG_WD", str(scratch))  # else lgpio writes its pipe into the working directory
    try:
        from gpiozero.pins.lgpio import LGPIOFactory

        return LGPIOFactory(header_chip()), None
    except NoChip as error:
        return _mock_factory(), f"the panel does not work: {error}"
    except _failures() as error:  # a panel that cannot be reached must not stop the metering
        return _mock_factory(), f"the GPIO chip cannot be opened ({error}); is the user in the group gpio?"


def _failures() -> tuple[type[Exception], ...]:
    """What a pin may raise: lgpio, which is loaded on a Pi only, has an error of no other kind."""
    lgpio = sys.modules.get("lgpio")
    return PIN_FAILURES if lgpio is None else (*PIN_FAILURES, lgpio.error)


def _devices(factory: PiFactory, button: int, leds: Sequence[int]) -> tuple[Button, tuple[LED | PWMLED, ...]]:
    """The button and the LEDs; where one cannot be had, none is held."""
    made: list[Button | LED | PWMLED] = []
    *steady, dimmed = leds
    try:
        made_button = Button(button, bounce_time=BOUNCE_S, pin_factory=factory)
        made.append(made_button)
        made_leds = []
        for make in (*(_led(pin, factory) for pin in steady), _dimmed_led(dimmed, factory)):
            led = make()
            made.append(led)
            made_leds.append(led)
    except _failures():
        for device in made:
            device.close()
        raise
    return made_button, tuple(made_leds)


def _led(pin: int, factory: PiFactory) -> Callable[[], LED]:
    return lambda: LED(pin, pin_factory=factory)


def _dimmed_led(pin: int, factory: PiFactory) -> Callable[[], LED | PWMLED]:
    """An LED whose brightness can be set, where the pin can do that."""

    def make() -> LED | PWMLED:
        try:
            return PWMLED(pin, pin_factory=factory)
        except PinPWMUnsupported:
            return LED(pin, pin_factory=factory)

    return make


def _burn(led: LED | PWMLED, light: Light, brightness: float) -> None:
    first, *rest = (float(tick == "#") for tick in RHYTHMS[light])
    led.source = None
    led.value = first * brightness if isinstance(led, PWMLED) else first
    if rest:
        led.source_delay = TICK_S
        led.source = cycle([*rest, first])
