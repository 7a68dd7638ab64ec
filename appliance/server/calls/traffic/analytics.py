"""Calls about a department's analytics."""

import msgspec

from appliance.events import AnomalyFacts, Part
from appliance.server.calls.arguments import Argument, DepartmentId, Instant
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Done, Reply

MOST_LISTED = 500  # of one answer: as many alerts as are kept; at two a week, years of a department


def subscribe(context: Context, department: str) -> Done:
    """Send the caller the department's analytics."""
    require_department(context, department)
    context.caller.subscribe(department)
    return Done()


def unsubscribe(context: Context, department: str) -> Done:
    """Stop sending the caller the department's analytics."""
    require_department(context, department)
    context.caller.unsubscribe(department)
    return Done()


class AnomaliesArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `anomaly:list`. `department_id`: `None` for all that the caller may see; `until` is not in it."""

    department_id: DepartmentId | None = None
    since: Instant = msgspec.field(name="from")
    until: Instant = msgspec.field(name="to")


class ListedAnomaly(Part, frozen=True, kw_only=True, rename="camel"):
    """An anomaly, as `analytics:anomaly` told it."""

    department_id: str
    timestamp: str
    anomaly: AnomalyFacts


class AnomaliesReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The anomalies, newest first, at most `MOST_LISTED`."""

    anomalies: list[ListedAnomaly]


def anomalies(context: Context, asked: AnomaliesArgument) -> AnomaliesReply:
    """The anomalies of a range."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    visible = sorted(filter(context.caller.grant.may_see, context.services.departments))
    departments = visible if asked.department_id is None else [asked.department_id]
    found = context.services.insight.usual_rates.anomalies(departments, asked.since, asked.until, MOST_LISTED)
    return AnomaliesReply(
        anomalies=[
            ListedAnomaly(department_id=one.department_id, timestamp=one.timestamp, anomaly=one.anomaly)
            for one in found
        ]
    )
