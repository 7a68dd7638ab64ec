"""Builds the events that tell clients of a quota: its books, an alert at a threshold, an error when it is used up."""

from appliance.core.metering.department import Department
from appliance.core.metering.quota import Crossing
from appliance.core.moment import Moment, timestamp
from appliance.core.refusal import Code
from appliance.events import QuotaAlert, QuotaBooks, QuotaExceeded


def quota_books(crossing: Crossing) -> QuotaBooks:
    """What a crossing says of its quota."""
    return QuotaBooks(
        type=crossing.kind,
        used=crossing.used_bytes,
        limit=crossing.limit_bytes,
        percentage=crossing.percentage,
        resets_at=timestamp(crossing.resets_at),
    )


def quota_alert(department: str, crossing: Crossing, now: Moment) -> QuotaAlert:
    """The alert for a threshold that was crossed."""
    return QuotaAlert(
        timestamp=timestamp(now.wall), department_id=department, type=crossing.alert, quota=quota_books(crossing)
    )


def quota_exceeded(department: Department, crossing: Crossing, now: Moment) -> QuotaExceeded:
    """The error that clients get when a quota is used up."""
    return QuotaExceeded(
        timestamp=timestamp(now.wall),
        department_id=department.id,
        code=Code.QUOTA_EXCEEDED,
        message=f"{department.name} has used up its {crossing.kind} quota",
        used=crossing.used_bytes,
        limit=crossing.limit_bytes,
        resets_at=timestamp(crossing.resets_at),
    )
