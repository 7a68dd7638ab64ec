"""Updates where no service answers: the command line orders them in its place, and leaves the same traces."""

import logging
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from appliance.core.access.audit_entry import AuditEntry, value_text
from appliance.core.moment import timestamp
from appliance.core.operations.update import UpdateAction, UpdateOrder, UpdateState, begin_fault
from appliance.monitor.operations.update_monitor import update_facts
from appliance.service.access.offline_access import TRAIL_FILE, now, operator
from appliance.service.machines import CannotStart
from appliance.service.updating.order_folder import order_folder
from appliance.system.device.clock import boot_id
from appliance.system.storage.audit_store import AuditStoreUnavailable, SqliteAuditStore
from appliance.system.update.image_root import running_root
from appliance.system.update.image_updates import ImageUpdates

log = logging.getLogger("appliance")


class UnservedUpdates:
    """The updates of this computer, for its command line. `top`: another root folder, for tests."""

    def __init__(self, state_dir: Path, top: Path = Path("/")) -> None:
        self._state_dir = state_dir
        self._updates = ImageUpdates(order_folder(state_dir), running_root(top), boot_id())

    @property
    def is_possible(self) -> bool:
        """Whether this computer runs from the image."""
        return self._updates.obstacle() is None

    def shown(self) -> dict[str, Any]:
        """What runs, and the latest update, as it is on the wire."""
        running, latest = self._updates.running(), self._updates.latest()
        update = None if latest is None else msgspec.to_builtins(update_facts(latest, with_url=True))
        return {
            "version": running.version if running else None,
            "root": running.root if running else None,
            "obstacle": self._updates.obstacle(),
            "update": update,
        }

    def start(self, url: str) -> None:
        """Order an update from this URL; empty: with the bundle that lies in the folder. Raises `CannotStart`."""
        fault = begin_fault(self._updates.latest(), is_ordered=self._updates.is_ordered())
        if fault is not None:
            raise CannotStart(fault)
        self._order(UpdateAction.INSTALL, "update:start", url)

    def restart(self) -> None:
        """Order a restart with the version that is installed. Raises `CannotStart`."""
        latest = self._updates.latest()
        if latest is None or latest.state is not UpdateState.INSTALLED:
            raise CannotStart("no update waits for a restart; begin one first")
        self._order(UpdateAction.RESTART, "update:restart", "")

    def _order(self, action: UpdateAction, name: str, url: str) -> None:
        order = UpdateOrder(action, operator().who, timestamp(now().wall), url)
        try:
            with closing(SqliteAuditStore(self._state_dir / TRAIL_FILE)) as trail:
                trail.record(AuditEntry(order.at, order.actor, "", None, name, value_text({"url": url})))
        except AuditStoreUnavailable as error:  # the update may be what mends it
            log.error("%s is not in the audit trail: %s", name, error)
        self._updates.order(order)
