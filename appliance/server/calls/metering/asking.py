"""Calls about what departments used before, and about requests for more."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from appliance.core.metering.account import ClosedPeriod
from appliance.core.metering.quota import MOST_CLOSED, QuotaKind, QuotaRequest
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import Part, RequestFacts
from appliance.monitor.metering.quota_events import request_facts
from appliance.server.calls.arguments import Argument, DepartmentId, Sentence
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.metering.quotas import KindWord
from appliance.server.calls.reply import Reply

Count = Annotated[int, Meta(ge=1, le=MOST_CLOSED, description=f"a number of periods from 1 to {MOST_CLOSED}")]
RequestId = Annotated[str, Meta(min_length=1, max_length=64, description="the id of a request")]


class ClosedArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:closed`. `count`: at most so many periods."""

    department_id: DepartmentId
    type: KindWord
    count: Count


class RequestsArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:requests`. `department_id`: `None` for all that the caller may see."""

    department_id: DepartmentId | None = None


class DeclineArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `quota:decline`. `reason`: the person who asked reads it."""

    id: RequestId
    reason: Sentence | None = None


class ClosedPeriodFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A period that has ended. `used`, `limit`, `granted` in bytes; `limit`: as it was at the end, with `granted`.

    `limit` is null where there was none, and for periods before this was kept. `exceeded_at`: when it was used up.
    """

    started_at: str
    ended_at: str
    used: int
    limit: int | None
    granted: int
    exceeded_at: str | UnsetType = UNSET


class ClosedReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A department's periods of one kind that have ended, newest first; one in which nothing ran is missing."""

    department_id: str
    type: QuotaKind
    periods: list[ClosedPeriodFacts]


class RequestsReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The requests of people who were cut off, newest first."""

    requests: list[RequestFacts]


class RequestReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The request, as it was answered."""

    request: RequestFacts


def closed(context: Context, asked: ClosedArgument) -> ClosedReply:
    """The department's periods of a kind that have ended."""
    require_department(context, asked.department_id)
    found = context.services.metering.closed_periods(asked.department_id, asked.type, asked.count, context.now)
    periods = [ClosedPeriodFacts(**period_keys(one)) for one in found]
    return ClosedReply(department_id=asked.department_id, type=asked.type, periods=periods)


def requests(context: Context, asked: RequestsArgument) -> RequestsReply:
    """What people who are or were cut off have asked for."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    visible = filter(context.caller.grant.may_see, context.services.metering.ids)
    departments = [one for one in visible if asked.department_id in {None, one}]
    found = context.services.requests.requests(departments, context.now)
    return RequestsReply(requests=[request_facts(one) for one in found])


def decline(context: Context, asked: DeclineArgument) -> RequestReply:
    """Answer a request for more with no."""
    request, subject = _request(context, asked), context.caller.grant.subject
    return RequestReply(
        request=request_facts(context.services.requests.decline(request, subject, asked.reason, context.now))
    )


def state(context: Context, asked: DeclineArgument) -> RequestFacts:
    """The request, for the audit trail."""
    return request_facts(_request(context, asked))


def _request(context: Context, asked: DeclineArgument) -> QuotaRequest:
    """The request of this id. Raises `Refused`, in the same words for one of another's departments."""
    found = context.services.requests.find(asked.id)
    if found is None or not context.caller.grant.may_see(found.department):
        raise Refused(Code.BAD_REQUEST, "id: there is no such request any more; quota:requests has those that are kept")
    return found


def period_keys(period: ClosedPeriod) -> dict[str, Any]:
    """The fields of a period's facts."""
    return {
        "started_at": timestamp(period.started_at),
        "ended_at": timestamp(period.ended_at),
        "used": period.used_bytes,
        "limit": period.limit_bytes,
        "granted": period.granted_bytes,
        "exceeded_at": UNSET if period.exceeded_at is None else timestamp(period.exceeded_at),
    }
