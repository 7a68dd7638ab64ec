"""Upkeep: the maintenance mode and the panel, because a finger on the button is how maintenance begins on site.

The button, the command line and a dashboard do the same thing through the same two methods.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

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

BUTTON_DURATION_S = 3600  # the contract's own example; long enough for a swap of cables, short enough to be forgotten
BUTTON_IMPACT = "Maintenance was begun at the appliance: it takes no changes"
FURTHEST_START = timedelta(days=366)  # a start further ahead is a slip of the year


class MaintenanceMode:
    """Keeps the one maintenance there is, and makes the panel show the state."""

    def __init__(
        self,
        store: Store,
        panel: Panel,
        publish: Publisher,
        trail: AuditStore,
        pressed: Sequence[Callable[[Moment], bool]] = (),
    ) -> None:
        """`trail`: told of what the button does; `pressed`: who may wait for a short press.

        A press goes to the first of these that returns true: it has waited for it.
        """
        self._trail = trail
        self._pressed = pressed
        self._store = store
        self._panel = panel
        self._publish = publish
        self.current: Maintenance | None = store.maintenance()

    def start(self, start: datetime | None, duration_s: int, impact: str, actor: str, now: Moment) -> Maintenance:
        """Begin a maintenance, or announce one that starts later; one that is there already is replaced (extended)."""
        if start is not None and start - now.wall > FURTHEST_START:
            raise Refused(Code.BAD_REQUEST, "startTime: more than a year ahead; give a nearer one")
        planned = rules.plan(now.wall, start, duration_s, impact, actor)
        log.info("%s asks for maintenance of %d s from %s on", actor, duration_s, timestamp(planned.start))
        self._become(planned, planned, now)
        return planned

    def stop(self, actor: str, now: Moment) -> Maintenance:
        """End the maintenance, or call off the announced one."""
        if self.current is None:
            raise Refused(Code.BAD_REQUEST, "there is no maintenance to stop")
        over = rules.completed(self.current, now.wall)
        log.info("%s ends the maintenance", actor)
        self._become(None, over, now)
        return over

    def require_writable(self) -> None:
        """Refuse while the appliance is in maintenance."""
        if rules.is_read_only(self.current):
            raise Refused(Code.MAINTENANCE, "the appliance is in maintenance and takes no changes; stop it or wait")

    def begin(self, now: Moment) -> None:
        """Tell of the maintenance that was there before the service was, so that it is in the snapshot again."""
        if self.current is not None:
            self._tell(self.current, now)

    def step(self, now: Moment) -> None:
        """Begin or end what is due by the clock, and do what the button says.

        Held, maintenance begins or ends; pressed shortly, it goes to whoever waits for that.
        """
        after, news = rules.advance(self.current, now.wall)
        if news is not None:
            self._pass(after, news, now)
        for press in self._panel.presses():
            if press is Press.HELD:
                self._press(now)
            else:
                self._offer(now)

    def show(self, *, alarmed: bool, troubled: bool, busy: bool) -> None:
        """Make the LEDs tell the state."""
        read_only = rules.is_read_only(self.current)
        self._panel.show(lights(read_only=read_only, alarmed=alarmed, troubled=troubled, busy=busy))

    def _pass(self, after: Maintenance | None, news: Maintenance, now: Moment) -> None:
        """Do what is due by the clock, saved or not: the next start finds it due once more."""
        try:
            self._store.save_maintenance(after)
        except Refused as refused:
            log.warning("the maintenance that began or ended is not saved: %s", refused.message)
        self.current = after
        self._tell(news, now)

    def _press(self, now: Moment) -> None:
        try:
            self._toggle(now)
        except Refused as refused:
            log.warning("the button does nothing: %s", refused.message)

    def _offer(self, now: Moment) -> None:
        if any(offer(now) for offer in self._pressed):
            self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, "button:press"))

    def _toggle(self, now: Moment) -> None:
        before = self.current
        if rules.is_read_only(before):
            self.stop("button", now)
        else:
            self.start(None, BUTTON_DURATION_S, BUTTON_IMPACT, "button", now)
        action = "maintenance:start" if self.current else "maintenance:stop"
        states = (value_text(one and rules.facts(one)) for one in (before, self.current))
        self._trail.record(AuditEntry(timestamp(now.wall), "button", "", None, action, "null", *states))

    def _become(self, current: Maintenance | None, news: Maintenance, now: Moment) -> None:
        self._store.save_maintenance(current)
        self.current = current
        self._tell(news, now)

    def _tell(self, news: Maintenance, now: Moment) -> None:
        self._publish(
            SystemMaintenance(
                timestamp=timestamp(now.wall),
                maintenance=MaintenanceFacts(
                    type=news.kind,
                    start_time=timestamp(news.start),
                    duration=news.duration_s,
                    impact=news.impact,
                ),
            )
        )
