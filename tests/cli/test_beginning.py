"""The words with which the service begins: a unit's own, or those of the command line."""

import gc
import os
import sys
from pathlib import Path

import pytest

from appliance import __main__ as beginning
from appliance import cli
from appliance.__main__ import words_of_unit
from appliance.core import state_files

HERE = "/opt/appliance/bin/appliance"


class Became(Exception):
    """The process would be another now."""


@pytest.fixture(autouse=True)
def instead(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of becoming another program, raise with its words."""

    def execv(program: str, words: list[str]) -> None:
        raise Became(program, words)

    monkeypatch.setattr(os, "execv", execv)
    for name in ("STATE_DIRECTORY", "APPLIANCE_CONFIG", "APPLIANCE_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)


def became(monkeypatch: pytest.MonkeyPatch, *words: str, **environment: str) -> list[str]:
    """The words behind `-m appliance`."""
    monkeypatch.setattr(sys, "argv", [HERE, *words])
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Became) as found:
        cli.begin()
    program, called = found.value.args
    assert program == sys.executable
    assert called[:-3] == [sys.executable, *cli.SERVICE]
    return called[-3:]


def test_a_unit_has_words_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("appliance"))
    present = tmp_path / "appliance.toml"
    monkeypatch.setattr(state_files, "CONFIG_FILE", str(present))
    given = {"STATE_DIRECTORY": "/var/lib/appliance:/other"}
    assert words_of_unit(given) == [command, "/var/lib/appliance", ""]
    present.touch()
    assert words_of_unit(given) == [command, "/var/lib/appliance", str(present)]
    given |= {"APPLIANCE_STATE_DIR": "/own", "APPLIANCE_CONFIG": "/own.toml"}
    assert words_of_unit(given) == [command, "/own", "/own.toml"]


@pytest.mark.parametrize("flags", [[], ["--simulate"]])
def test_a_unit_s_process_can_replace_itself(monkeypatch: pytest.MonkeyPatch, flags: list[str]) -> None:
    """By its own words, among which are those that it was not given."""
    monkeypatch.setattr(sys, "argv", ["/opt/appliance/__main__.py", *flags])
    monkeypatch.setattr(sys, "orig_argv", [sys.executable, *cli.SERVICE, *flags])
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/appliance")
    monkeypatch.setenv("APPLIANCE_CONFIG", "/own.toml")
    monkeypatch.setenv("EVENTLET_NO_GREENDNS", "yes")  # which it sets for good
    ran: list[object] = []
    monkeypatch.setattr(beginning, "_run", lambda *words: ran.extend(words) or 0)
    monkeypatch.setattr(gc, "disable", lambda: None)
    assert beginning.main() == 0
    assert ran == [Path("/own.toml"), Path("/var/lib/appliance"), flags]
    given = [*sys.argv, "/var/lib/appliance", "/own.toml", *flags]
    assert sys.orig_argv == [sys.executable, *cli.SERVICE, *given]


@pytest.mark.parametrize(
    ("words", "environment", "state_dir"),
    [
        (["run"], {"APPLIANCE_STATE_DIR": "/other"}, "/other"),
        (["run", "--state-dir", "/other"], {"STATE_DIRECTORY": "/var/lib/appliance"}, "/other"),
        (["run"], {"APPLIANCE_STATE_DIR": "/other", "STATE_DIRECTORY": "/var/lib/appliance"}, "/other"),
    ],
)
def test_who_names_paths_gets_these(
    monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], state_dir: str
) -> None:
    found = became(monkeypatch, *words, **environment, APPLIANCE_CONFIG="/some.toml")
    assert found == [HERE, state_dir, "/some.toml"]
