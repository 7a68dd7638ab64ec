"""Restoring: what is blocked is put in force, and nothing else, as early as a boot allows.

To be run before the network forwards; the service that starts later finds it there, and keeps it. It imports little,
because each second counts: the dashboards' server alone takes as long as 100,000 blocks.
"""

import gc
from contextlib import closing
from pathlib import Path

from appliance import config as configuration
from appliance.config import Config
from appliance.core.positions import POSITIONS
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.service.machines import CannotStart
from appliance.system.device.clock import KernelClock
from appliance.system.network.bpf import Bpf
from appliance.system.network.dns_filter import BpfDnsFilter
from appliance.system.network.interfaces import RtnetlinkInterfaces
from appliance.system.network.traffic_control import TrafficControl
from appliance.system.network.upstream import LinuxUpstream
from appliance.system.nftables import firewall
from appliance.system.nftables.change_monitor import ChangeMonitor
from appliance.system.nftables.libnftables import FirewallUnavailable, Nftables
from appliance.system.nftables.nfnetlink import Nfnetlink
from appliance.system.nftables.set_elements import SetElements
from appliance.system.storage.rows import NOT_A_ROW
from appliance.system.storage.store import SqliteStore, StoreDamaged, StoreUnavailable

STATE_FILE = "appliance.sqlite3"


def restore(config_file: Path | None, state_dir: Path) -> str:
    """Put in force what was blocked; returns a sentence for a person.

    Raises `ConfigError` or `CannotStart`: then the service, which mends more, is left to do it.
    """
    if config_file is None:
        return "there is no configuration; the service chooses what to look at when it starts"
    config = configuration.load(config_file)
    if not POSITIONS[config.position].can_enforce:
        return "nothing is enforced in this position"
    if not (state_dir / STATE_FILE).exists():
        return "nothing was blocked"
    gc.disable()  # nothing here is garbage, and looking for it among 100,000 blocks doubles the time
    try:
        store = SqliteStore(state_dir / STATE_FILE, is_checked=False)
        with closing(store):
            return _restored(config, store)
    except (StoreDamaged, StoreUnavailable, FirewallUnavailable, *NOT_A_ROW) as error:
        raise CannotStart(f"{error}; the service mends what it can when it starts") from error


def _restored(config: Config, store: SqliteStore) -> str:
    shown, elements, notices = Nfnetlink(firewall.TABLE), SetElements(), ChangeMonitor(firewall.TABLE)
    interfaces, classifier = RtnetlinkInterfaces(), TrafficControl()
    dns_filter = BpfDnsFilter(Bpf(), classifier)
    departments = config.as_departments()
    enforcement = Enforcement(
        departments=departments,
        position=config.position,
        protected=[],
        interfaces=interfaces,
        upstream=LinuxUpstream(),
        firewall=firewall.NftablesFirewall(Nftables().run, shown, elements, notices),
        dns_filter=dns_filter,
        store=store,
        require_writable=lambda: None,
        publish=lambda _: None,
    )
    now = KernelClock().now()
    enforcement.restore(now)
    links = interfaces.links()
    for part in (dns_filter, classifier, notices, elements, shown, interfaces):
        part.close()
    open_at = [one.interface for one in departments for wanted, held in [enforcement.tally(one)] if held < wanted]
    if open_at:
        reason = "; ".join(enforcement.troubles(now)) if links.keys() >= set(open_at) else "it does not exist yet"
        raise CannotStart(f"nothing is blocked at {', '.join(open_at)}: {reason}; the service goes on trying")
    return f"{len(enforcement.blocks(now))} blocks are in force"
