"""What the server is built on: the monitors and access services that carry out what clients ask for."""

from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.text import unknown_text
from appliance.monitor.alerting.notification_desk import NotificationDesk
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.blocking.list_imports import ListImports
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.metering.quota_requests import QuotaRequests
from appliance.monitor.operations.config_trial import ConfigTrial
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.panel_watch import PanelWatch
from appliance.monitor.operations.schedule_watch import ScheduleWatch
from appliance.monitor.operations.status import StatusMonitor
from appliance.monitor.operations.update_monitor import UpdateMonitor
from appliance.monitor.traffic.device_watch import DeviceWatch
from appliance.monitor.traffic.insight import Insight
from appliance.ports import PageBackups
from appliance.server.access import Authenticator, Grant
from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import People
from appliance.server.http.tls import CertificateFacts
from appliance.server.profile import Profile

BUILT_PAGE = Path(__file__).parents[1] / "dashboard/dist"


class Services(Struct, frozen=True, kw_only=True):
    """Everything that calls and pages may use.

    `departments`: the configured ids. `profile`: what the appliance says of itself. `certificate`: that of the server,
    `None` without TLS; the first call takes a second, while others have their turn, and may raise `Refused`. `release`:
    opens everything; its argument: the subject of the caller. `work`: by task, `ok` or what is not done. `page_folder`:
    where the dashboard was built, or was not.
    """

    departments: frozenset[str]
    profile: Profile
    certificate: Callable[[], CertificateFacts | None]
    clock: Callable[[], Moment]
    metering: Metering
    requests: QuotaRequests
    enforcement: Enforcement
    schedules: ScheduleWatch
    history: HistoryRecorder
    insight: Insight
    devices: DeviceWatch
    lists: ListImports
    maintenance_mode: MaintenanceMode
    panel: PanelWatch
    configuration: ConfigTrial
    status: StatusMonitor
    updates: UpdateMonitor
    backups: PageBackups
    notifications: NotificationDesk
    work: Callable[[], Mapping[str, str]]
    release: Callable[[str], None]
    authenticator: Authenticator
    people: People
    pairing: Pairing
    audit: AuditRecords
    page_folder: Path = BUILT_PAGE

    def require_department(self, department: str, grant: Grant) -> None:
        """Raise `Refused` for a department that is not configured or that this grant does not cover."""
        if department not in self.departments:
            visible = filter(grant.may_see, self.departments)
            raise Refused(Code.UNKNOWN_DEPARTMENT, unknown_text("department", department, visible))
        if not grant.may_see(department):
            raise Refused(Code.FORBIDDEN, f'this token does not cover the department "{department}"')
