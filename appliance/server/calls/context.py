"""What a call works with: the caller, and the monitors and access services that carry out what is asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from appliance.core.access.audit_entry import Actor
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.text import clipped
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.list_imports import ListImports
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.status import StatusMonitor
from appliance.server.access import Authenticator, Grant
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import People


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that calls and pages may use.

    `departments`: the configured ids. `status`: `None` where nothing monitors it; then there is no `/metrics`.
    `troubles`: returns a sentence for each task that the appliance cannot do now. `release`: opens everything; takes
    the subject who wants it.
    """

    departments: frozenset[str]
    clock: Callable[[], Moment]
    metering: Metering
    enforcement: Enforcement
    history: HistoryRecorder
    lists: ListImports
    maintenance_mode: MaintenanceMode
    configuration: ConfigTrial
    status: StatusMonitor | None
    troubles: Callable[[], Sequence[str]]
    release: Callable[[str], None]
    authenticator: Authenticator
    people: People
    pairing: Pairing
    audit: AuditRecords


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
    """What a handler works with, beside its argument. `now`: when the call came."""

    services: Services
    caller: Caller
    now: Moment


def require_department(context: Context, department: str) -> None:
    """Raise `Refused` for a department that is not configured or that the caller's token does not cover."""
    if department not in context.services.departments:
        raise Refused(Code.UNKNOWN_DEPARTMENT, f'there is no department "{clipped(department)}"')
    if not context.caller.grant.may_see(department):
        raise Refused(Code.FORBIDDEN, f'this token does not cover the department "{department}"')
