"""The maintenance mode, and the panel, whose button begins and ends maintenance on site.

The button, the command line and the dashboard use the same two methods.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import convert

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.machine import Press
from appliance.core.moment import Moment, timestamp
from appliance.core.operations import maintenance_window as rules
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.operations.panel_lights import lights
from appliance.core.refusal import Code, Refused
from appliance.events import MaintenanceFacts, SystemMaintenance
from appliance.ports import AuditStore, Panel, Publisher, Store

log = logging.getLogger(__name__)

BUTTON_DURATION_S = 3600  # the contract's own example; long enough to swap cables, short enough if it is forgotten
BUTTON_IMPACT = "Maintenance was begun at the appliance: it takes no changes"
FURTHEST_END = timedelta(days=1)  # from the beginning, or from now: a forgotten maintenance is over the next day
FURTHEST_START = timedelta(days=366)  # a start further ahead has a wrong year


class MaintenanceMode:
    """Keeps the one maintenance that may exist, and shows the state on the panel."""

    def __init__(
        self,
        store: Store,
        panel: Panel,
        publish: Publisher,
        trail: AuditStore,
        short_press_actions: Sequence[Callable[[Moment], bool]] = (),
    ) -> None:
        """`trail`: records the actions of the button.

        `short_press_actions`: tried in order after a short press, until one returns true: it was waiting for the press.
        """
        self._trail = trail
        self._short_press_actions = short_press_actions
        self._store = store
        self._panel = panel
        self._publish = publish
        self.current: Maintenance | None = store.maintenance()

    def start(self, start: datetime | None, duration_s: int, impact: str, actor: str, now: Moment) -> Maintenance:
        """Begin a maintenance, or announce one that starts later; an existing one is replaced (extended)."""
        if start is not None and start - now.wall > FURTHEST_START:
            raise Refused(Code.BAD_REQUEST, "startTime: more than a year ahead; give a nearer one")
        planned = rules.plan(now.wall, start, duration_s, impact, actor)
        log.info("%s asks for maintenance of %d s from %s on", actor, duration_s, timestamp(planned.start))
        self._set(planned, planned, now)
        return planned

    def extend(self, more_s: int, actor: str, now: Moment) -> Maintenance:
        """Let the maintenance end later, announced or under way. Raises `Refused` if there is none, or beyond a day."""
        if self.current is None:
            raise Refused(Code.BAD_REQUEST, "there is no maintenance to extend; start one")
        later = rules.extended(self.current, more_s)
        if later.end - max(now.wall, later.start) > FURTHEST_END:
            end = timestamp(later.end)
            raise Refused(Code.BAD_REQUEST, f"duration: it would last until {end}, more than a day; give less")
        log.info("%s extends the maintenance by %d s, to %s", actor, more_s, timestamp(later.end))
        self._set(later, later, now)
        return later

    def stop(self, actor: str, now: Moment) -> Maintenance:
        """End the maintenance, or cancel the announced one. Raises `Refused` if there is none."""
        if self.current is None:
            raise Refused(Code.BAD_REQUEST, "there is no maintenance to stop")
        over = rules.completed(self.current, now.wall)
        log.info("%s ends the maintenance", actor)
        self._set(None, over, now)
        return over

    def require_writable(self) -> None:
        """Raise `Refused` while the appliance is in maintenance."""
        if rules.is_read_only(self.current):
            raise Refused(Code.MAINTENANCE, "the appliance is in maintenance and takes no changes; stop it or wait")

    def begin(self, now: Moment) -> None:
        """Publish the maintenance that began before this start, so that it is in the snapshot again."""
        if self.current is not None:
            self._publish_change(self.current, now)

    def step(self, now: Moment) -> None:
        """Begin or end the maintenance when it is due, and obey the button.

        Holding the button begins or ends maintenance; a short press runs the first action that waits for one.
        """
        after, change = rules.advance(self.current, now.wall)
        if change is not None:
            self._set_on_time(after, change, now)
        for press in self._panel.presses():
            if press is Press.HELD:
                self._toggle(now)
            elif any(act(now) for act in self._short_press_actions):
                self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, "button:press"))

    def show(self, *, alarmed: bool, troubled: bool, busy: bool) -> None:
        """Show the state on the LEDs."""
        read_only = rules.is_read_only(self.current)
        self._panel.show(lights(read_only=read_only, alarmed=alarmed, troubled=troubled, busy=busy))

    def _set_on_time(self, after: Maintenance | None, change: Maintenance, now: Moment) -> None:
        """Make a change that is due by the clock, saved or not: if unsaved, it is due again after the next start."""
        try:
            self._store.save_maintenance(after)
        except Refused as refused:
            log.warning("the maintenance that began or ended is not saved: %s", refused.message)
        self.current = after
        self._publish_change(change, now)

    def _toggle(self, now: Moment) -> None:
        before = self.current
        try:
            if rules.is_read_only(before):
                self.stop("button", now)
            else:
                self.start(None, BUTTON_DURATION_S, BUTTON_IMPACT, "button", now)
        except Refused as refused:
            log.warning("the button: %s", refused.message)
            if self.current == before:
                return
        action = "maintenance:start" if self.current else "maintenance:stop"
        states = (value_text(one and rules.facts(one)) for one in (before, self.current))
        self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, action, "null", *states))

    def _set(self, current: Maintenance | None, change: Maintenance, now: Moment) -> None:
        """Raises `Refused`; only where the medium fails at the very end, the change is made all the same."""
        self._store.save_maintenance(current)
        self.current = current
        try:
            self._store.sync()
        finally:
            self._publish_change(change, now)

    def _publish_change(self, change: Maintenance, now: Moment) -> None:
        facts = convert(rules.facts(change), MaintenanceFacts)
        self._publish(SystemMaintenance(timestamp=timestamp(now.wall), maintenance=facts))
