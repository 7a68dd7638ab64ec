"""Wording: which events are told to people who are not connected, how grave each is, and in which words.

An event that only repeats a state is told when the state changes, and none because the service has started.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import UNSET

from appliance import events
from appliance.core.alerting.notice import LONGEST_TEXT, Notice, Topic
from appliance.core.detection.incident import Severity
from appliance.core.duration import duration_text
from appliance.core.metering.quota import AlertKind, RequestState
from appliance.core.operations.maintenance_window import MaintenanceKind
from appliance.core.operations.update import UpdateState
from appliance.core.size import size_text
from appliance.core.text import visible

REPEAT_TROUBLE = timedelta(hours=1)  # one that comes and goes
NEWS = timedelta(hours=1)  # what an update came to before the service started is told if the update is no older

Told = tuple[Severity, str]

ALERTS = {
    AlertKind.WARNING: (Severity.MEDIUM, "{used} of the {type} quota of {limit} are used ({percentage:.0f} %)"),
    AlertKind.CRITICAL: (Severity.HIGH, "{used} of the {type} quota of {limit} are used ({percentage:.0f} %)"),
    AlertKind.EXCEEDED: (Severity.HIGH, "the {type} quota of {limit} is used up"),
    AlertKind.RESET: (Severity.LOW, "the {type} quota begins anew"),
}
# A host's own quota concerns one person.
HOST_SEVERITY = {AlertKind.WARNING: Severity.LOW, AlertKind.CRITICAL: Severity.LOW, AlertKind.EXCEEDED: Severity.MEDIUM}
ENDED = {
    UpdateState.FAILED: (Severity.HIGH, "the update failed; nothing has changed"),
    UpdateState.RETURNED: (Severity.HIGH, "the update did not prove itself; the former version runs again"),
    UpdateState.INSTALLED: (Severity.LOW, "the update is installed, and takes over at the next start"),
    UpdateState.CONFIRMED: (Severity.LOW, "the update has proved itself"),
}
_NUMBERS = re.compile(r"[0-9][0-9.,:TZ%-]*")  # by which a sentence about the same trouble differs


class Wording:
    """Turns events into notices; it remembers the states that it has told."""

    def __init__(self) -> None:
        self._active: dict[str, bool] = {}
        self._troubles: dict[str, datetime] = {}  # when each was last seen
        self._update: tuple[str, UpdateState] | None = None

    def notices(self, event: events.Event) -> Iterator[Notice]:
        """The notices of an event, most often none."""
        entry = _TOPICS.get(type(event))
        if entry is None:
            return
        topic, words = entry
        at, department = datetime.fromisoformat(event.timestamp), getattr(event, "department_id", None)
        for severity, text in words(self, event):
            yield Notice(at, topic, severity, department, visible(text)[:LONGEST_TEXT])

    def _quota(self, event: events.QuotaAlert) -> Iterator[Told]:
        severity, words = ALERTS[event.type]
        yield severity, _books(words, event.quota)

    def _host(self, event: events.HostQuota) -> Iterator[Told]:
        words = _books(ALERTS[event.type][1], event.quota)
        yield HOST_SEVERITY.get(event.type, Severity.LOW), f"{event.host}: {words}"

    def _request(self, event: events.QuotaRequested) -> Iterator[Told]:
        one = event.request
        if one.state == RequestState.OPEN:
            yield Severity.MEDIUM, f"{one.name} at {one.address} asks for more: {one.text}"
        else:
            yield Severity.LOW, f"the request of {one.name} at {one.address} was {one.state} by {one.by or 'nobody'}"

    def _incident(self, event: events.SecurityIncident) -> Iterator[Told]:
        one = event.incident
        kind = one.type.replace("_", " ")
        source = f"{one.source} ({visible(one.source_name)})" if one.source_name else one.source
        if one.state == "closed":
            yield Severity.LOW, f"the {kind} by {source} is over"
        else:
            unblocked = f" (not blocked: {one.not_blocked})" if one.not_blocked is not UNSET else ""
            yield event.severity, f"{kind} by {source}: {one.details}{unblocked}"

    def _anomaly(self, event: events.AnalyticsAnomaly) -> Iterator[Told]:
        one = event.anomaly
        yield one.severity, f"{one.type.replace('_', ' ')}: {one.details} (confidence {one.confidence:.0%})"

    def _blocked(self, event: events.IpBlocked) -> Iterator[Told]:
        one = event.ip
        lasting = f"for {duration_text(one.duration)}" if one.duration else "until it is lifted"
        words = "is blocked" if one.enforced is UNSET else "should be blocked, which this position cannot do,"
        yield Severity.LOW, f"{one.address} {words} {lasting}: {one.reason}"

    def _status(self, event: events.DepartmentStatus) -> Iterator[Told]:
        status, former = event.status, self._active.get(event.department_id, True)
        self._active[event.department_id] = status.active
        if former and not status.active:
            reasons = "; ".join(status.reasons or [])
            yield Severity.HIGH, f"does not work as configured: {reasons}" if reasons else "does not work as configured"
        elif status.active and not former:
            yield Severity.LOW, "works as configured again"

    def _health(self, event: events.SystemHealth) -> Iterator[Told]:
        at, former = datetime.fromisoformat(event.timestamp), self._troubles
        present = {_NUMBERS.sub("#", one): one for one in event.status.troubles or []}
        recent = {kind: seen for kind, seen in former.items() if at - seen < REPEAT_TROUBLE}
        self._troubles = {**recent, **dict.fromkeys(present, at)}
        yield from ((Severity.HIGH, one) for kind, one in present.items() if kind not in recent)
        if former and not self._troubles:
            yield Severity.LOW, "all has been in order for an hour"

    def _maintenance(self, event: events.SystemMaintenance) -> Iterator[Told]:
        one = event.maintenance
        if one.type is MaintenanceKind.COMPLETED:
            yield Severity.LOW, "maintenance is over"
            return
        what = "maintenance is announced" if one.begun is False else "maintenance has begun"
        yield Severity.LOW, f"{what}, from {one.start_time} for {duration_text(one.duration)}: {one.impact}"

    def _updated(self, event: events.SystemUpdate) -> Iterator[Told]:
        one, former = event.update, self._update
        if one is None:
            return
        self._update = one.started_at, one.state
        age = datetime.fromisoformat(event.timestamp) - datetime.fromisoformat(one.started_at)
        if one.state in ENDED and self._update != former and (former is not None or age < NEWS):
            severity, words = ENDED[one.state]
            yield severity, ": ".join(filter(None, (words, one.reason)))


def _books(words: str, quota: events.QuotaBooks) -> str:
    sizes = {"used": size_text(quota.used), "limit": size_text(quota.limit)}
    return words.format(type=quota.type, percentage=quota.percentage, **sizes)


_TOPICS: Mapping[type[events.Event], tuple[Topic, Callable[[Wording, Any], Iterator[Told]]]] = {
    events.QuotaAlert: (Topic.QUOTA_ALERT, Wording._quota),
    events.HostQuota: (Topic.HOST_QUOTA, Wording._host),
    events.QuotaRequested: (Topic.QUOTA_REQUEST, Wording._request),
    events.SecurityIncident: (Topic.INCIDENT, Wording._incident),
    events.AnalyticsAnomaly: (Topic.ANOMALY, Wording._anomaly),
    events.IpBlocked: (Topic.BLOCKED, Wording._blocked),
    events.DepartmentStatus: (Topic.STATUS, Wording._status),
    events.SystemHealth: (Topic.HEALTH, Wording._health),
    events.SystemMaintenance: (Topic.MAINTENANCE, Wording._maintenance),
    events.SystemUpdate: (Topic.UPDATE, Wording._updated),
}
