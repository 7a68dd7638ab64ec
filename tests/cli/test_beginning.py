"""What systemd calls becomes the service without the command line; all else is the command line's."""

import os
import sys
from pathlib import Path

import pytest

from appliance import cli

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


def test_a_unit_becomes_the_service_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "appliance.cli.main", None)  # to import it fails
    present = tmp_path / "appliance.toml"
    monkeypatch.setattr(cli, "CONFIG_FILE", str(present))
    assert became(monkeypatch, "run", STATE_DIRECTORY="/var/lib/appliance:/other") == [HERE, "/var/lib/appliance", ""]
    present.touch()
    assert became(monkeypatch, "run") == [HERE, "/var/lib/appliance", str(present)]


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
