"""A root on trial: what it must show to be confirmed, and what is left where it does not."""

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from appliance.core.operations.update import RunningRoot, Update, UpdateState
from appliance.service.updating.confirmation import PATIENCE_S, PROOF_S, TASKS, Confirmation
from appliance.service.updating.order_folder import order_folder
from image.manifest import HERE
from tests.end_to_end.unit import Unit

NEW, FORMER = (
    RunningRoot("B", "20261201T000000Z-00000000000000bb"),
    RunningRoot("A", "20261129T120000Z-00000000000000aa"),
)
WELL = {"status": "ok", "work": dict.fromkeys(TASKS, "ok")}
INSTALLED = Update(UpdateState.INSTALLED, "anna", "", version=NEW.version, root="B", boot="before", ports=("eth0",))

Answer = Callable[[float], Mapping[str, Any] | None]  # of the service, at this second


class Card:
    """A card on which root B is installed, and a clock that goes on while somebody waits."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self.folder = order_folder(folder)
        self.folder.save(INSTALLED)
        (folder / "sys/class/net/eth0/device").mkdir(parents=True)
        self.now_s = 0.0

    def confirm(self, answer: Answer, running: RunningRoot = NEW) -> bool:
        return Confirmation(
            folder=self.folder,
            running=running,
            ask=lambda: answer(self.now_s),
            last_words=lambda: "it printed last: RuntimeError",
            clock=lambda: self.now_s,
            pause=self._pause,
            trial_mark=self.path / "appliance-trial",
            builds=self.path / "confirmed",
            top=self.path,
            set_counter=("sh", "-c", f'echo "$@" >>{self.path}/counters', "fw_setenv"),
        ).confirm()

    def _pause(self, pause_s: float) -> None:
        self.now_s += pause_s

    @property
    def update(self) -> Update:
        found = self.folder.update()
        assert found is not None
        return found

    @property
    def counters(self) -> str:
        path = self.path / "counters"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def card(tmp_path: Path) -> Card:
    return Card(tmp_path)


def test_a_root_that_does_all_its_work_for_a_minute_is_confirmed(card: Card) -> None:
    assert card.confirm(lambda _: WELL)
    assert PROOF_S <= card.now_s <= PROOF_S + 10
    assert card.counters == "BOOT_B_LEFT 3\n"
    assert (card.update.state, card.update.starts) == (UpdateState.CONFIRMED, 1)
    assert (card.path / "confirmed").read_text() == f"{NEW.version}\n"
    assert not (card.path / "appliance-trial").exists()
    assert card.confirm(lambda _: WELL)  # at the next start: no second entry
    assert (card.path / "confirmed").read_text() == f"{NEW.version}\n"


def test_a_break_in_the_work_begins_the_minute_again(card: Card) -> None:
    assert card.confirm(lambda at_s: None if at_s == 50 else WELL)
    assert card.now_s >= 55 + PROOF_S


def _without(task: str, said: str) -> Mapping[str, Any]:
    return {"status": "troubled", "work": WELL["work"] | {task: said}}  # type: ignore[operator]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "the service does not answer; it printed last: RuntimeError"),
        ({"status": "ok"}, "metering: is not told"),
        ({"status": "ok", "work": "all of it"}, "publishing: is not told"),
        (
            _without("metering", "the kernel refuses the meters: No such file"),
            "metering: the kernel refuses the meters",
        ),
        (_without("publishing", "nothing was published for 60 s"), "publishing: nothing was published for 60 s"),
        (_without("enforcement", "the kernel does not have all"), "enforcement: the kernel does not have all"),
        (_without("store", "database is locked"), "store: database is locked"),
    ],
    ids=["silent", "not told", "no object", "metering", "publishing", "enforcement", "store"],
)
def test_a_root_that_does_not_do_all_is_not_confirmed_and_leaves_the_reason(
    card: Card, answer: Mapping[str, Any] | None, why: str
) -> None:
    assert not card.confirm(lambda _: answer)
    assert card.now_s >= PATIENCE_S
    assert card.counters == ""
    assert why in card.folder.why()
    assert card.update.state is UpdateState.TRIAL
    assert (card.path / "appliance-trial").exists()
    # The former root, at the next start.
    card.folder.save(Update(**{**vars_of(card.update), "boot": "another"}))
    assert card.confirm(lambda _: WELL, FORMER)
    assert card.update.state is UpdateState.RETURNED
    assert why in card.update.reason
    assert not (card.path / "confirmed").read_text().startswith(NEW.version)


def vars_of(update: Update) -> dict[str, Any]:
    return {name: getattr(update, name) for name in update.__slots__}


def test_a_port_that_the_former_root_had_must_be_there(card: Card) -> None:
    (card.path / "sys/class/net/eth0/device").rmdir()
    assert not card.confirm(lambda _: WELL)
    assert "eth0 was there before, and is not now" in card.folder.why()


def test_a_card_that_takes_nothing_is_not_the_roots_fault(card: Card, tmp_path: Path) -> None:
    card.confirm(lambda _: WELL)
    (card.folder.path / "why.new").mkdir()  # nothing can be written in its place
    assert card.confirm(lambda _: _without("store", "it can only be read"))
    assert card.counters == "BOOT_B_LEFT 3\nBOOT_B_LEFT 3\n"
    assert tmp_path.exists()


class Shell:
    """The scripts that leave a root, or end it in order, in a root folder of its own, with programs that take notes."""

    def __init__(self, top: Path) -> None:
        self.top = top
        for name, text in (
            ("usr/lib/appliance/build", NEW.version + "\n"),
            ("proc/cmdline", "root=PARTUUID=x ro rauc.slot=B quiet\n"),
            ("data/confirmed", FORMER.version + "\n"),
            ("var/lib/appliance/updates/why", ""),
            ("run/other", ""),
        ):
            (top / name).parent.mkdir(parents=True)
            (top / name).write_text(text)
        programs = top / "programs"
        programs.mkdir()
        for name, answer in (("fw_setenv", ""), ("fw_printenv", "2"), ("sync", ""), ("systemctl", "timeout")):
            text = f'#!/bin/sh\necho {name} "$@" >>{top}/calls\necho {answer}\n'
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)

    def leave(self) -> list[str]:
        """What it calls where the root has not proved itself."""
        return self._run("return")

    def end(self) -> list[str]:
        """What it calls at an orderly end."""
        return self._run("keep-tries")

    def _run(self, name: str) -> list[str]:
        environment = os.environ | {"APPLIANCE_TOP": str(self.top), "PATH": f"{self.top}/programs:{os.environ['PATH']}"}
        program = HERE / "root/usr/lib/appliance" / name
        subprocess.run([program], env=environment, check=True, capture_output=True)
        calls, asked = self.top / "calls", ("systemctl show", "fw_printenv")
        return [one for one in calls.read_text().splitlines() if not one.startswith(asked)] if calls.exists() else []

    @property
    def why(self) -> str:
        return (self.top / "var/lib/appliance/updates/why").read_text()


def test_a_root_on_trial_is_given_no_more_tries_and_its_reason_stays(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "run/appliance-trial").touch()
    (tmp_path / "var/lib/appliance/updates/why").write_text("metering: no")
    assert shell.leave() == ["fw_setenv BOOT_B_LEFT 0", "sync", "systemctl reboot"]
    assert shell.why == "metering: no"


def test_a_root_whose_own_programs_are_broken_is_left_too_after_its_tries(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell.leave() == ["sync", "systemctl reboot"]
    assert shell.why == "the program that confirms root B failed: timeout\n"


def test_a_root_that_has_worked_before_stays(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "data/confirmed").write_text(f"{FORMER.version}\n{NEW.version}\n")
    assert shell.leave() == []
    assert shell.why == ""


def test_an_orderly_end_costs_a_root_that_has_worked_before_no_try(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    assert shell.end() == []  # it has not worked yet
    (tmp_path / "data/confirmed").write_text(f"{FORMER.version}\n{NEW.version}\n")
    assert shell.end() == ["fw_setenv BOOT_B_LEFT 3"]


def test_an_orderly_end_while_an_update_is_on_trial_costs_a_try(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    (tmp_path / "data/confirmed").write_text(f"{NEW.version}\n")  # the same version, installed once more
    (tmp_path / "run/appliance-trial").touch()
    assert shell.end() == []


def test_the_tries_are_given_back_while_the_boot_partition_is_mounted() -> None:
    unit = Unit(HERE / "root/etc/systemd/system/appliance-first-start.service")
    assert unit["ExecStop"] == "/usr/lib/appliance/keep-tries"
    assert "boot-firmware.mount" in unit.words("After")
    assert "shutdown.target" in unit.words("Conflicts")
