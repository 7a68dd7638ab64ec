"""The documented contract, typed: one frozen class for each event that the appliance emits.

Field names become camelCase on the wire. A field that is `UNSET` is not sent: these are the optional keys beyond the
documented ones. Only this module says to which room an event goes and whether it belongs to the snapshot.
"""

from enum import Enum
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from appliance.core.detection.incident import Severity
from appliance.core.machine import Light
from appliance.core.metering.quota import AlertKind, QuotaKind
from appliance.core.operations.health import ReasonKind
from appliance.core.operations.maintenance_window import InMaintenance, MaintenanceKind, Repeat
from appliance.core.operations.update import UpdateState
from appliance.core.refusal import Code
from appliance.core.traffic.sites import Trend

SentenceValues = dict[str, str | int]  # what a sentence says, by name


class Audience(Enum):
    """The clients that receive an event."""

    DEPARTMENT = "department"  # all clients that may see the department
    SUBSCRIBERS = "analytics"  # clients that asked for the department's analytics
    EVERYONE = "everyone"


class Part(Struct, frozen=True, kw_only=True, rename="camel"):
    """An object inside an event or an answer."""


class Event(Struct, frozen=True, kw_only=True, rename="camel"):
    """An event of the contract. `timestamp`: UTC, ISO 8601 with milliseconds and `Z`."""

    name: ClassVar[str]
    audience: ClassVar[Audience] = Audience.DEPARTMENT
    is_state: ClassVar[bool] = False  # a new client receives the latest of its kind and department

    timestamp: str

    def payload(self) -> dict[str, Any]:
        """The event in its form on the wire."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]


class DepartmentEvent(Event, frozen=True, kw_only=True, rename="camel"):
    """An event about one department."""

    department_id: str


class AlertEvent(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """An event that no client may miss: clients that were away receive it later. `alert_id`: grows with each."""

    alert_id: int | UnsetType = UNSET


class UsageMetrics(Part, frozen=True, kw_only=True, rename="camel"):
    """`bytes_transferred`: in and out since the local day began; `bandwidth_utilization`: 0..1 of the line rate.

    `unaccounted_percent`: of the interface's bytes, those that no meter claims. `unclaimed_bytes`: IP traffic at the
    interface that belongs to no department, since its meter began. `reaches_limit_at`: when the quota is used up at the
    rate of the last minutes. `rate_up` and `rate_down`: bytes per second over the last metering period. `bytes_up` and
    `bytes_down`: the two parts of `bytes_transferred`, where they are known. `limits_paused`: sent, as true, while a
    schedule has the quotas limit nobody.
    """

    bytes_transferred: int
    active_connections: int
    bandwidth_utilization: float
    unaccounted_percent: float | UnsetType = UNSET
    unclaimed_bytes: int | UnsetType = UNSET
    reaches_limit_at: str | UnsetType = UNSET
    rate_up: int | UnsetType = UNSET
    rate_down: int | UnsetType = UNSET
    bytes_up: int | UnsetType = UNSET
    bytes_down: int | UnsetType = UNSET
    limits_paused: bool | UnsetType = UNSET


class UsageUpdate(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """A department's usage, every metering period."""

    name: ClassVar[str] = "usage:update"
    is_state: ClassVar[bool] = True
    metrics: UsageMetrics


class QuotaBooks(Part, frozen=True, kw_only=True, rename="camel"):
    """`type`: daily, weekly or monthly; `used` and `limit` in bytes; `percentage` of the limit."""

    type: QuotaKind
    used: int
    limit: int
    percentage: float
    resets_at: str | UnsetType = UNSET


class QuotaAlert(AlertEvent, frozen=True, kw_only=True, rename="camel"):
    """A ledger has passed a threshold. `type`: warning, critical, exceeded or reset."""

    name: ClassVar[str] = "quota:alert"
    type: AlertKind
    quota: QuotaBooks


class HostQuota(AlertEvent, frozen=True, kw_only=True, rename="camel"):
    """A host's own ledger has passed a threshold. The appliance's own event; `type` and `quota` as in `quota:alert`.

    `host`: its address, IPv4 first, or its MAC address where none is known. `addresses`: all that are known of the
    device with this `mac`; behind a router, where MAC addresses do not show, `behind_router` is true instead.
    """

    name: ClassVar[str] = "quota:host"
    host: str
    type: AlertKind
    quota: QuotaBooks
    mac: str | UnsetType = UNSET
    addresses: list[str] | UnsetType = UNSET
    behind_router: bool | UnsetType = UNSET


class RequestFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A cut-off person's request for more. `address`: of their computer; `text`: what they need it for.

    `state`: open, granted or declined; `by`: who answered it, with their `reason`.
    """

    id: str
    department_id: str
    address: str
    name: str
    text: str
    at: str
    state: str
    by: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class QuotaRequested(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """A person who is cut off asks for more, or was answered. The appliance's own event."""

    name: ClassVar[str] = "quota:request"
    request: RequestFacts


class IncidentDeviceFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A device that an incident is about, as it was known then. `name`: how people know it, null where none is.

    `address`: the source or peer that was its own, left out where only its hardware address is in the incident.
    """

    mac: str
    known_as: str | None = msgspec.field(name="name")  # `name` is an event's
    vendor: str | None
    address: str | UnsetType = UNSET


class IncidentFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """`source`: the address that caused it; `details`: the evidence in numbers; `state`: open or closed.

    `proven`: whether the source has proved that the address is its own, or anyone may have sent this in its name;
    `not_blocked`: why the source is not blocked although its severity is one from which sources are. `opened_at`: when
    it began first; `times`: how often it came, the first time with it; `count`: of what `details` says.

    `incident_id`: of `incident:get`; `expected`: what would be ordinary; `peers`, `ports`: examples of whom it
    concerned, and where; `devices`: the hardware addresses that sent it; `inside`: whether the source is in the
    department, left out where that is not known; `advice`: what to look at. `known_devices`: which devices of the
    department source, peers and `devices` are, left out where none is known. `values`: the numbers and names that
    `details` and `expected` say, to say them in another language.
    """

    type: str
    source: str
    details: str
    state: Literal["open", "closed"] | UnsetType = UNSET
    proven: bool | UnsetType = UNSET
    not_blocked: str | UnsetType = UNSET
    opened_at: str | UnsetType = UNSET
    times: int | UnsetType = UNSET
    count: int | UnsetType = UNSET
    incident_id: str | UnsetType = UNSET
    expected: str | UnsetType = UNSET
    peers: list[str] | UnsetType = UNSET
    ports: list[str] | UnsetType = UNSET
    devices: list[str] | UnsetType = UNSET
    inside: bool | UnsetType = UNSET
    advice: str | UnsetType = UNSET
    known_devices: list[IncidentDeviceFacts] | UnsetType = UNSET
    values: SentenceValues | UnsetType = UNSET

    @property
    def source_name(self) -> str:
        """How people know the device at the source's address; empty: it has no name, or is not known."""
        known = self.known_devices or []
        return next((one.known_as for one in known if one.known_as and one.address == self.source), "")


class SecurityIncident(AlertEvent, frozen=True, kw_only=True, rename="camel"):
    """Hostile or broken behaviour. `severity`: low, medium, high or critical."""

    name: ClassVar[str] = "security:incident"
    severity: Severity
    incident: IncidentFacts


class BlockTally(Part, frozen=True, kw_only=True, rename="camel"):
    """The number of blocks that a department should have, and that the kernel enforces there."""

    wanted: int
    enforced: int


class HealthLoss(Part, frozen=True, kw_only=True, rename="camel"):
    """`points`: what the health score is lower by, for this reason."""

    reason: str
    points: float


class HealthReason(Part, frozen=True, kw_only=True, rename="camel"):
    """What lowers a health score, or should only be known. `values`: the numbers and names that its sentence says."""

    kind: ReasonKind
    values: SentenceValues


class DepartmentCondition(Part, frozen=True, kw_only=True, rename="camel"):
    """`connected_users`: devices seen in the last 5 minutes; `health_score`: 0..1; `reasons` why it is below 1.

    `losses`: by how much each lowers it; with the score they add up to 1. `kinds`: of `reasons`, in the same order, to
    say them in another language.
    """

    active: bool
    connected_users: int
    health_score: float
    reasons: list[str] | UnsetType = UNSET
    losses: list[HealthLoss] | UnsetType = UNSET
    kinds: list[HealthReason] | UnsetType = UNSET
    blocks: BlockTally | UnsetType = UNSET


class DepartmentStatus(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """The state of a department's connection, on change and at least every 30 seconds."""

    name: ClassVar[str] = "department:status"
    is_state: ClassVar[bool] = True
    status: DepartmentCondition


class BlockedIp(Part, frozen=True, kw_only=True, rename="camel"):
    """`duration`: seconds, 0 until lifted; `enforced` is sent, as false, where the position cannot enforce."""

    address: str
    reason: str
    duration: int
    enforced: bool | UnsetType = UNSET


class IpBlocked(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """A block starts to be enforced."""

    name: ClassVar[str] = "ip:blocked"
    ip: BlockedIp


class UnblockedIp(Part, frozen=True, kw_only=True, rename="camel"):
    """`reason`: why the block ended."""

    address: str
    reason: str


class IpUnblocked(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """A block was lifted or has expired. The appliance's own event beside the documented ones."""

    name: ClassVar[str] = "ip:unblocked"
    ip: UnblockedIp


class Website(Part, frozen=True, kw_only=True, rename="camel"):
    """`domain`: registrable domain, in its own script; `visits`: of a device within half an hour, in the last hour.

    `bytes`: of its connections over TCP that ended, both directions; `devices`: that visited it.
    """

    domain: str
    visits: int
    bytes: int | UnsetType = UNSET
    devices: int | UnsetType = UNSET


class Bandwidth(Part, frozen=True, kw_only=True, rename="camel"):
    """`current`: bytes per second, in and out; `trend`: increasing, decreasing or stable."""

    current: int
    trend: Trend


class ExpectedRate(Part, frozen=True, kw_only=True, rename="camel"):
    """The usual least and most bytes per second at this hour."""

    low: int
    high: int


class AnalyticsMetrics(Part, frozen=True, kw_only=True, rename="camel"):
    """`active_users`: devices with activity in the last 5 minutes; `top_websites`: most visited first.

    `expected`: what `bandwidth` usually is at this hour, once a day of it is known. `unnamed_share`: the share of the
    last hour's connections that got no name, 0 to 1.
    """

    active_users: int
    top_websites: list[Website]
    bandwidth: Bandwidth
    expected: ExpectedRate | UnsetType = UNSET
    unnamed_share: float | UnsetType = UNSET


class AnalyticsUpdate(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """A department's activity, every analytics period, for its subscribers."""

    name: ClassVar[str] = "analytics:update"
    audience: ClassVar[Audience] = Audience.SUBSCRIBERS
    is_state: ClassVar[bool] = True
    metrics: AnalyticsMetrics


class AnomalyFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """`severity`: low, medium, high or critical; `confidence`: 0..1.

    `direction`: up or down, left out for both together; `rate`: bytes per second; `expected`: what is usual then, by so
    many `days`, or, where they are left out, by the last minutes; `since`: when it began; `top`: the host that carries
    most of it, at `top_rate` bytes per second.
    """

    type: str
    severity: Severity
    details: str
    confidence: float
    direction: Literal["up", "down"] | UnsetType = UNSET
    rate: int | UnsetType = UNSET
    expected: ExpectedRate | UnsetType = UNSET
    since: str | UnsetType = UNSET
    top: str | UnsetType = UNSET
    days: int | UnsetType = UNSET
    top_rate: int | UnsetType = UNSET


class AnalyticsAnomaly(AlertEvent, frozen=True, kw_only=True, rename="camel"):
    """A rate that is not usual for a department, for its subscribers."""

    name: ClassVar[str] = "analytics:anomaly"
    audience: ClassVar[Audience] = Audience.SUBSCRIBERS
    anomaly: AnomalyFacts


class DeviceFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A device. `name`: what people call it, else what it calls itself; null where neither is known.

    `name_from`: label (people's), dhcp, mdns or dns; `called`: what it calls itself, where people call it otherwise.
    `vendor`: of its hardware; `is_randomised`: it has made its `mac` up. `addresses`: of the last day. `is_new`: it
    came lately, after the devices were learned.
    """

    department_id: str
    mac: str
    known_as: str | None = msgspec.field(name="name")  # `name` is an event's
    name_from: Literal["label", "dhcp", "mdns", "dns"] | None
    vendor: str | None
    is_randomised: bool
    addresses: list[str]
    first_seen: str
    last_seen: str
    is_new: bool
    called: str | UnsetType = UNSET


class DeviceNew(AlertEvent, frozen=True, kw_only=True, rename="camel"):
    """A device that the department never had: once, a few seconds after it came. The appliance's own event."""

    name: ClassVar[str] = "device:new"
    device: DeviceFacts


class CpuHealth(Part, frozen=True, kw_only=True, rename="camel"):
    """`usage`: percent; `temperature`: degrees Celsius; null without a sensor."""

    usage: float
    temperature: float | None


class Fill(Part, frozen=True, kw_only=True, rename="camel"):
    """Bytes used of a total."""

    used: int
    total: int


class PortState(Part, frozen=True, kw_only=True, rename="camel"):
    """A network port. `speed`: bytes per second, null where unknown; `errors`, `drops`: packets since it exists."""

    port: str = msgspec.field(name="name")  # `name` is an event's
    up: bool
    speed: int | None
    errors: int
    drops: int


class PanelLights(Part, frozen=True, kw_only=True, rename="camel"):
    """What the LEDs show: the rhythm of `status` and `alert`, and the brightness of `activity`, 0 to 1."""

    status: Light
    alert: Light
    activity: float


class HealthIssue(Part, frozen=True, kw_only=True, rename="camel"):
    """An issue of the appliance itself. `id`: of what found it; `since`: when it was first found.

    `cause`: what was found; `suggestion`: what a person can do. `values`: the numbers and names that `cause` says.
    """

    id: str
    severity: Severity
    cause: str
    suggestion: str
    since: str
    values: SentenceValues | UnsetType = UNSET


class SystemState(Part, frozen=True, kw_only=True, rename="camel"):
    """The computer's gauges; `troubles`: a sentence for each thing that does not work.

    `clients`: the number of those that are logged in; `started_at`: when the service was; `interfaces`: its ports;
    `panel`: what its LEDs show. `issues`: what does not work, or soon will not; those of high severity are troubles,
    too. `unchecked`: the ids of what cannot be found here.
    """

    cpu: CpuHealth
    memory: Fill
    storage: Fill
    troubles: list[str] | UnsetType = UNSET
    clients: int | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    interfaces: list[PortState] | UnsetType = UNSET
    panel: PanelLights | UnsetType = UNSET
    issues: list[HealthIssue] | UnsetType = UNSET
    unchecked: list[str] | UnsetType = UNSET


class SystemHealth(Event, frozen=True, kw_only=True, rename="camel"):
    """The state of the appliance itself, every health period."""

    name: ClassVar[str] = "system:health"
    audience: ClassVar[Audience] = Audience.EVERYONE
    is_state: ClassVar[bool] = True
    status: SystemState


class MaintenanceFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """`type`: scheduled, manual or completed; `start_time` as a timestamp; `duration` seconds; `impact` a sentence.

    `actor`: who asked for it; `begun`: false while it is only announced; `ends_at`: when it ends, or has ended.
    `id`: its name in calls; `repeat`: how often it is planned again, where it is. `enforcement`: of blocks and quotas
    while it runs.
    """

    type: MaintenanceKind
    start_time: str
    duration: int
    impact: str
    actor: str | UnsetType = UNSET
    begun: bool | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    repeat: Repeat | UnsetType = UNSET
    enforcement: InMaintenance | UnsetType = UNSET


class SystemMaintenance(Event, frozen=True, kw_only=True, rename="camel"):
    """A maintenance was announced, started, extended or ended. `planned`: all that are announced, the next first."""

    name: ClassVar[str] = "system:maintenance"
    audience: ClassVar[Audience] = Audience.EVERYONE
    is_state: ClassVar[bool] = True
    maintenance: MaintenanceFacts
    planned: list[MaintenanceFacts] | UnsetType = UNSET


class TrialFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A configuration on trial. `remaining`: seconds left to confirm it; `actor` began it."""

    remaining: int
    actor: str


class ConfigOnTrial(Event, frozen=True, kw_only=True, rename="camel"):
    """A configuration's trial has begun, goes on or, as null, is over. The appliance's own event."""

    name: ClassVar[str] = "config:trial"
    audience: ClassVar[Audience] = Audience.EVERYONE
    is_state: ClassVar[bool] = True
    trial: TrialFacts | None


class UpdateFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """The latest update. `actor` began it at `started_at`; `percent`: of its `state`.

    `version`: of the bundle; empty until it is read. `reason`: why it failed or returned. `url`: of the bundle, for
    administrators.
    """

    state: UpdateState
    version: str
    actor: str
    started_at: str
    percent: int | None
    reason: str | None
    url: str | UnsetType = UNSET


class SystemUpdate(Event, frozen=True, kw_only=True, rename="camel"):
    """An update has begun, goes on or is over; null: there was none. The appliance's own event.

    `version` and `root`: what runs; null where the computer is not run by the image.
    """

    name: ClassVar[str] = "system:update"
    audience: ClassVar[Audience] = Audience.EVERYONE
    is_state: ClassVar[bool] = True
    version: str | None
    root: str | None
    update: UpdateFacts | None


class ErrorEvent(Event, frozen=True, kw_only=True, rename="camel"):
    """An error of one client: its call failed, or its token expired. Sent to that client only."""

    name: ClassVar[str] = "error"
    code: Code
    message: str


class QuotaExceeded(DepartmentEvent, frozen=True, kw_only=True, rename="camel"):
    """The `error` beside an `exceeded` alert; `used` and `limit` in bytes."""

    name: ClassVar[str] = "error"
    code: Code
    message: str
    used: int
    limit: int
    resets_at: str
