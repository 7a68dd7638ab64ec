"""The sections of the configuration: a class for each table of the file, with its defaults and their reasons."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta
from msgspec.structs import replace

import appliance.config.values as kinds
from appliance.config.notifications import NotificationsSection, SecretName
from appliance.config.section import Section
from appliance.core.access.person import Role
from appliance.core.blocking.blocked_names import SharedAddresses
from appliance.core.blocking.lists.block_list import BlockList
from appliance.core.blocking.protection import Protected
from appliance.core.detection.incident import Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.response import SCANS, Response
from appliance.core.machine import Position
from appliance.core.metering.department import Department
from appliance.core.metering.history_series import DEPARTMENT_STEPS, HOST_STEPS, Retention
from appliance.core.metering.quota import EXCEEDED_PERCENT, Action, Limits, QuotaKind
from appliance.core.operations.maintenance_window import InMaintenance
from appliance.core.positions import POSITIONS
from appliance.core.traffic.devices.server_sign import ServerKind
from appliance.core.traffic.name_lists import BACKGROUND, ENCRYPTED_DNS, FRONTS, NameList
from appliance.core.traffic.naming import NameRules, Record


class ApplianceSection(Section, frozen=True, kw_only=True):
    """The appliance's position in the network, and the time zone whose midnight begins a quota day.

    `unclaimed`: what happens to traffic at a shared interface that is no department's. `encapsulated`: what happens to
    frames whose addresses no rule can read. Both pass by default, counted and shown: a new appliance must not cut off
    what worked before it.
    """

    position: Position
    timezone: ZoneInfo = ZoneInfo("UTC")
    unclaimed: kinds.Passage = "pass"
    encapsulated: kinds.Passage = "pass"


class ServerSection(Section, frozen=True, kw_only=True):
    """The address where dashboards connect. Port 5001 is the contract's.

    `tls`: speak HTTPS, with the operator's `certificate` and `key`, or without these with the appliance's own.
    `hsts_max_age`: seconds during which browsers shall use nothing but HTTPS for this name; 0: no such header.
    `origins`: of the web pages that may use the appliance beside its own; `None`: any may connect with a token.
    `trusted_proxies`: reverse proxies that are believed when they say which client a request came from.
    """

    host: kinds.Text = "0.0.0.0"  # noqa: S104  dashboards are on the LAN, which the appliance serves
    port: Annotated[int, Meta(ge=1, le=65535, description="a port from 1 to 65535")] = 5001
    origins: tuple[kinds.Origin, ...] | None = None  # the contract's own sample is a page served elsewhere
    tls: bool = False  # the contract's own sample connects with http
    certificate: kinds.Text | None = None
    key: kinds.Text | None = None
    hsts_max_age: Annotated[
        int,
        Meta(
            ge=0,
            le=63_072_000,
            description='a whole number of seconds up to two years, a text such as "365d", or 0 for off',
            extra=kinds.DURATION,
        ),
    ] = 0
    trusted_proxies: tuple[kinds.Subnet, ...] = ()  # none: who is believed by mistake may pretend to be anyone


class IssuerSection(Section, frozen=True, kw_only=True):
    """An issuer of tokens beside the appliance: its name, its key, and the most that its tokens may allow.

    `roles` gives the role for a value of the claim `role_claim`, and `departments` the department for a value of
    `departments_claim`; without them, the values are the appliance's own words.
    """

    iss: kinds.Text
    algorithm: kinds.IssuerAlgorithm
    key: kinds.Text  # the file with its public key, in PEM
    audience: kinds.Text
    maximum_role: Role = Role.VIEWER  # a higher role of the issuer is lowered to it
    role_claim: kinds.Text = "role"
    roles: kinds.RoleWords | None = None
    departments_claim: kinds.Text = "departments"
    departments: kinds.DepartmentWords | None = None


class PeriodsSection(Section, frozen=True, kw_only=True):
    """Seconds between two steps. Defaults: an eye notices a second, statistics need a few, gauges move slowly."""

    metering: kinds.Seconds = 1.0
    analytics: kinds.Seconds = 5.0
    health: kinds.Seconds = 5.0


class HostQuotaSection(Section, frozen=True, kw_only=True):
    """The limits of each single host of a department; `None`: no limit."""

    daily: kinds.Bytes | None = None
    weekly: kinds.Bytes | None = None
    monthly: kinds.Bytes | None = None


class QuotaSection(Section, frozen=True, kw_only=True):
    """A department's limits; `None`: no limit. `thresholds`: in percent; 100 is always one.

    `on_exceeded`: the action beyond a limit, for the department or the host; `throttle_rate` goes with `throttle`.
    `billing_day`: the monthly period starts on it.
    """

    daily: kinds.Bytes | None = None
    weekly: kinds.Bytes | None = None
    monthly: kinds.Bytes | None = None
    thresholds: tuple[kinds.Threshold, ...] = (80, 95)  # the contract's warning and critical
    on_exceeded: Action = Action.ALERT
    throttle_rate: kinds.BitRate | None = None
    billing_day: Annotated[int, Meta(ge=1, le=31, description="a day of the month from 1 to 31")] = 1
    hosts: HostQuotaSection = HostQuotaSection()


class DepartmentSection(Section, frozen=True, kw_only=True):
    """A department. `exempt`: destinations with which traffic is neither counted nor blocked nor throttled by a quota.

    `routers`: between the department's hosts and the interface, beside those that the routing table shows.
    """

    id: kinds.DepartmentId
    interface: kinds.InterfaceName
    name: kinds.Text = ""
    subnets: tuple[kinds.Subnet, ...] = ()
    line_rate: kinds.BitRate | None = None
    exempt: tuple[kinds.Subnet, ...] = ()
    routers: tuple[kinds.Station, ...] = ()
    quota: QuotaSection = QuotaSection()


class ProtectionSection(Section, frozen=True, kw_only=True):
    """Addresses that are never blocked, beside the appliance's own.

    `shared`: what becomes of an address of a blocked name where hosts visit other names too. The default blocks it, and
    tells so: otherwise any host opens it, by a look-up of another name that somebody has pointed there.
    """

    addresses: tuple[kinds.Subnet, ...] = ()
    shared: SharedAddresses = SharedAddresses.BLOCK


class DetectionSection(Section, frozen=True, kw_only=True):
    """Automatic blocks of incidents' sources. `block_from`: the least severity that is blocked; `None`: none is.

    `dhcp_servers`, `ipv6_routers`: the only ones, by IP or MAC address; none: those that were there on the first day.

    The default is none: an apparent scan may be a printer's driver. `block_kinds`: of which incidents; by default the
    scans, which most systems block. `block_duration`: seconds, each time twice as many up to a day; 0: until lifted.
    Ten minutes outlast most scans, and a mistake ends before the help desk is called twice.
    """

    block_from: Severity | None = None
    block_kinds: tuple[IncidentKind, ...] = tuple(sorted(SCANS))
    block_duration: kinds.HoldSeconds = 600
    dhcp_servers: tuple[kinds.Station, ...] = ()
    ipv6_routers: tuple[kinds.Station, ...] = ()


class BlockListSection(Section, frozen=True, kw_only=True):
    """A block list that is maintained elsewhere. `department`: `None` for all.

    `refresh`: seconds between two reads; one costs nothing when the list is unchanged. `duration`: seconds that an
    entry stays blocked after the last read that had it; 0: until a read does not have it. `confirm_reads`: the reads in
    a row for which a list that lost much, or mostly means nothing, keeps its former entries.
    """

    name: kinds.ListName
    source: kinds.ListSource
    refresh: kinds.RefreshSeconds = 3600.0  # public lists change a few times a day
    department: kinds.DepartmentId | None = None
    duration: kinds.HoldSeconds = 0
    # A day at the default refresh: people see the trouble in their working hours, and a server that was broken over
    # night is mended.
    confirm_reads: Annotated[int, Meta(ge=0, le=10_000, description="a whole number of reads up to 10000, or 0")] = 24


class HistorySection(Section, frozen=True, kw_only=True):
    """Days that history keeps the buckets of each width: of departments, and as `host_...` of each of their hosts.

    Defaults: people ask for the minutes of yesterday, for five minutes of last week, to compare, and for the hours of a
    season; days, and months, which are their sums, show how a department grows, and cost nothing. Hosts cost space:
    2,000 of them, always busy, fill 5 MB a day with five minutes, 1 MB with hours and 50 kB with days.
    """

    minute: kinds.Days = 2
    five_minutes: kinds.Days = 14
    hour: kinds.Days = 90
    day: kinds.Days = 3650
    host_five_minutes: kinds.Days = 7
    host_hour: kinds.Days = 31
    host_day: kinds.Days = 400  # a year, and the month to compare it with


class WebsitesSection(Section, frozen=True, kw_only=True):
    """What is kept of the websites that devices visit, in memory and for an hour, and how names are told apart.

    `record`: "site" by default, which names no device: what a department does is the business of who runs its network,
    what a person does is not. `background`: names of what programs do by themselves, counted apart; `encrypted_dns`:
    resolvers over HTTPS; `fronts`: names outside encrypted hellos. Each list replaces the built-in one.
    """

    record: Record = Record.SITE
    background: tuple[kinds.NameEntry, ...] = BACKGROUND
    encrypted_dns: tuple[kinds.NameEntry, ...] = ENCRYPTED_DNS
    fronts: tuple[kinds.NameEntry, ...] = FRONTS


class NoticeSection(Section, frozen=True, kw_only=True):
    """The page for people whose department is cut off by its quota. `contact`: as the page names it."""

    contact: kinds.Text = "your IT team"


class LimitsSection(Section, frozen=True, kw_only=True):
    """Limits of the server's resources for one client, one address and all strangers together.

    Deadlines: a client sends its request and its token at once; the slowest link needs a few round trips, and a client
    that is slow on purpose takes a place. Connections: 500 dashboards and as many requests at a time; one address has a
    tenth, since a building's dashboards may share one behind NAT. Calls: a dashboard of 64 departments makes a few for
    each when it opens, and a person clicks twice a second.
    """

    login_deadline: kinds.Seconds = 10.0
    request_deadline: kinds.Seconds = 10.0  # from the connection, or from the previous answer
    connections: kinds.Count = 1000
    connections_per_address: kinds.Count = 100
    calls_per_second: Annotated[float, Meta(ge=0.1, le=10000, description="a number from 0.1 to 10000")] = 20.0
    calls_at_once: kinds.Count = 200


DEFAULT_LIMITS = LimitsSection()


class UpdateSection(Section, frozen=True, kw_only=True):
    """From where and when the image updates itself; without a `url` it does not.

    `window`: local times between which it looks, installs and restarts. At the default nobody works, and a restart cuts
    the fewest connections.
    """

    url: kinds.BundleUrl | None = None
    window: kinds.DailyWindow = "03:00-05:00"


class BackupSection(Section, frozen=True, kw_only=True):
    """A backup each day; without a `folder` or a `url` there is none. `secret`: the file with the passphrase.

    `user`, `password`, `ca`: for the server of the URL; `password` is the name of its file.
    `at`: local time, when nobody works and before the update's window; `keep`: so many of the latest, a week of them.
    """

    folder: kinds.Folder | None = None
    url: kinds.FolderUrl | None = None
    secret: SecretName | None = None
    user: kinds.Text | None = None
    password: SecretName | None = None
    ca: kinds.Text | None = None
    at: kinds.LocalTime = "02:30"
    keep: kinds.Keep = 7


class MaintenanceSection(Section, frozen=True, kw_only=True):
    """What becomes of blocks and quotas while a maintenance runs.

    They stay by default: who cuts the power or moves a cable wants no open network. `opens` is for whom a wrong block
    or a used-up quota would keep from the work; the books go on, and what passed is in them.
    """

    enforcement: InMaintenance = InMaintenance.STAYS


class PanelSection(Section, frozen=True, kw_only=True):
    """BCM pin numbers of the button and the LEDs; `hold`: seconds the button is held for maintenance."""

    button: kinds.Pin = 17
    led_status: kinds.Pin = 22
    led_alert: kinds.Pin = 23
    led_activity: kinds.Pin = 24
    hold: Annotated[
        float,
        Meta(
            ge=0.5,
            le=30,
            description='a number of seconds from 0.5 to 30, or a text such as "3s"',
            extra=kinds.DURATION,
        ),
    ] = 3.0


class Config(Section, frozen=True, kw_only=True):
    """The whole file."""

    appliance: ApplianceSection
    departments: tuple[DepartmentSection, ...]
    server: ServerSection = ServerSection()
    issuers: tuple[IssuerSection, ...] = ()
    periods: PeriodsSection = PeriodsSection()
    protection: ProtectionSection = ProtectionSection()
    detection: DetectionSection = DetectionSection()
    block_lists: tuple[BlockListSection, ...] = ()
    history: HistorySection = HistorySection()
    websites: WebsitesSection = WebsitesSection()
    notice: NoticeSection = NoticeSection()
    limits: LimitsSection = DEFAULT_LIMITS
    maintenance: MaintenanceSection = MaintenanceSection()
    panel: PanelSection = PanelSection()
    update: UpdateSection = UpdateSection()
    backup: BackupSection = BackupSection()
    notifications: NotificationsSection = NotificationsSection()

    @property
    def position(self) -> Position:
        """The appliance's position in the network."""
        return self.appliance.position

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of quota periods."""
        return self.appliance.timezone

    def as_in_maintenance(self) -> InMaintenance:
        """What becomes of the enforcement in maintenance; where the position enforces nothing, nothing opens."""
        can_enforce = POSITIONS[self.position].can_enforce
        return self.maintenance.enforcement if can_enforce else InMaintenance.STAYS

    def as_retention(self) -> Retention:
        """The retention of history, as the core's value."""
        kept = msgspec.structs.asdict(self.history)
        return Retention(
            department_days={step: kept[step.name.lower()] for step in DEPARTMENT_STEPS},
            host_days={step: kept[f"host_{step.name.lower()}"] for step in HOST_STEPS},
        )

    def as_protected(self) -> tuple[Protected, ...]:
        """What is never blocked, as the core's values: a blocked reverse proxy would cut all dashboards off."""
        proxies = [one.network for one in self.server.trusted_proxies if one.network.num_addresses == 1]
        return (
            *(Protected(one.network, "the configuration protects it") for one in self.protection.addresses),
            *(Protected(network, "dashboards come through it: it is a trusted proxy") for network in proxies),
        )

    def as_response(self) -> Response | None:
        """The automatic response to incidents, as the core's value; `None`: there is none."""
        severity = self.detection.block_from
        own = self.detection
        return None if severity is None else Response(severity, own.block_duration, frozenset(own.block_kinds))

    def as_servers(self) -> Mapping[ServerKind, frozenset[str]]:
        """The servers that devices may trust, by kind, as the core's value; where none is named, they are learned."""
        own = self.detection
        named = {ServerKind.DHCP: own.dhcp_servers, ServerKind.ROUTER: own.ipv6_routers}
        return {kind: frozenset(one.name for one in stations) for kind, stations in named.items()}

    def as_name_rules(self, registrable: Callable[[str], str | None]) -> NameRules:
        """How websites are told, as the core's value. `registrable`: folds a name to its site."""
        own = self.websites
        lists = (NameList(one) for one in (own.background, own.encrypted_dns, own.fronts))
        return NameRules(registrable, own.record, *lists)

    def as_block_lists(self) -> tuple[BlockList, ...]:
        """The block lists, as the core's values."""
        return tuple(
            BlockList(one.name, one.source, one.refresh, one.department, one.duration, one.confirm_reads)
            for one in self.block_lists
        )

    def as_departments(self) -> tuple[Department, ...]:
        """The departments, as the core's values."""
        interfaces = Counter(section.interface for section in self.departments)
        return tuple(
            _department(section, shares_interface=interfaces[section.interface] > 1) for section in self.departments
        )


def _department(section: DepartmentSection, *, shares_interface: bool) -> Department:
    quota = section.quota
    limits = Limits(
        bytes_by_kind=_limits(quota),
        thresholds=tuple(sorted({*quota.thresholds, EXCEEDED_PERCENT})),
        billing_day=quota.billing_day,
        on_exceeded=quota.on_exceeded,
        throttle_bytes_s=quota.throttle_rate // 8 if quota.throttle_rate else None,
    )
    return Department(
        id=section.id,
        name=section.name or section.id,
        interface=section.interface,
        limits=limits,
        subnets=tuple(subnet.network for subnet in section.subnets),
        line_rate_bps=section.line_rate,
        exempt=tuple(subnet.network for subnet in section.exempt),
        host_limits=replace(limits, bytes_by_kind=_limits(quota.hosts)),
        routers=tuple(router.name for router in section.routers),
        shares_interface=shares_interface,
    )


def _limits(quota: QuotaSection | HostQuotaSection) -> dict[QuotaKind, int]:
    return {kind: int(limit) for kind in QuotaKind if (limit := getattr(quota, kind.value)) is not None}


OWN_FILE = "server.pem"  # key and certificate, in the state directory


def certificate_file(server: ServerSection, state_dir: Path) -> Path:
    """The operator's certificate, or the appliance's own."""
    return Path(server.certificate) if server.certificate else state_dir / OWN_FILE
