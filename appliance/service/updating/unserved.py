"""Updates where no service answers: the command line, which root runs, does it itself and leaves the same traces."""

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.moment import timestamp
from appliance.core.operations.update import UpdateAction, UpdateOrder, UpdateState
from appliance.monitor.operations.update_monitor import update_facts
from appliance.service.access.offline_access import TRAIL_FILE, now, operator
from appliance.service.machines import CannotStart
from appliance.service.updating.updater import Updater
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore

log = logging.getLogger("appliance")


def install_unserved(updater: Updater, state_dir: Path, url: str, tell: Callable[[dict[str, Any]], None]) -> str:
    """Install from this URL, or with an empty one what lies in the folder; returns why it failed, or nothing.

    `tell`: gets each change of the update, as it is on the wire.
    """
    order = _order(UpdateAction.INSTALL, url)
    _record(state_dir, order)
    made = updater.carry_out(order, lambda update: tell(msgspec.to_builtins(update_facts(update))))
    return made.reason if made is not None and made.state is UpdateState.FAILED else ""


def shown(updater: Updater) -> dict[str, Any]:
    """What runs, and the latest update, as it is on the wire."""
    latest = updater.folder.update()
    update = None if latest is None else msgspec.to_builtins(update_facts(latest, with_url=True))
    return {"version": updater.running.version, "root": updater.running.root, "update": update}


def restart_unserved(updater: Updater, state_dir: Path) -> None:
    """Start the computer again, with the version that is installed. Raises `CannotStart` where none is."""
    latest = updater.folder.update()
    if latest is None or latest.state is not UpdateState.INSTALLED:
        raise CannotStart("no update waits for a restart; begin one first")
    order = _order(UpdateAction.RESTART, "")
    _record(state_dir, order)
    updater.carry_out(order)


def _order(action: UpdateAction, url: str) -> UpdateOrder:
    return UpdateOrder(action, operator().who, timestamp(now().wall), url)


def _record(state_dir: Path, order: UpdateOrder) -> None:
    """In the audit trail; on a medium that takes nothing, the log has it, and the update goes on."""
    name = "update:start" if order.action is UpdateAction.INSTALL else "update:restart"
    entry = AuditEntry(order.at, order.actor, "", None, name, value_text({"url": order.url}))
    try:
        with closing(SqliteAuditStore(state_dir / TRAIL_FILE)) as trail:
            trail.record(entry)
    except AuditStoreUnavailable as error:
        log.error("%s is not in the audit trail: %s", name, error)
