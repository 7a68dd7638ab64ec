"""Calls about incidents: their list and evidence, who has seen them, and what nobody wants to be told."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from appliance.core.detection.incident import SEVERITIES, IncidentChange, Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import ADVICE, IncidentRecord, Mute
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.events import IncidentDeviceFacts, Part
from appliance.monitor.traffic.incident_watch import device_facts
from appliance.server.calls.arguments import Argument, DepartmentId, Instant, Sentence, YesOrNo
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

MOST_LISTED = 500  # of one answer: 400 kB
LONGEST_MUTE = timedelta(days=366)  # what is muted for longer is looked at once a year
KindName = Annotated[IncidentKind, Meta(description=f"one of {', '.join(IncidentKind)}")]
StateName = Annotated[Literal["open", "closed"], Meta(description="open or closed")]
Id = Annotated[str, Meta(min_length=1, max_length=64, description="an id, of an incident or a mute")]
Place = Annotated[str, Meta(min_length=1, max_length=253, pattern=r"^[!-~]+\Z", description="an address or a prefix")]
PortName = Annotated[str, Meta(pattern=r"^(\d{1,5}(/udp)?|ARP)\Z", description="a port, such as 22, 161/udp or ARP")]
Listed = Annotated[int, Meta(ge=1, le=MOST_LISTED, description=f"a whole number from 1 to {MOST_LISTED}")]


class IncidentsArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `incident:list`. `department_id`: `None` for all that the caller may see."""

    department_id: DepartmentId | None = None
    state: StateName | None = None
    kind: KindName | None = None
    source: Place | None = None
    limit: Listed = 100


class IncidentArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `incident:get`, and with the id of a mute of `incident:unmute`."""

    id: Id


class AcknowledgeArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `incident:acknowledge`. `undo`: nobody has seen it any more."""

    id: Id
    undo: YesOrNo = False


class MuteArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `incident:mute`, of which at least one of the first four says what is meant.

    `preview`: nothing is done, and the answer says what it would cover.
    """

    department_id: DepartmentId
    kind: KindName | None = None
    source: Place | None = None
    destination: Place | None = None
    port: PortName | None = None
    until: Instant | None = None
    reason: Sentence | None = None
    preview: YesOrNo = False


class IncidentStep(Part, frozen=True, kw_only=True, rename="camel"):
    """What was told of an incident at a time."""

    at: str
    change: IncidentChange
    severity: Severity
    count: int
    details: str


class MuteFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A mute. `sentence`: what it covers, for a person; `until` is left out where it has no end."""

    id: str
    department_id: str
    by: str
    at: str
    sentence: str
    kind: IncidentKind | UnsetType = UNSET
    source: str | UnsetType = UNSET
    destination: str | UnsetType = UNSET
    port: str | UnsetType = UNSET
    until: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class IncidentSummary(Part, frozen=True, kw_only=True, rename="camel"):
    """An incident, as `security:incident` tells it. `muted_by`: the id of the mute that keeps it quiet."""

    id: str
    department_id: str
    type: IncidentKind
    source: str
    severity: Severity
    state: Literal["open", "closed"]
    details: str
    count: int
    times: int
    opened_at: str
    latest_at: str
    ended_at: str | UnsetType = UNSET
    acknowledged_by: str | UnsetType = UNSET
    acknowledged_at: str | UnsetType = UNSET
    muted_by: str | UnsetType = UNSET


class CountsFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """The count of an incident by time. `since`: when the first step began; `counts`: the highest in each step.

    A step has `step_s` seconds; in one of 0 there was no evidence.
    """

    since: str = msgspec.field(name="from")
    step_s: float
    counts: list[int]


class IncidentEvidence(Part, frozen=True, kw_only=True, rename="camel"):
    """What is known of an incident. `expected`: what would be ordinary; `peers`, `ports`: examples.

    `devices`: the hardware addresses that sent it; `inside`: whether the source is in the department, left out where
    that is not known; `known_devices`: which devices of the department source, peers and `devices` are; `course`:
    what was told, the oldest first; `series`: how it went on, up to now while it is open; `levels`: from which count on
    it has which severity, the lightest first.
    """

    expected: str
    peers: list[str]
    ports: list[str]
    devices: list[str]
    proven: bool
    advice: str
    course: list[IncidentStep]
    known_devices: list[IncidentDeviceFacts]
    series: CountsFacts
    levels: list[tuple[int, Severity]]
    inside: bool | UnsetType = UNSET


class IncidentsReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """Incidents, the latest changed first, at most `limit` of `total`; and what is muted, the newest first."""

    incidents: list[IncidentSummary]
    total: int
    mutes: list[MuteFacts]


class IncidentReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """One incident with its evidence."""

    incident: IncidentSummary
    evidence: IncidentEvidence


class AcknowledgeReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The incident, as it is now."""

    incident: IncidentSummary


class MuteReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The mute, and the known incidents that it covers, the latest changed first; `total` of them."""

    mute: MuteFacts
    covers: list[IncidentSummary]
    total: int


def incidents(context: Context, asked: IncidentsArgument) -> IncidentsReply:
    """The incidents that are kept."""
    if asked.department_id is not None:
        require_department(context, asked.department_id)
    visible = [one for one in context.services.departments if context.caller.grant.may_see(one)]
    departments = [one for one in visible if asked.department_id in {None, one}]
    log = context.services.insight.incidents.log
    found = [one for one in log.records(departments) if _matches(one, asked)]
    return IncidentsReply(
        incidents=[_summary(context, one) for one in found[: asked.limit]],
        total=len(found),
        mutes=[_mute_facts(one) for one in log.mutes(departments, context.now)],
    )


def incident(context: Context, asked: IncidentArgument) -> IncidentReply:
    """One incident with its evidence."""
    found = _incident(context, asked.id)
    return IncidentReply(incident=_summary(context, found), evidence=_evidence(found))


def acknowledge(context: Context, asked: AcknowledgeArgument) -> AcknowledgeReply:
    """Note that the caller has seen the incident."""
    found, actor = _incident(context, asked.id), None if asked.undo else context.caller.grant.subject
    seen = context.services.insight.incidents.log.acknowledge(found, actor, context.now)
    return AcknowledgeReply(incident=_summary(context, seen))


def mute(context: Context, asked: MuteArgument) -> MuteReply:
    """Keep incidents quiet, or say which they would be."""
    wanted = _mute(context, asked)
    reply = _mute_reply(context, wanted)
    if not asked.preview:
        context.services.insight.incidents.log.mute(wanted, context.now)
    return reply


def unmute(context: Context, asked: IncidentArgument) -> MuteReply:
    """Tell again what a mute covers."""
    found = _known_mute(context, asked.id)
    reply = _mute_reply(context, found)
    context.services.insight.incidents.log.unmute(found)
    return reply


def state(context: Context, asked: AcknowledgeArgument) -> IncidentSummary:
    """The incident, for the audit trail."""
    return _summary(context, _incident(context, asked.id))


def muted(context: Context, _asked: MuteArgument | IncidentArgument) -> list[MuteFacts]:
    """What is muted in the departments that the caller may see, for the audit trail."""
    departments = [one for one in context.services.departments if context.caller.grant.may_see(one)]
    return [_mute_facts(one) for one in context.services.insight.incidents.log.mutes(departments, context.now)]


def _incident(context: Context, incident_id: str) -> IncidentRecord:
    """The incident of this id. Raises `Refused`, in the same words for one of another's departments."""
    found = context.services.insight.incidents.log.find(incident_id)
    if found is None or not context.caller.grant.may_see(found.department):
        raise Refused(Code.BAD_REQUEST, "id: there is no such incident; incident:list has those that are kept")
    return found


def _known_mute(context: Context, mute_id: str) -> Mute:
    found = context.services.insight.incidents.log.find_mute(mute_id, context.now)
    if found is None or not context.caller.grant.may_see(found.department):
        raise Refused(Code.BAD_REQUEST, "id: there is no such mute any more; incident:list has those in force")
    return found


def _mute(context: Context, asked: MuteArgument) -> Mute:
    require_department(context, asked.department_id)
    if not (asked.kind or asked.source or asked.destination or asked.port):
        raise Refused(Code.BAD_REQUEST, "kind: missing; say a kind, a source, a destination or a port")
    now, subject = context.now.wall, context.caller.grant.subject
    if asked.until is not None and not now < asked.until <= now + LONGEST_MUTE:
        raise Refused(Code.BAD_REQUEST, f"until: must be in the next {LONGEST_MUTE.days} days, or left out")
    text = repr((asked.department_id, asked.kind, asked.source, asked.destination, asked.port, now))
    return Mute(
        id=hashlib.sha256(text.encode()).hexdigest()[:16],
        department=asked.department_id,
        by=subject,
        at=now,
        kind=asked.kind,
        source=asked.source,
        destination=asked.destination,
        port=asked.port,
        until=asked.until,
        reason=asked.reason,
    )


def _mute_reply(context: Context, found: Mute) -> MuteReply:
    covered = context.services.insight.incidents.log.covered(found)
    return MuteReply(mute=_mute_facts(found), covers=_summaries(context, covered[:MOST_LISTED]), total=len(covered))


def _matches(one: IncidentRecord, asked: IncidentsArgument) -> bool:
    is_open = one.ended_at is None
    return (
        asked.state in {None, "open" if is_open else "closed"}
        and asked.kind in {None, one.kind}
        and asked.source in {None, one.source}
    )


def _summaries(context: Context, found: Sequence[IncidentRecord]) -> list[IncidentSummary]:
    return [_summary(context, one) for one in found]


def _summary(context: Context, one: IncidentRecord) -> IncidentSummary:
    muting = context.services.insight.incidents.log.muting(one.department, one, context.now)
    return IncidentSummary(
        id=one.id,
        department_id=one.department,
        type=one.kind,
        source=one.source,
        severity=one.severity,
        state="open" if one.ended_at is None else "closed",
        details=one.details,
        count=one.count,
        times=one.times,
        opened_at=timestamp(one.opened_at),
        latest_at=timestamp(one.latest_at),
        ended_at=_time(one.ended_at),
        acknowledged_by=one.acknowledged_by or UNSET,
        acknowledged_at=_time(one.acknowledged_at),
        muted_by=muting.id if muting else UNSET,
    )


def _evidence(one: IncidentRecord) -> IncidentEvidence:
    return IncidentEvidence(
        expected=one.expected,
        peers=list(one.peers),
        ports=list(one.ports),
        devices=list(one.macs),
        proven=one.is_proven,
        advice=ADVICE[one.kind],
        course=[
            IncidentStep(
                at=timestamp(step.at),
                change=step.change,
                severity=step.severity,
                count=step.count,
                details=step.details,
            )
            for step in one.course
        ],
        known_devices=device_facts(one),
        series=CountsFacts(
            since=timestamp(one.opened_at + timedelta(seconds=one.series.offset_s)),
            step_s=one.series.step_s,
            counts=[*one.series.counts],
        ),
        levels=[*reversed(SEVERITIES[one.kind])],
        inside=UNSET if one.is_inside is None else one.is_inside,
    )


def _mute_facts(one: Mute) -> MuteFacts:
    return MuteFacts(
        id=one.id,
        department_id=one.department,
        by=one.by,
        at=timestamp(one.at),
        sentence=one.sentence(),
        kind=one.kind or UNSET,
        source=one.source or UNSET,
        destination=one.destination or UNSET,
        port=one.port or UNSET,
        until=_time(one.until),
        reason=one.reason or UNSET,
    )


def _time(at: datetime | None) -> str | UnsetType:
    return UNSET if at is None else timestamp(at)
