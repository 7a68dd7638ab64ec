"""The updater: fetches, checks and installs a bundle, or starts the computer again, as somebody has ordered.

It is a process of its own, because the service sees neither the card nor RAUC. A bundle is looked at before it is
written: RAUC checks its signature and its kind, and that it is not older than what runs is checked here.
"""

import logging
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.operations.update import (
    UNDER_WAY,
    RunningRoot,
    Update,
    UpdateAction,
    UpdateOrder,
    UpdateState,
    after_start,
    begin_fault,
    bundle_fault,
    failed,
    is_news,
)
from appliance.service.updating.order_folder import order_folder
from appliance.system.device.clock import boot_id
from appliance.system.update.image_root import NO_IMAGE, OTHER, SETTINGS, compatible, ports, running_root
from appliance.system.update.rauc import Rauc, RaucFailed
from appliance.system.update.update_folder import LatestLook, UpdateFolder
from appliance.system.web.bundle_source import BundleSource
from appliance.system.web.web_source import NotFetched, WebSource

log = logging.getLogger("appliance.update")

RESTART = ("systemctl", "reboot")
ENDED = "the program that installs updates ended before it was done; order it again"
TOLD_PERCENT = 5  # every record is written to the card; the page counts in these steps


class NothingNew(Exception):
    """The server has nothing that the appliance would take by itself; the text says why."""


class Updater(Struct, frozen=True, kw_only=True):
    """Carries out orders. `top`: the root folder; `restart`: the command that starts the computer again."""

    folder: UpdateFolder
    running: RunningRoot
    source: BundleSource
    rauc: Rauc
    top: Path = Path("/")
    restart: tuple[str, ...] = RESTART

    def carry_out(self, order: UpdateOrder, tell: Callable[[Update], None] = lambda _: None) -> Update | None:
        """Do what is ordered, and return the record afterwards. `tell`: gets each change of it."""
        before = settled(self.folder, self.running)
        if order.action is UpdateAction.RESTART:
            self._restart(before)
            return before
        fault = begin_fault(before, is_ordered=False)
        if fault is not None:
            log.error("no update is begun: %s", fault)
            return before
        return self._install(order, before, tell)

    def _restart(self, update: Update | None) -> None:
        if update is None or update.state is not UpdateState.INSTALLED:
            log.error("the computer is not started again: no update waits for that")
            return
        log.warning("the computer starts again, with version %s in root %s", update.version, update.root)
        subprocess.run(self.restart, check=True)  # noqa: S603  fixed words

    def _install(self, order: UpdateOrder, before: Update | None, tell: Callable[[Update], None]) -> Update | None:
        record = _Record(self.folder, tell, _begun(order, self.running))
        try:
            self.folder.leave_why("")  # of an earlier update
            look = self._fetch(order, record)
            self._check(order, before, record, look)
            self._write(record)
            self._remember(order, look)
        except NothingNew as reason:
            log.info("no update: %s", reason)
            if before is not None:
                record.set(before)
            return before
        except (NotFetched, RaucFailed, ValueError) as reason:
            log.error("the update is refused or has failed: %s", reason)
            record.set(failed(record.update, str(reason)))
        except OSError as error:
            log.error("the update has failed: %s", error)
            record.set(failed(record.update, f"{error.filename or self.folder.path}: {error.strerror}"))
        finally:
            self.folder.discard_bundle()
        return record.update

    def _fetch(self, order: UpdateOrder, record: "_Record") -> str:
        """Fetch the bundle; returns by which header the server sends only what is newer than it."""
        if not order.url:
            if not self.folder.bundle.exists():
                raise ValueError(f"there is no bundle in {self.folder.bundle}")
            return ""
        self.folder.discard_bundle()
        look = self.folder.latest_look()
        known = look.validator if order.is_unattended and look.url == order.url else ""
        self._remember(order, known)  # first: a server that fails is not asked again in the same night
        found = self.source.fetch(
            order.url, self.folder.bundle, require_room=self.folder.require_room, tell=record.tell_percent, known=known
        )
        if found is None:
            raise NothingNew("the server has the same bundle as before")
        return found

    def _remember(self, order: UpdateOrder, validator: str) -> None:
        """What the server has is done with, and need not be sent again to a look without a person."""
        if order.is_unattended:
            self.folder.save_look(LatestLook(order.at, order.url, validator))

    def _check(self, order: UpdateOrder, before: Update | None, record: "_Record", look: str) -> None:
        record.change(state=UpdateState.CHECKING, percent=None)
        bundle = self.rauc.read(self.folder.bundle)
        record.change(version=bundle.version)
        fault = bundle_fault(bundle, compatible(self.rauc.settings), self.running)
        if fault is not None:
            self._remember(order, look)
            raise ValueError(fault)
        if order.is_unattended and not is_news(bundle, self.running, before):
            self._remember(order, look)
            raise NothingNew(f"version {bundle.version} runs already, or was tried in vain")

    def _write(self, record: "_Record") -> None:
        record.change(state=UpdateState.INSTALLING, percent=0, ports=ports(self.top))
        self.rauc.install(self.folder.bundle, record.tell_percent)
        record.change(state=UpdateState.INSTALLED, percent=None)
        log.warning("version %s is installed in root %s", record.update.version, record.update.root)


class _Record:
    """The record of an update that is under way."""

    def __init__(self, folder: UpdateFolder, tell: Callable[[Update], None], update: Update) -> None:
        self._folder, self._tell = folder, tell
        self.set(update)

    def set(self, update: Update) -> None:
        self.update = update
        self._folder.save(update)
        self._tell(update)

    def change(self, **what: Any) -> None:
        self.set(replace(self.update, **what))

    def tell_percent(self, percent: int) -> None:
        if percent - (self.update.percent or 0) >= TOLD_PERCENT:
            self.change(percent=percent)


def _begun(order: UpdateOrder, running: RunningRoot) -> Update:
    return Update(
        state=UpdateState.FETCHING,
        actor=order.actor,
        at=order.at,
        url=order.url,
        is_unattended=order.is_unattended,
        root=OTHER[running.root],
        boot=boot_id(),
    )


def settled(folder: UpdateFolder, running: RunningRoot) -> Update | None:
    """The latest update, recorded as it is now that the computer has started: on trial, returned, or as before."""
    update, boot = folder.update(), boot_id()
    if update is None or update.boot == boot:
        return update
    update = after_start(update, running, boot, folder.why())
    folder.save(update)
    return update


def updater_of(state_dir: Path) -> Updater:
    """The updater of this computer. Raises `ValueError` where it does not run from the image."""
    running = running_root()
    if running is None:
        raise ValueError(NO_IMAGE)
    return Updater(
        folder=order_folder(state_dir),
        running=running,
        source=BundleSource(WebSource("bundle")),
        rauc=Rauc(Path("/") / SETTINGS),
    )


def carry_out_order(updater: Updater) -> None:
    """Carry out the order that lies in the folder. Of two in a row, the second waits for the first."""
    while (order := updater.folder.take_order()) is not None:
        updater.carry_out(order)


def record_end(folder: UpdateFolder) -> None:
    """Record that the updater is no longer there, where it could not do so itself."""
    update = folder.update()
    if update is not None and update.state in UNDER_WAY:
        with suppress(OSError):
            folder.save(failed(update, ENDED))
    folder.discard_bundle()
