"""What a call has to work with: who calls, and the monitors that carry out what is asked, as far as calls need them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from appliance.core.access.audit_entry import Actor
from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.metering.account import Books
from appliance.core.metering.history_series import Step
from appliance.core.metering.quota import QuotaKind
from appliance.core.metering.usage import Passed
from appliance.core.moment import Moment
from appliance.core.operations.maintenance_window import Maintenance
from appliance.core.operations.trial import Trial
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped
from appliance.monitor.blocking.list_imports import Listing
from appliance.monitor.metering.hosts import HostBooks
from appliance.server.access import Grant
from appliance.server.access.services import AccessServices


class Metering(Protocol):
    """What the calls need of metering."""

    def books(self, department: str, now: Moment) -> Sequence[Books]:
        """The department's quotas as they stand."""

    def set_limit(self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment) -> None:
        """Limit this kind from now on, or not at all (`None`)."""

    def extend(self, department: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment) -> None:
        """Grant more bytes until the running period ends."""

    def host_books(self, department: str, now: Moment) -> Sequence[HostBooks]:
        """The books of the hosts that have quotas, those nearest to a limit first."""

    def set_host_limit(
        self, department: str, kind: QuotaKind, limit_bytes: int | None, actor: str, now: Moment
    ) -> None:
        """Limit this kind for each host by itself, or not at all (`None`)."""

    def extend_host(
        self, department: str, host: str, kind: QuotaKind, more_bytes: int, reason: str, actor: str, now: Moment
    ) -> None:
        """Grant one host more bytes until the running period ends."""


class Enforcement(Protocol):
    """What the calls need of enforcement."""

    can_enforce: bool

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        """Block these targets from now on, all or none."""

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        """Lift the blocks of these targets, all or none; `origin`: only those of it."""

    def objections(self, targets: Sequence[str], now: Moment, caller_address: str | None = None) -> Mapping[str, str]:
        """By target, why this caller can never block it; what may be is missing."""

    def is_enforced(self, block: Block) -> bool:
        """Whether the block is in force."""

    def remaining_s(self, block: Block, now: Moment) -> float | None:
        """Seconds until the block ends; `None`: until it is lifted."""

    def blocks(self, now: Moment) -> Sequence[Block]:
        """The blocks that should be in force."""

    def find(self, target: str, department: str | None) -> Sequence[Block]:
        """The blocks of this target there, of every origin. `target`: as `parse_target` writes it."""


class Upkeep(Protocol):
    """What the calls need of upkeep."""

    current: Maintenance | None

    def start(self, start: datetime | None, duration_s: int, impact: str, actor: str, now: Moment) -> Maintenance:
        """Begin or announce a maintenance."""

    def stop(self, actor: str, now: Moment) -> Maintenance:
        """End the maintenance."""

    def require_writable(self) -> None:
        """Refuse while the appliance is in maintenance."""


class History(Protocol):
    """What the calls need of history."""

    def query(
        self, department: str, host: str | None, since: datetime, until: datetime, step: Step
    ) -> Mapping[datetime, Passed]:
        """What passed, by the beginning of each bucket, oldest first."""


class Lists(Protocol):
    """What the calls need of imported lists."""

    @property
    def listings(self) -> Sequence[Listing]:
        """All lists as they stand."""


class Configuration(Protocol):
    """What the calls need of the configuration."""

    @property
    def current(self) -> Trial | None:
        """The trial of the configuration that runs."""

    def apply(self, text: str, actor: str, now: Moment) -> Trial:
        """Try this configuration from now on."""

    def confirm(self, actor: str, now: Moment) -> None:
        """Keep the configuration that is on trial."""


@dataclass(frozen=True, slots=True)
class Services:
    """The monitors that carry out what clients ask for. `release`: opens everything, told who wants it."""

    metering: Metering
    enforcement: Enforcement
    maintenance_mode: Upkeep
    history: History
    lists: Lists
    access_services: AccessServices
    configuration: Configuration
    release: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: what the token grants, from which address, and the way into and out of a department's analytics.

    `adopt`: takes another token's grant for the rest of the connection.
    """

    grant: Grant
    address: str | None
    subscribe: Callable[[str], None]
    unsubscribe: Callable[[str], None]
    adopt: Callable[[Grant], None]

    @property
    def actor(self) -> Actor:
        """Who calls, for the audit trail."""
        return Actor(self.grant.subject, self.grant.role, self.address)


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler has to work with, beside its argument. `departments`: the ids that are configured.

    `now`: when the call came; `clock`: for a handler in which others have their turn.
    """

    services: Services
    departments: frozenset[str]
    caller: Caller
    now: Moment
    clock: Callable[[], Moment]


def require_department(context: Context, department: str) -> None:
    """Refuse a department that there is not, or that the caller's token does not cover."""
    if department not in context.departments:
        raise Refused(Code.UNKNOWN_DEPARTMENT, f'there is no department "{clipped(department)}"')
    if not context.caller.grant.may_see(department):
        raise Refused(Code.FORBIDDEN, f'this token does not cover the department "{department}"')
