"""Confirms a root that has proved itself, and leaves the reason where one has not.

A root is asked what it does, not only whether it answers: it meters, publishes, has the kernel hold what is blocked,
and keeps its books. What is the card's fault, or was so before the update, is not the root's.
"""

import logging
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from appliance.core.operations.update import RunningRoot, Update, UpdateState, confirmed
from appliance.monitor.operations.self_check import GOOD
from appliance.service.updating.updater import settled
from appliance.system.storage.files import write_whole
from appliance.system.update.image_root import ports
from appliance.system.update.update_folder import UpdateFolder

log = logging.getLogger("appliance.confirm")

PROOF_S = 60.0  # all is well for so long without a break: as long as the service's watchdog waits
PATIENCE_S = 900.0  # a slow card, a start after damage
PAUSE_S = 5.0
TRIES = "3"  # of a root, as in boot.cmd
MOST_BUILDS = 4  # that have proved themselves on this card, kept by name: two roots, each with a former one
TASKS = ("metering", "publishing", "enforcement", "store")

Health = Mapping[str, Any]  # what the service answers at /healthz
SILENT = "the service does not answer"


class Confirmation(Struct, frozen=True, kw_only=True):
    """Judges the root that runs.

    `ask`: the service's health, or `None`; `last_words`: what is known of a service that does not answer; `clock`,
    `pause`: of the monotonic clock, and waiting; `trial_mark`: a file that exists while an update is on trial;
    `builds`: the versions that have proved themselves on this card.
    """

    folder: UpdateFolder
    running: RunningRoot
    ask: Callable[[], Health | None]
    last_words: Callable[[], str]
    clock: Callable[[], float]
    pause: Callable[[float], None]
    trial_mark: Path
    builds: Path
    top: Path = Path("/")
    set_counter: tuple[str, ...] = ("fw_setenv",)
    said: list[str] = field(default_factory=list)

    def confirm(self) -> bool:
        """Wait for the proof and confirm the root; false: there is none, and the reason is left."""
        with suppress(OSError):  # a data partition that takes nothing: the counters alone decide
            settled(self.folder, self.running)
        update = self._on_trial()
        if update is not None:
            self.trial_mark.touch()
            log.info("version %s is on trial in root %s, start %d", update.version, self.running.root, update.starts)
        if not self._has_proved_itself(update):
            why = "; ".join(self.said)
            if SILENT in self.said:  # the log is in memory: the former root will not have it
                why = f"{why}; {self.last_words()}"
            log.error("Root %s has not proved itself within %.0f s: %s", self.running.root, PATIENCE_S, why)
            with suppress(OSError):
                self.folder.leave_why(f"it did not prove itself within {PATIENCE_S:.0f} s: {why}")
            return False
        self._confirm(update)
        return True

    def _on_trial(self) -> Update | None:
        update = self.folder.update()
        is_it = update is not None and update.state is UpdateState.TRIAL and update.root == self.running.root
        return update if is_it else None

    def _has_proved_itself(self, update: Update | None) -> bool:
        deadline_s = self.clock() + PATIENCE_S
        since_s = None
        while (now_s := self.clock()) < deadline_s:
            faults = list(self._faults(update))
            if faults:
                since_s, self.said[:] = None, faults
            elif since_s is None:
                since_s = now_s
            elif now_s - since_s >= PROOF_S:
                return True
            self.pause(PAUSE_S)
        return False

    def _faults(self, update: Update | None) -> Iterator[str]:
        health = self.ask()
        if health is None:
            yield SILENT
            return
        work = health.get("work")
        for task in TASKS:
            said = work.get(task, "is not told") if isinstance(work, Mapping) else "is not told"
            if said != GOOD and not (task == "store" and not self._can_write()):
                yield f"{task}: {said}"
        gone = sorted(set(update.ports if update else ()) - set(ports(self.top)))
        if gone:
            yield f"{', '.join(gone)} was there before, and is not now"

    def _can_write(self) -> bool:
        """Whether the card takes anything: else it is no fault of the root that the state is not kept."""
        try:
            self.folder.leave_why("")
        except OSError:
            return False
        return True

    def _confirm(self, update: Update | None) -> None:
        words = [*self.set_counter, f"BOOT_{self.running.root}_LEFT", TRIES]
        subprocess.run(words, check=True)  # noqa: S603  fixed words
        with suppress(OSError):
            if update is not None:
                self.folder.save(confirmed(update))
            builds = self.builds.read_text().splitlines() if self.builds.exists() else []
            if self.running.version not in builds:
                kept = [*builds, self.running.version][-MOST_BUILDS:]
                write_whole(self.builds, "".join(f"{one}\n" for one in kept).encode())
        self.trial_mark.unlink(missing_ok=True)
        log.info("Root %s is confirmed: it has done its work for %.0f s", self.running.root, PROOF_S)
