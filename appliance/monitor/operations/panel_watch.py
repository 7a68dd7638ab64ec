"""The panel: its button begins and ends maintenance on site, and its lights show how the appliance is."""

import logging
from collections.abc import Callable, Collection, Sequence

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.machine import Press
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.maintenance_window import facts
from appliance.core.operations.panel_lights import PanelFacts, PanelState, lights
from appliance.core.refusal import Refused
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.ports import AuditStore, Panel

log = logging.getLogger(__name__)

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
    ) -> None:
        """`trail`: records the actions of the button.

        `short_press_actions`: tried in order after a short press, until one returns true: it was waiting for the press.
        """
        self._panel, self._mode, self._trail = panel, maintenance_mode, trail
        self._short_press_actions = short_press_actions

    def step(self, now: Moment) -> None:
        """Obey the button: held, it begins or ends maintenance; pressed, the first action that waits for it is run."""
        for press in self._panel.presses():
            if press is Press.HELD:
                self._toggle(now)
            elif any(act(now) for act in self._short_press_actions):
                self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, "button:press"))

    def show(self, states: Collection[PanelState], utilization: float) -> None:
        """Show the state on the LEDs. `states`: beside maintenance. `utilization`: of the fullest line, 0 to 1."""
        maintenance = {PanelState.MAINTENANCE} if self._mode.is_read_only else set()
        self._panel.show(lights(PanelFacts(frozenset({*states, *maintenance}), utilization)))

    def _toggle(self, now: Moment) -> None:
        before = self._mode.plan.running
        try:
            if before is not None:
                self._mode.stop("button", now)
            else:
                self._mode.start(None, BUTTON_DURATION_S, BUTTON_IMPACT, "button", now)
        except Refused as refused:
            log.warning("the button: %s", refused.message)
            if self._mode.plan.running == before:
                return
        after = self._mode.plan.running
        action = "maintenance:start" if after else "maintenance:stop"
        states = (value_text(one and facts(one)) for one in (before, after))
        self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, action, "null", *states))
