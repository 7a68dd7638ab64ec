"""Restores the saved blocks, and nothing else, as early as a boot allows.

It runs before the network forwards; the service that starts later finds the blocks in the kernel and keeps them. It
imports little, because each second counts: importing the server alone takes as long as restoring 100,000 blocks.
"""

import logging
from contextlib import ExitStack, closing
from pathlib import Path

from appliance import config as configuration
from appliance.config import Config
from appliance.core.positions import POSITIONS
from appliance.core.state_files import STATE_FILE
from appliance.monitor.operations.schedule_watch import scheduled_blocks
from appliance.service.machines import CannotStart
from appliance.service.monitors import build_blocking
from appliance.service.real_machine import open_packet_filter
from appliance.service.state_recovery import read_state
from appliance.system.device.clock import KernelClock
from appliance.system.erasure import is_marked
from appliance.system.nftables.libnftables import FirewallUnavailable
from appliance.system.ownership import OwnedElsewhere, own_packet_filter
from appliance.system.storage.store import BLOCKS, NOT_READABLE, SqliteStore

log = logging.getLogger("appliance")

GOES_ON = "the service mends what it can when it starts"
ONLY_READ = "a boot only reads it"


def restore(config_file: Path | None, state_dir: Path) -> str:
    """Put the saved blocks in force; returns a sentence for a person.

    Raises `ConfigError`, or `CannotStart` where some are not in force; the service then mends what it can.
    """
    if is_marked(state_dir):
        return "the appliance is being reset: nothing is put in force"
    if config_file is None:
        return "there is no configuration; the service chooses what to look at when it starts"
    config = configuration.load(config_file)
    if not POSITIONS[config.position].can_enforce:
        return "nothing is enforced in this position"
    if not (state_dir / STATE_FILE).exists():
        return "nothing was blocked"
    try:
        with ExitStack() as parts:
            own_packet_filter(parts)
            return _read_and_restore(config, state_dir / STATE_FILE, parts)
    except OwnedElsewhere as reason:
        raise CannotStart(str(reason)) from None
    except FirewallUnavailable as error:
        raise CannotStart(f"{error}; {GOES_ON}") from error


def _read_and_restore(config: Config, path: Path, parts: ExitStack) -> str:
    """Read, and never write: it works on a read-only medium too, and the service does what is to be repaired."""
    try:
        with closing(SqliteStore.in_memory(path, ONLY_READ, is_checked=False)) as store:
            return _restored(config, store, parts)
    except NOT_READABLE as error:
        log.error("%s: %s; what can be read of it is put in force", path, error)
    store, lost = read_state(path, ONLY_READ)
    with closing(store):
        restored = _restored(config, store, parts)
    if BLOCKS in lost:
        raise CannotStart(f"not all of the saved blocks can be read: {restored}; {GOES_ON}")
    return restored


def _restored(config: Config, store: SqliteStore, parts: ExitStack) -> str:
    packet_filter, now = open_packet_filter(parts), KernelClock().now()
    enforcement = build_blocking(
        config=config, packet_filter=packet_filter, store=store, publish=lambda _: None, require_writable=lambda: None
    )
    departments = [one.id for one in config.departments]
    enforcement.restore(now, scheduled_blocks(store, departments, now, config.zone))
    tallies = [(one.interface, *enforcement.tally(one)) for one in config.as_departments()]
    open_at = [interface for interface, wanted, enforced in tallies if enforced < wanted]
    if open_at:
        is_there = packet_filter.interfaces.links().keys() >= set(open_at)
        reason = "; ".join(enforcement.troubles(now)) if is_there else "it does not exist yet"
        raise CannotStart(f"nothing is blocked at {', '.join(open_at)}: {reason}; the service goes on trying")
    return f"{len(enforcement.blocks(now))} blocks are in force"
