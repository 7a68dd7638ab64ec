"""The panel: its button begins and ends maintenance on site, and its lights show how the appliance is."""

import logging
from collections.abc import Callable, Collection, Sequence

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.machine import Lights, Press
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.panel_lights import RHYTHMS, STARTING, PanelFacts, PanelState, lights
from appliance.core.refusal import Refused
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.ports import AuditStore, Panel

log = logging.getLogger(__name__)

EACH_TESTED_S = 2.0  # no rhythm is longer
ARMED_S = 30.0  # after a long press: time to see the LED and to let go, and too short to forget it
BUTTON_DURATION_S = 3600  # the contract's own example; long enough to swap cables, short enough if it is forgotten
BUTTON_IMPACT = "Maintenance was begun at the appliance: it takes no changes"


class PanelWatch:
    """Obeys the button, and shows the state on the LEDs."""

    def __init__(
        self,
        panel: Panel,
        maintenance_mode: MaintenanceMode,
        trail: AuditStore,
        short_press_actions: Sequence[Callable[[Moment], bool]] = (),
        reset: Callable[[str], None] | None = None,
    ) -> None:
        """`trail`: records the actions of the button. `reset`: to factory; `None`: there is none, as in a simulation.

        `short_press_actions`: tried in order after a short press, until one returns true: it was waiting for the press.
        """
        self._panel, self._mode, self._trail = panel, maintenance_mode, trail
        self._short_press_actions, self._reset = short_press_actions, reset
        self._armed_s: float | None = None  # when a long press asked for a reset; `None`: none did
        self.shown = STARTING
        self._tested_s: float | None = None  # when a test of the LEDs began; `None`: there was none

    def step(self, now: Moment) -> bool:
        """Obey the button: held, it begins or ends maintenance; pressed, the first action that waits for it is run.

        Returns whether it was used.
        """
        presses = self._panel.presses()
        for press in presses:
            self.obey(press, "button", now)
        return bool(presses)

    def obey(self, press: Press, actor: str, now: Moment) -> bool:
        """Do what a press of the button does; returns whether it did anything. `actor`: recorded in the audit trail."""
        if press is Press.HELD:
            return self._toggle(actor, now)
        if press is Press.LONG:
            return self._arm(actor, now)
        if self._is_armed(now) and self._reset is not None:
            return self._confirm_reset(self._reset, actor)
        is_taken = any(act(now) for act in self._short_press_actions)
        if is_taken:
            self._trail.record(AuditEntry(timestamp(now.wall), actor, "", None, "button:press"))
        return is_taken

    def test(self, now: Moment) -> float:
        """Play every rhythm on all LEDs, one after the other; returns how many seconds that takes."""
        self._tested_s = now.monotonic_s
        return len(RHYTHMS) * EACH_TESTED_S

    def show(self, states: Collection[PanelState], utilization: float, now: Moment) -> None:
        """Show the state on the LEDs. `states`: beside maintenance. `utilization`: of the fullest line, 0 to 1."""
        own = {PanelState.MAINTENANCE: self._mode.is_read_only, PanelState.RESET: self._is_armed(now)}
        self.shown = lights(
            PanelFacts(frozenset({*states, *(one for one, is_so in own.items() if is_so)}), utilization)
        )
        self._panel.show(self._tested(now) or self.shown)

    def _tested(self, now: Moment) -> Lights | None:
        """The lights of a test that goes on; `None`: none does."""
        if self._tested_s is None:
            return None
        number = int((now.monotonic_s - self._tested_s) // EACH_TESTED_S)
        if number >= len(RHYTHMS):
            self._tested_s = None
            return None
        light = list(RHYTHMS)[number]
        return Lights(light, light, light)

    def _arm(self, actor: str, now: Moment) -> bool:
        """Wait for the press that confirms a reset; the hold that it began as is taken back."""
        if self._reset is None:
            return False
        log.warning("the button: a short press within %.0f s resets the appliance to factory", ARMED_S)
        self._armed_s = now.monotonic_s
        self._toggle(actor, now)
        return True

    def _is_armed(self, now: Moment) -> bool:
        return self._armed_s is not None and now.monotonic_s - self._armed_s < ARMED_S

    def _confirm_reset(self, reset: Callable[[str], None], actor: str) -> bool:
        self._armed_s = None
        try:
            reset(actor)
        except Refused as refused:
            log.error("the button: %s", refused.message)
            return False
        return True

    def _toggle(self, actor: str, now: Moment) -> bool:
        before = self._mode.plan.running
        try:
            if before is not None:
                self._mode.stop(actor, now)
            else:
                self._mode.start(None, BUTTON_DURATION_S, BUTTON_IMPACT, actor, now)
        except Refused as refused:
            log.warning("the button: %s", refused.message)
            if self._mode.plan.running == before:
                return False
        after = self._mode.plan.running
        action = "maintenance:start" if after else "maintenance:stop"
        states = (value_text(one and self._mode.record_of(one)) for one in (before, after))
        self._trail.record(AuditEntry(timestamp(now.wall), actor, "", None, action, "null", *states))
        return True
