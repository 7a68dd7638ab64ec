"""The maintenance mode: keeps the plan of maintenances, begins and ends them on time, and tells everybody.

The button, the command line and the dashboard use the same methods.
"""

import logging
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import UNSET, convert

from appliance.core.moment import Moment, timestamp
from appliance.core.operations import maintenance_plan as plans
from appliance.core.operations import maintenance_window as window
from appliance.core.operations.maintenance_plan import MaintenancePlan, PlanChange
from appliance.core.operations.maintenance_window import InMaintenance, Maintenance, Repeat
from appliance.core.refusal import Code, Refused
from appliance.events import MaintenanceFacts, SystemMaintenance
from appliance.monitor.operations.state_hold import StateHold
from appliance.ports import Publisher, Store

log = logging.getLogger(__name__)

FURTHEST_END = timedelta(days=1)  # from the beginning, or from now: a forgotten maintenance is over the next day
FURTHEST_START = timedelta(days=366)  # a start further ahead has a wrong year


class MaintenanceMode:
    """Keeps the maintenances that are planned, and the one that runs."""

    def __init__(
        self,
        store: Store,
        publish: Publisher,
        zone: ZoneInfo,
        files: StateHold | None = None,
        enforcement: InMaintenance = InMaintenance.STAYS,
    ) -> None:
        """`zone`: of the repeated ones' local time. `files`: held still while one runs; `None`: none are.

        `enforcement`: what becomes of it while one runs.
        """
        self._store, self._publish, self._zone, self._files = store, publish, zone, files
        self._enforcement = enforcement
        self._is_holding = False
        self.plan: MaintenancePlan = plans.restored(store.maintenances())

    @property
    def current(self) -> Maintenance | None:
        """The maintenance that runs, else the next that is planned; `None`: there is none."""
        return self.plan.next

    @property
    def is_read_only(self) -> bool:
        """Whether clients' changes are refused now."""
        return plans.is_read_only(self.plan)

    def open_s(self, now: Moment) -> float:
        """Seconds for which blocks and quotas are not to be enforced; 0: they are."""
        return plans.left_s(self.plan, now) if self._enforcement is InMaintenance.OPENS else 0.0

    def record_of(self, one: Maintenance) -> dict[str, object]:
        """The maintenance in the form for the audit trail."""
        return window.facts(one, self._enforcement)

    def facts_of(self, one: Maintenance) -> MaintenanceFacts:
        """The maintenance in the form for clients."""
        return convert(self.record_of(one), MaintenanceFacts)

    def start(
        self,
        start: datetime | None,
        duration_s: int,
        impact: str,
        actor: str,
        now: Moment,
        repeat: Repeat | None = None,
    ) -> Maintenance:
        """Begin a maintenance, or announce one that starts later; the one that runs, or starts then, is replaced.

        Raises `Refused`.
        """
        if start is not None and start - now.wall > FURTHEST_START:
            raise Refused(Code.BAD_REQUEST, "startTime: more than a year ahead; give a nearer one")
        if repeat is not None and (start is None or start <= now.wall):
            raise Refused(Code.BAD_REQUEST, "repeat: give the first time as startTime, in the future")
        asked = window.asked_for(now.wall, start, duration_s, impact, actor, repeat)
        log.info("%s asks for maintenance of %d s from %s on", actor, duration_s, timestamp(asked.start))
        return self._make(plans.with_asked(self.plan, asked), now)

    def extend(self, more_s: int, actor: str, now: Moment, name: str | None = None) -> Maintenance:
        """Let a maintenance end later, announced or under way. Raises `Refused` if there is none, or beyond a day.

        `name`: its id; `None`: the one that runs, else the next.
        """
        one = plans.chosen(self.plan, name, "extend")
        change = plans.with_extended(self.plan, one, more_s)
        [later] = change.news
        if later.end - max(now.wall, later.start) > FURTHEST_END:
            end = timestamp(later.end)
            raise Refused(Code.BAD_REQUEST, f"duration: it would last until {end}, more than a day; give less")
        log.info("%s extends the maintenance by %d s, to %s", actor, more_s, timestamp(later.end))
        return self._make(change, now)

    def stop(self, actor: str, now: Moment, name: str | None = None) -> Maintenance:
        """End a maintenance, or call an announced one off. Raises `Refused` if there is none.

        `name`: as for `extend`. It ends even where the medium takes nothing: `Refused` says then that it may come back.
        """
        one = plans.chosen(self.plan, name, "stop")
        log.info("%s ends the maintenance %s", actor, one.id)
        return self._make(plans.with_stopped(self.plan, one, now), now, is_certain=True)

    def require_writable(self) -> None:
        """Raise `Refused` while the appliance is in maintenance."""
        if self.is_read_only:
            raise Refused(Code.MAINTENANCE, "the appliance is in maintenance and takes no changes; stop it or wait")

    def begin(self, now: Moment) -> None:
        """Publish the maintenance that began or was planned before this start, so that it is in the snapshot again."""
        if self.plan.next is not None:
            self._publish_change(self.plan.next, now)
        self._hold_or_release(now)

    def end(self, now: Moment) -> None:
        """Release the files before the service ends: what it has in memory would be lost."""
        self._hold_or_release(now, is_ending=True)

    def step(self, now: Moment) -> None:
        """Begin, announce once more, or end a maintenance when it is due."""
        if self.plan.next is None and not self._is_holding:
            return  # as ten times a second on most days
        change = plans.advanced(self.plan, now, self._zone)
        former, self.plan = self.plan, change.plan
        if not self.is_read_only:
            self._hold_or_release(now)
        if change.plan.saved != former.saved:
            try:
                self._store.save_maintenances(change.plan.saved)
            except Refused as refused:  # it is due again after the next start
                log.warning("what is due in the plan of maintenances is not saved: %s", refused.message)
        for one in change.news:
            log.info("the maintenance %s is %s", one.id, one.phase)
            self._publish_change(one, now)
        self._hold_or_release(now)

    def _make(self, change: PlanChange, now: Moment, *, is_certain: bool = False) -> Maintenance:
        """Save and publish a person's change; returns the maintenance that changed.

        Raises `Refused`; only where `is_certain`, or where the medium fails at the very end, it is made all the same.
        """
        [one] = change.news
        if is_certain:
            self.plan = change.plan
            if not self.is_read_only:
                self._hold_or_release(now)
        is_made = is_certain
        try:
            self._store.save_maintenances(change.plan.saved)
            self.plan, is_made = change.plan, True
            self._store.sync()
        finally:
            if is_made:  # whatever a step has made of the plan meanwhile
                self._publish_change(one, now)
                self._hold_or_release(now)
        return one

    def _hold_or_release(self, now: Moment, *, is_ending: bool = False) -> None:
        """Hold the files while one runs; it is saved by then, and what follows is saved after the release.

        Returns when that is done, also where another's turn has begun it: a step, while an order waits for the medium.
        """
        if self._files is None:
            return
        with self._files.turn:
            is_held = self.is_read_only and not is_ending
            if is_held is not self._is_holding:
                self._is_holding = is_held
                (self._files.hold if is_held else self._files.release)(now)

    def _publish_change(self, change: Maintenance, now: Moment) -> None:
        """Tell everybody; the latest event, which newcomers get, is about the one that runs, if one does."""
        planned = [self.facts_of(one) for one in self.plan.planned] or UNSET
        running = self.plan.running
        for one in [change] if running in {None, change} else [change, running]:
            facts = self.facts_of(one)
            self._publish(SystemMaintenance(timestamp=timestamp(now.wall), maintenance=facts, planned=planned))
