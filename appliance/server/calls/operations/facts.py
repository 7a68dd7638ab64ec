"""Calls about the appliance itself: its name, its clock, its certificate, and the departments of the caller."""

from collections.abc import Mapping

from appliance.config.sections import NoticeSection
from appliance.core.machine import Link, Position
from appliance.core.metering.department import Department, line_rate_of
from appliance.core.metering.quota import Action
from appliance.core.moment import began_at, timestamp
from appliance.core.operations.maintenance_window import InMaintenance
from appliance.events import Part
from appliance.server.calls.arguments import Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Reply


class EventPeriods(Part, frozen=True, kw_only=True, rename="camel"):
    """Seconds between two events of a kind."""

    metering: float
    analytics: float
    health: float


class DepartmentFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A department as configured.

    `line_rate`: bytes per second, configured or else negotiated; null where neither is known. `on_exceeded`: what
    happens beyond a limit, with `throttle_rate` in bytes per second. `thresholds`: shares of a limit, ascending.
    """

    id: str
    name: str
    interface: str
    subnets: list[str]
    line_rate: int | None
    on_exceeded: Action
    throttle_rate: int | None
    thresholds: list[float]


class ApplianceReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The appliance. `name`: its computer's; `timezone`: an IANA name; `contact`: null where none is configured.

    `started_at` and `now` are times by the appliance's clock, which `is_clock_trusted` or not. `button_hold`: seconds
    for which the panel's button is held for maintenance. `in_maintenance`: what becomes of blocks and quotas then.
    """

    name: str
    version: str
    position: Position
    timezone: str
    simulated: bool
    started_at: str
    now: str
    is_clock_trusted: bool
    contact: str | None
    periods: EventPeriods
    button_hold: float
    in_maintenance: InMaintenance
    departments: list[DepartmentFacts]


class ShownCertificate(Part, frozen=True, kw_only=True, rename="camel"):
    """A certificate. `names`: names and addresses; `fingerprint`: its SHA-256, in hexadecimal with colons."""

    names: list[str]
    not_after: str
    fingerprint: str
    self_signed: bool


class CertificateReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The server's certificate; null where it speaks HTTP."""

    certificate: ShownCertificate | None


def appliance(context: Context, _: Nothing) -> ApplianceReply:
    """The appliance, and the departments that the caller may see."""
    profile, now, metering = context.services.profile, context.now, context.services.metering
    config, may_see = profile.config, context.caller.grant.may_see
    periods, contact = config.periods, config.notice.contact
    return ApplianceReply(
        name=profile.name,
        version=profile.version,
        position=config.position,
        timezone=config.zone.key,
        simulated=profile.is_simulated,
        started_at=timestamp(began_at(profile.started_s, now)),
        now=timestamp(now.wall),
        is_clock_trusted=now.is_trusted,
        contact=None if contact == NoticeSection().contact else contact,
        periods=EventPeriods(metering=periods.metering, analytics=periods.analytics, health=periods.health),
        button_hold=config.panel.hold,
        in_maintenance=config.as_in_maintenance(),
        departments=[_shown(one, metering.links) for one in profile.departments if may_see(one.id)],
    )


def certificate(context: Context, _: Nothing) -> CertificateReply:
    """The certificate that the server shows."""
    found = context.services.certificate()
    if found is None:
        return CertificateReply(certificate=None)
    return CertificateReply(
        certificate=ShownCertificate(
            names=[*found.names],
            not_after=timestamp(found.ends),
            fingerprint=found.fingerprint,
            self_signed=found.is_self_signed,
        )
    )


def _shown(department: Department, links: Mapping[str, Link]) -> DepartmentFacts:
    limits, rate_bps = department.limits, line_rate_of(department, links)
    return DepartmentFacts(
        id=department.id,
        name=department.name,
        interface=department.interface,
        subnets=[str(one) for one in department.subnets],
        line_rate=rate_bps // 8 if rate_bps else None,
        on_exceeded=limits.on_exceeded,
        throttle_rate=limits.throttle_bytes_s,
        thresholds=[one / 100 for one in limits.thresholds],
    )
