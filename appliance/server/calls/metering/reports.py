"""The call for a report: what a department used in a day, a week or a month, in one answer for page, table and mail."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.core.detection.incident import Severity
from appliance.core.detection.incident_course import IncidentCourse, courses_of
from appliance.core.metering.history_series import ALL_HOSTS, Step, start_of
from appliance.core.metering.quota import MOST_CLOSED, QuotaKind, first_instant
from appliance.core.metering.usage import NOTHING, Passed, plus
from appliance.core.moment import Moment, timestamp
from appliance.core.operations.report import ADVICE, Counted, Gap, ReportSpan, counted, span_of
from appliance.core.pause import Pause
from appliance.core.refusal import Code, Refused
from appliance.events import Part, SecurityIncident, SentenceValues
from appliance.server.calls.arguments import Argument, DepartmentId
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.metering.asking import ClosedPeriodFacts, period_keys
from appliance.server.calls.reply import Reply
from appliance.server.delivery.fanout import Fanout
from appliance.server.services import Services

Span = Annotated[str, Meta(min_length=7, max_length=10, description=ADVICE)]


class ReportArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `report:get`. `span`: a day, an ISO week or a month."""

    department_id: DepartmentId
    span: Span


class Directions(Part, frozen=True, kw_only=True, rename="camel"):
    """Bytes from the department and toward it."""

    up: int
    down: int


class ReportedPeriod(ClosedPeriodFacts, frozen=True, kw_only=True, rename="camel"):
    """A quota period that ended within the span, as `quota:closed` has it."""

    type: QuotaKind


class ReportedIncident(Part, frozen=True, kw_only=True, rename="camel"):
    """An incident. `severity`: its worst; `until`: when it closed, left out where that was never told.

    `values`: the numbers and names that `details` says.
    """

    type: str
    source: str
    severity: Severity
    details: str
    at: str
    until: str | UnsetType = UNSET
    values: SentenceValues | UnsetType = UNSET


class ReportedCounting(Part, frozen=True, kw_only=True, rename="camel"):
    """How the figures were counted, as `how` says it in sentences.

    `up_to`: until when they go, the report's `from` where that is still ahead; `odd_days`: the start and the hours of
    each day on which the clocks change; `gap_seconds`: in all `gaps`, which are those of a `gap_step` or more;
    `longest_gap`: its start and end, left out where there is none.
    """

    up_to: str
    exempt: list[str]
    odd_days: list[tuple[str, float]]
    gaps: int
    gap_seconds: float
    gap_step: Step
    longest_gap: tuple[str, str] | UnsetType = UNSET


class ReportReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """A report. `until` is not in it; `before`: the span before, null where nothing is known of it.

    `days`: the start of each day, or hour of a single day, and its bytes up and down. `how`: sentences about what was
    counted, and the gaps; `counting`: what they say.
    """

    department_id: str
    span: str
    since: str = msgspec.field(name="from")
    until: str = msgspec.field(name="to")
    is_complete: bool
    up: int
    down: int
    before: Directions | None
    days: list[tuple[str, int, int]]
    quotas: list[ReportedPeriod]
    incidents: list[ReportedIncident]
    how: list[str]
    counting: ReportedCounting


class ReportSource(Struct, frozen=True):
    """What a report is made of. `give_way`: as of a `Context`."""

    services: Services
    fanout: Fanout
    now: Moment
    give_way: Pause


def report(context: Context, asked: ReportArgument) -> ReportReply:
    """What the department used in the span, against its quotas, with its incidents and how all was counted."""
    require_department(context, asked.department_id)
    source = ReportSource(context.services, context.caller.fanout, context.now, context.give_way)
    return report_of(source, asked.department_id, _span(asked.span))


def report_of(context: ReportSource, department: str, span: ReportSpan) -> ReportReply:
    """The report of a department that is configured, for whoever may read it."""
    since, until = span.bounds(context.services.profile.config.zone)
    total = _total(days := _passed(context, department, span, Step.DAY)) or NOTHING
    before = _total(_passed(context, department, span.before, Step.DAY))
    how = _counted(context, department, span)
    points = _passed(context, department, span, Step.HOUR) if span.kind is QuotaKind.DAILY else days
    return ReportReply(
        department_id=department,
        span=span.text,
        since=timestamp(since),
        until=timestamp(until),
        is_complete=context.now.is_trusted and until <= context.now.wall,
        up=total.up_bytes,
        down=total.down_bytes,
        before=None if before is None else Directions(up=before.up_bytes, down=before.down_bytes),
        days=[(timestamp(start), one.up_bytes, one.down_bytes) for start, one in points.items()],
        quotas=_periods(context, department, since, until),
        incidents=_incidents(context, department, since, until),
        how=how.sentences(),
        counting=_counting(how),
    )


def _span(text: str) -> ReportSpan:
    try:
        return span_of(text)
    except ValueError as error:
        raise Refused(Code.BAD_REQUEST, f"span: {error}") from None


def _passed(context: ReportSource, department: str, span: ReportSpan, step: Step) -> Mapping[datetime, Passed]:
    bounds = span.bounds(context.services.profile.config.zone)
    return context.services.history.query([(department, ALL_HOSTS)], *bounds, step, context.give_way)


def _total(days: Mapping[datetime, Passed]) -> Passed | None:
    """The sum; `None` where nothing was metered."""
    total = None
    for one in days.values():
        total = plus(total or NOTHING, one)
    return total


def _periods(context: ReportSource, department: str, since: datetime, until: datetime) -> list[ReportedPeriod]:
    """The quota periods that lie in the span, newest first, those of a day before those of a week."""
    return [
        ReportedPeriod(type=kind, **period_keys(one))
        for kind in QuotaKind
        for one in context.services.metering.closed_periods(department, kind, MOST_CLOSED, context.now)
        if since <= one.started_at and one.ended_at <= until
    ]


def _incidents(context: ReportSource, department: str, since: datetime, until: datetime) -> list[ReportedIncident]:
    """The incidents of the span, oldest first, as far as the latest alerts tell them."""
    told = context.fanout.sent_alerts(SecurityIncident, department)
    return [
        ReportedIncident(
            type=one.kind,
            source=one.source,
            severity=one.severity,
            details=one.details,
            at=timestamp(one.since),
            until=timestamp(one.until) if one.until else UNSET,
            values=dict(one.values) or UNSET,
        )
        for one in courses_of(map(_told, told))
        if one.since < until and (one.until or one.since) >= since
    ]


def _told(alert: bytes) -> tuple[IncidentCourse, bool]:
    event = msgspec.json.decode(alert, type=SecurityIncident)
    facts, at = event.incident, datetime.fromisoformat(event.timestamp)
    known_id = None if facts.incident_id is msgspec.UNSET else facts.incident_id
    course = IncidentCourse(
        facts.type,
        facts.source,
        Severity(event.severity),
        facts.details,
        at,
        id=known_id,
        values={} if facts.values is msgspec.UNSET else facts.values,
    )
    return course, facts.state == "closed"


def _counted(context: ReportSource, department: str, span: ReportSpan) -> Counted:
    profile, now = context.services.profile, context.now
    zone = profile.config.zone
    step, runs = context.services.history.gaps(department, *span.bounds(zone), now)
    gaps = [Gap(start_of(step, run.start, zone), min(start_of(step, run.stop, zone), now.wall)) for run in runs]
    exempt = next((one.exempt for one in profile.departments if one.id == department), ())
    return counted(span, gaps, step, exempt, now.wall, zone)


def _counting(found: Counted) -> ReportedCounting:
    longest = found.longest_gap
    return ReportedCounting(
        up_to=timestamp(found.up_to),
        exempt=[*found.exempt],
        odd_days=[(timestamp(first_instant(day, found.zone)), hours) for day, hours in found.odd_days],
        gaps=len(found.gaps),
        gap_seconds=sum(gap.seconds for gap in found.gaps),
        gap_step=found.step,
        longest_gap=UNSET if longest is None else (timestamp(longest.since), timestamp(longest.until)),
    )
