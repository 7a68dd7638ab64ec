"""Builds the events of a crossed threshold (alerts, and the error when a quota is used up), and those of requests."""

from collections.abc import Sequence

from msgspec import UNSET

from appliance.core.metering.department import Department
from appliance.core.metering.quota import AlertKind, Crossing, QuotaRequest
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code
from appliance.events import Event, HostQuota, QuotaAlert, QuotaBooks, QuotaExceeded, QuotaRequested, RequestFacts
from appliance.monitor.metering.device_directory import HostName


def crossing_events(department: Department, crossing: Crossing, now: Moment) -> Sequence[Event]:
    """The alert of a department's crossing, and the error for clients where its quota is used up."""
    at, quota = timestamp(now.wall), _quota_books(crossing)
    alert = QuotaAlert(timestamp=at, department_id=department.id, type=crossing.alert, quota=quota)
    if crossing.alert is not AlertKind.EXCEEDED:
        return [alert]
    error = QuotaExceeded(
        timestamp=at,
        department_id=department.id,
        code=Code.QUOTA_EXCEEDED,
        message=f"{department.name} has used up its {crossing.kind} quota",
        used=quota.used,
        limit=quota.limit,
        resets_at=timestamp(crossing.resets_at),
    )
    return [alert, error]


def host_quota(department: str, host: HostName, crossing: Crossing, now: Moment) -> HostQuota:
    """The alert of a host's crossing."""
    at, quota = timestamp(now.wall), _quota_books(crossing)
    return HostQuota(
        timestamp=at,
        department_id=department,
        host=host.name,
        type=crossing.alert,
        quota=quota,
        mac=UNSET if host.mac is None else host.mac,
        addresses=list(host.addresses),
        behind_router=UNSET if host.mac else True,
    )


def request_facts(request: QuotaRequest) -> RequestFacts:
    """A request for more, as clients get it."""
    return RequestFacts(
        id=request.id,
        department_id=request.department,
        address=request.address,
        name=request.name,
        text=request.text,
        at=timestamp(request.at),
        state=request.state,
        by=UNSET if request.actor is None else request.actor,
        reason=UNSET if request.reason is None else request.reason,
    )


def quota_requested(request: QuotaRequest, now: Moment) -> QuotaRequested:
    """The event of a request that was made or answered."""
    return QuotaRequested(
        timestamp=timestamp(now.wall), department_id=request.department, request=request_facts(request)
    )


def _quota_books(crossing: Crossing) -> QuotaBooks:
    return QuotaBooks(
        type=crossing.kind,
        used=crossing.used_bytes,
        limit=crossing.limit_bytes,
        percentage=crossing.percentage,
        resets_at=timestamp(crossing.resets_at),
    )
