"""Builds the desk of reports, where the configuration orders any: the call `report:get` makes what it sends."""

from typing import TYPE_CHECKING

from appliance.monitor.alerting.report_desk import ReportDesk
from appliance.service.alerting.building import sender_of

if TYPE_CHECKING:
    from appliance.service.composition import Appliance


def build_report_desk(appliance: "Appliance") -> ReportDesk:
    """The desk of reports over the built appliance."""
    config = appliance.config
    return ReportDesk(
        list(config.notifications.as_report_orders([one.id for one in config.departments])),
        appliance.notifications.channels,
        appliance.disk.state.store,
        sender=sender_of(config, is_simulated=appliance.machine.is_simulated),
        zone=config.zone,
        make=appliance.server.report,
    )
