"""Builds each monitor over a machine and a store, in the order in which one needs the other.

    maintenance mode     the store, the panel
    metering             the machine's meters and interfaces
    blocking             the packet filter; refuses changes in maintenance
    insight              captured packets; orders blocks, asks metering for rates
    status               all of these

The service, the restore at a boot, the tests and the benches build their monitors here, and nowhere else. Nothing that
the server needs is imported, because the restore holds a boot up.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from appliance.config import Config
from appliance.core.blocking.protection import Protected
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering
from appliance.monitor.metering.history_recorder import HistoryRecorder
from appliance.monitor.operations.maintenance_mode import MaintenanceMode
from appliance.monitor.operations.status import StatusMonitor, TroubleSource
from appliance.monitor.traffic.insight import Insight
from appliance.ports import AuditStore, DnsFilter, Firewall, HistoryStore, Interfaces, Publisher, Store, Upstream
from appliance.service.machines import Machine
from appliance.system.public_suffixes import PublicSuffixes


class PacketFilter(Protocol):
    """The part of a machine that blocks need; a boot has no more of it."""

    @property
    def interfaces(self) -> Interfaces:
        """The network interfaces."""

    @property
    def upstream(self) -> Upstream:
        """The gateways and name servers, which are never blocked."""

    @property
    def firewall(self) -> Firewall:
        """The rules and sets of the packet filter."""

    @property
    def dns_filter(self) -> DnsFilter:
        """The filter of DNS look-ups."""


def build_maintenance(
    *, machine: Machine, store: Store, audit_store: AuditStore, publish: Publisher, pressed: Sequence[Callable[..., bool]]
) -> MaintenanceMode:
    """The read-only mode, and the panel. `pressed`: what a short press of the button may mean, the first that takes it."""
    return MaintenanceMode(store, machine.panel, publish, audit_store, pressed)


def build_metering(*, config: Config, machine: Machine, store: Store, publish: Publisher) -> Metering:
    """The meters of departments and hosts, and their quotas."""
    return Metering(
        config.as_departments(),
        config.position,
        config.zone,
        machine.interfaces,
        machine.flows,
        machine.meters,
        store,
        publish,
    )


def build_blocking(
    *,
    config: Config,
    packet_filter: PacketFilter,
    store: Store,
    publish: Publisher,
    require_writable: Callable[[], None],
) -> Enforcement:
    """The blocks. `require_writable`: raises `Refused` in maintenance."""
    return Enforcement(
        config.as_departments(),
        config.position,
        [Protected(one.network, "the configuration protects it") for one in config.protection.addresses],
        packet_filter.interfaces.links,
        packet_filter.upstream,
        packet_filter.firewall,
        packet_filter.dns_filter,
        store,
        require_writable,
        publish,
    )


def build_insight(
    *, config: Config, machine: Machine, metering: Metering, enforcement: Enforcement, publish: Publisher
) -> Insight:
    """Analytics, anomalies and incidents from captured packets, and the blocks that follow from them."""
    return Insight(
        departments=config.as_departments(),
        capture=machine.capture,
        registrable=PublicSuffixes(),
        metering=metering,
        blocking=enforcement,
        response=config.as_response(),
        publish=publish,
    )


def build_history(*, config: Config, history_store: HistoryStore) -> HistoryRecorder:
    """The history of what departments and hosts used."""
    return HistoryRecorder(config.zone, history_store, config.as_retention())


def build_status(
    *,
    config: Config,
    machine: Machine,
    metering: Metering,
    enforcement: Enforcement,
    insight: Insight,
    other_troubles: Sequence[TroubleSource],
    publish: Publisher,
) -> StatusMonitor:
    """The departments' status and the computer's health. `other_troubles`: beside those of metering and blocking."""
    return StatusMonitor(
        departments=config.as_departments(),
        metering=metering,
        enforcement=enforcement,
        insight=insight,
        trouble_sources=(metering.troubles, *other_troubles, enforcement.troubles),
        capture=machine.capture,
        neighbours=machine.neighbours,
        sensors=machine.sensors,
        publish=publish,
    )
