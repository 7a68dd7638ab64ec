"""Watches updates: tells how far one is, takes people's orders, and in its window orders one itself.

What has become of an update is told in the log, by an event, and in the audit trail, each once.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.update import (
    UNDER_WAY,
    RunningRoot,
    Update,
    UpdateAction,
    UpdateOrder,
    UpdateState,
    begin_fault,
)
from appliance.core.operations.update_window import UpdateWindow, is_time_to_look
from appliance.core.refusal import Code, Refused
from appliance.events import SystemUpdate, UpdateFacts
from appliance.ports import AuditStore, Publisher, Updates

log = logging.getLogger(__name__)

SCHEDULE = "schedule"  # the actor of what the appliance does by itself
TOLD = frozenset({UpdateState.INSTALLED, UpdateState.FAILED, UpdateState.CONFIRMED, UpdateState.RETURNED})
BAD = frozenset({UpdateState.FAILED, UpdateState.RETURNED})


class UpdatePlan(Struct, frozen=True):
    """When the appliance updates itself, and from where. `jitter`: 0..1, where in the window it asks."""

    url: str
    window: UpdateWindow
    zone: ZoneInfo
    jitter: float


class UpdateMonitor:
    """The updates as people see them. `plan`: `None`: the appliance does nothing by itself.

    `is_held`: whether the appliance itself must not begin anything now.
    """

    def __init__(
        self,
        updates: Updates,
        publish: Publisher,
        trail: AuditStore,
        *,
        plan: UpdatePlan | None,
        is_held: Callable[[], bool],
    ) -> None:
        self._updates, self._publish, self._trail = updates, publish, trail
        self.plan, self._is_held = plan, is_held
        self._published: tuple[RunningRoot | None, Update | None] | None = None

    def obstacle(self) -> str | None:
        """Why nothing can be updated here; `None`: it can."""
        return self._updates.obstacle()

    def running(self) -> RunningRoot | None:
        """The root that runs; `None`: this is not the image."""
        return self._updates.running()

    def latest(self) -> Update | None:
        """The latest update; `None`: there was none."""
        return self._updates.latest()

    def start(self, url: str, actor: str, now: Moment) -> None:
        """Begin an update from this URL; empty: with the bundle that lies in the folder. Raises `Refused`."""
        self._require_image()
        fault = begin_fault(self._updates.latest(), is_ordered=self._updates.is_ordered())
        if fault is not None:
            raise Refused(Code.CONFLICT, fault)
        log.warning("%s begins an update from %s", actor, url or "a file")
        self._order(UpdateAction.INSTALL, url, actor, now)

    @property
    def is_on_trial(self) -> bool:
        """Whether the root that runs is on trial, by the latest step."""
        latest = None if self._published is None else self._published[1]
        return latest is not None and latest.state is UpdateState.TRIAL

    def require_no_trial(self) -> None:
        """Raise `Refused` while the root that runs is on trial: what is changed now, the former one may not read."""
        latest = self._updates.latest()
        if latest is not None and latest.state is UpdateState.TRIAL:
            raise Refused(Code.CONFLICT, str(begin_fault(latest, is_ordered=False)))

    def restart(self, actor: str, now: Moment) -> None:
        """Start the computer again, with the version that is installed. Raises `Refused`."""
        self._require_image()
        latest = self._updates.latest()
        if latest is None or latest.state is not UpdateState.INSTALLED:
            raise Refused(Code.BAD_REQUEST, "no update waits for a restart; begin one first")
        log.warning("%s starts the computer again, with version %s", actor, latest.version)
        self._order(UpdateAction.RESTART, "", actor, now)

    def step(self, now: Moment) -> None:
        """Tell what has changed, and do what is due in the window."""
        running, latest = self._updates.running(), self._updates.latest()
        if self._published is None or self._published != (running, latest):
            self._published = running, latest
            self._publish(
                SystemUpdate(
                    timestamp=timestamp(now.wall),
                    version=running.version if running else None,
                    root=running.root if running else None,
                    update=None if latest is None else update_facts(latest),
                )
            )
            if latest is not None and latest.state in TOLD:
                self._tell(latest, now)
        if self.plan is not None and now.is_trusted and self._updates.obstacle() is None:
            self._act_by_itself(self.plan, latest, now)

    def _act_by_itself(self, plan: UpdatePlan, latest: Update | None, now: Moment) -> None:
        local = now.wall.astimezone(plan.zone)
        if plan.window.night(local) is None or self._updates.is_ordered() or self._is_held():
            return
        state = None if latest is None else latest.state
        if latest is not None and state is UpdateState.INSTALLED:
            if latest.is_unattended:
                self._act(UpdateAction.RESTART, "", now)
        elif state is not UpdateState.TRIAL and state not in UNDER_WAY:
            looked = self._updates.looked_at()
            at = datetime.fromisoformat(looked).astimezone(plan.zone) if looked else None
            if is_time_to_look(plan.window, local, at, plan.jitter):
                self._act(UpdateAction.INSTALL, plan.url, now)

    def _act(self, action: UpdateAction, url: str, now: Moment) -> None:
        try:
            self._order(action, url, SCHEDULE, now)
        except Refused as refused:
            log.error("the update of this night is not begun: %s", refused.message)
            return
        name = "update:start" if action is UpdateAction.INSTALL else "update:restart"
        log.info("by its schedule the appliance %s", "looks for an update" if url else "starts again with the update")
        self._trail.record(AuditEntry(timestamp(now.wall), SCHEDULE, "", None, name, value_text({"url": url})))

    def _order(self, action: UpdateAction, url: str, actor: str, now: Moment) -> None:
        self._updates.order(UpdateOrder(action, actor, timestamp(now.wall), url, actor == SCHEDULE))

    def _require_image(self) -> None:
        obstacle = self._updates.obstacle()
        if obstacle is not None:
            raise Refused(Code.BAD_REQUEST, obstacle)

    def _tell(self, latest: Update, now: Moment) -> None:
        """Log and record what has become of it, unless an earlier run of the service has."""
        what = value_text({"version": latest.version, "startedAt": latest.at, "reason": latest.reason})
        action = f"update:{latest.state}"
        try:
            if any(one.entry.what == what for one in self._trail.entries(1, action=action)):
                return
        except Refused:
            return  # the medium cannot be read: it would be told at each start
        level = logging.ERROR if latest.state in BAD else logging.WARNING
        log.log(level, "update to %s: %s%s", latest.version, latest.state, latest.reason and f": {latest.reason}")
        self._trail.record(AuditEntry(timestamp(now.wall), latest.actor, "", None, action, what))


def update_facts(update: Update, *, with_url: bool = False) -> UpdateFacts:
    """An update as people see it. `with_url`: for an administrator."""
    return UpdateFacts(
        state=update.state,
        version=update.version,
        actor=update.actor,
        started_at=update.at,
        percent=update.percent,
        reason=update.reason or None,
        url=update.url if with_url and update.url else UNSET,
    )
