"""Opens the real machine, part by part: the packet filter first, which is all that a boot needs."""

from contextlib import ExitStack
from pathlib import Path

from appliance.config import Config
from appliance.core.kernel.nftables.meter_rules import Setting
from appliance.core.metering.quota import Action
from appliance.core.positions import POSITIONS
from appliance.service.machines import CannotStart, Machine, PacketFilter
from appliance.service.releasing import release_kernel
from appliance.service.updating.order_folder import order_folder
from appliance.system.device.clock import KernelClock, boot_id
from appliance.system.network.bpf import Bpf
from appliance.system.network.dns_filter import BpfDnsFilter
from appliance.system.network.forwarding_settings import KernelForwarding
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.network.traffic_control import TrafficControl
from appliance.system.network.upstream import LinuxUpstream
from appliance.system.nftables import firewall, meters
from appliance.system.nftables.change_monitor import ChangeMonitor
from appliance.system.nftables.flow_table import FlowTable
from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements

CUT_OFF_PORT = 80  # what a browser asks when it is given a bare name


class RealPacketFilter(PacketFilter, frozen=True, kw_only=True):
    """The open packet filter. `boot`: the kernel's name of this boot."""

    nftables: Nftables
    elements: SetElements
    boot: str


def open_packet_filter(parts: ExitStack, *, tracks_connections: bool = True) -> RealPacketFilter:
    """Open the packet filter; `parts` closes it. Raises `FirewallUnavailable`."""
    nftables, boot = Nftables(), boot_id()
    interfaces, elements = RtnetlinkInterfaces(boot), SetElements()
    shown, metered = Nfnetlink(firewall.TABLE), Nfnetlink(meters.TABLE)
    changes, traffic_control = ChangeMonitor(firewall.TABLE), TrafficControl()
    dns_filter = BpfDnsFilter(Bpf(), traffic_control)
    for part in (nftables, interfaces, shown, metered, elements, changes, traffic_control, dns_filter):
        parts.callback(part.close)
    return RealPacketFilter(
        interfaces=interfaces,
        upstream=LinuxUpstream(),
        firewall=firewall.NftablesFirewall(
            nftables, shown, elements, changes, metered=metered, tracks_connections=tracks_connections
        ),
        dns_filter=dns_filter,
        nftables=nftables,
        elements=elements,
        boot=boot,
    )


def open_real_machine(config: Config, state_dir: Path) -> Machine:
    """Open every part of this computer. Raises `CannotStart` where one cannot be used."""
    from appliance.system.device.hardware_database import HardwareDatabase
    from appliance.system.device.panel import GpioPanel
    from appliance.system.device.sensors import PsutilSensors
    from appliance.system.network.capture import PacketCapture
    from appliance.system.network.flows import ConntrackFlows
    from appliance.system.network.neighbours import RtnetlinkNeighbours
    from appliance.system.update.image_root import running_root
    from appliance.system.update.image_updates import ImageUpdates

    position = POSITIONS[config.position]
    parts = ExitStack()
    try:
        packet_filter = open_packet_filter(parts, tracks_connections=position.can_enforce)
        capture = PacketCapture(promiscuous=position.is_promiscuous)
    except (FirewallUnavailable, PermissionError) as error:
        parts.close()
        raise CannotStart(f"{error}; run as root, or try it with --simulate") from None
    neighbours, shown, port = RtnetlinkNeighbours(), Nfnetlink(meters.TABLE), _cut_off_port(config)
    pins = config.panel
    panel = GpioPanel(
        pins.button, pins.led_status, pins.led_alert, pins.led_activity, hold_s=pins.hold, scratch=state_dir
    )
    for part in (neighbours, shown, capture, panel):
        parts.callback(part.close)
    return Machine(
        interfaces=packet_filter.interfaces,
        neighbours=neighbours,
        flows=ConntrackFlows(),
        forwarding=KernelForwarding(packet_filter.nftables.foreign_rules, FlowTable(packet_filter.nftables).keep),
        sensors=PsutilSensors(state_dir),
        panel=panel,
        firewall=packet_filter.firewall,
        dns_filter=packet_filter.dns_filter,
        upstream=packet_filter.upstream,
        meters=meters.NftablesMeters(
            packet_filter.nftables, shown, packet_filter.elements, packet_filter.boot, _setting(config, port)
        ),
        capture=capture,
        updates=ImageUpdates(order_folder(state_dir), running_root(), packet_filter.boot),
        vendors=HardwareDatabase(),
        clock=KernelClock().now,
        close=parts.close,
        release=release_kernel,
        cut_off_port=port,
        press=panel.press if panel.mocked_because else None,
        troubles=lambda _: [panel.trouble] if panel.trouble else [],
    )


def _setting(config: Config, cut_off_port: int | None) -> Setting:
    return Setting(
        notice_port=cut_off_port,
        server_port=config.server.port,
        blocks_unclaimed=config.appliance.unclaimed == "block",
        blocks_encapsulated=config.appliance.encapsulated == "block",
    )


def _cut_off_port(config: Config) -> int | None:
    """The port of the page for hosts that are cut off; `None`: none can be, or their traffic does not pass here."""
    cuts_off = any(one.quota.on_exceeded is Action.BLOCK for one in config.departments)
    return CUT_OFF_PORT if cuts_off and POSITIONS[config.position].forwards else None
