"""Durations, events and departments on the command line, and what the shell completes."""

from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from appliance.cli.main import main
from appliance.cli.parameters import Departments, Duration

CONFIG = '[[departments]]\nid = "dept123"\n[[departments]]\nid = "dept456"\n[[departments]]\nid = "lab"\n'


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "appliance.toml"
    path.write_text(CONFIG)
    return str(path)


def completed(*words: str) -> list[str]:
    *before, begun = words
    found = ShellComplete(main, {}, "appliance", "_APPLIANCE_COMPLETE").get_completions(before, begun)
    return [one.value for one in found]


def test_commands_options_and_choices_are_completed() -> None:
    assert completed("st") == ["status"]
    assert completed("token", "") == ["list", "revoke"]
    assert completed("block", "--dur") == ["--duration"]
    assert completed("user", "add", "--role", "o") == ["operator"]


def test_events_are_completed_once_each() -> None:
    assert completed("watch", "usage") == ["usage:update"]
    assert completed("watch", "quota:alert", "quota") == ["quota:host", "quota:request"]


def test_departments_are_completed_from_the_configuration(config: str) -> None:
    assert completed("quota", "--config", config, "dept") == ["dept123", "dept456"]
    assert completed("block", "--config", config, "--department", "l") == ["lab"]
    assert completed("token", "--config", config, "--departments", "dept123,d") == ["dept123,dept456"]


@pytest.mark.parametrize("content", ["not toml", 'departments = "x"', "departments = [1, {}]", "\udcff"])
def test_a_configuration_that_cannot_be_read_completes_nothing(config: str, content: str) -> None:
    Path(config).write_text(content, errors="surrogateescape")
    assert completed("quota", "--config", config, "d") == []
    assert completed("quota", "--config", f"{config}.none", "d") == []


def test_a_duration_is_converted_within_its_bounds() -> None:
    kind = Duration(60, 86_400)
    assert [kind.convert(text, None, None) for text in ("60", "1h30m", "1d")] == [60, 5400, 86_400]
    for text, why in (
        ("59", "at least 1m"),
        ("25h", "at most 1d"),
        ("90.5", "no whole number"),
        ("x", "is no duration"),
    ):
        with pytest.raises(click.BadParameter, match=why):
            kind.convert(text, None, None)


def test_departments_are_a_list_or_all() -> None:
    kind = Departments()
    assert kind.convert("a, b", None, None) == {"a", "b"}
    assert kind.convert("*", None, None) is None
    for text in ("", ",", "*,a"):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)
