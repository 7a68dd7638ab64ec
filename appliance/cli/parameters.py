"""Kinds of values on the command line: durations, events and departments, with what the shell offers to complete.

A completion is asked for while a person types: it reads one small file at most, and loads nothing of the service.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from appliance.cli.options import DEFAULT_CONFIG
from appliance.core.duration import duration_text, seconds_of

Context = click.Context | None
Parameter = click.Parameter | None


class Duration(click.ParamType[int]):
    """A duration in whole seconds: `90`, `30m`, `2h`, `1d`, `1h30m`."""

    name = "duration"

    def __init__(self, least_s: int, most_s: int | None = None) -> None:
        """`most_s`: `None` where the service alone knows it."""
        self._least_s, self._most_s = least_s, most_s

    def convert(self, value: Any, param: Parameter, ctx: Context) -> int:
        """The seconds. Refuses other texts, parts of seconds, and what is outside of the bounds."""
        try:
            found_s = seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not isinstance(found_s, int):
            self.fail(f'"{value}" is no whole number of seconds', param, ctx)
        if found_s < self._least_s:
            self.fail(f'"{value}" is too short; at least {duration_text(self._least_s)}', param, ctx)
        if self._most_s is not None and found_s > self._most_s:
            self.fail(f'"{value}" is too long; at most {duration_text(self._most_s)}', param, ctx)
        return found_s


class EventName(click.ParamType[str]):
    """The name of an event that the service publishes."""

    name = "event"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> str:
        """The name itself. Refuses one that does not exist, for which a watch would wait for ever."""
        from appliance.cli.event_lines import EVENT_NAMES
        from appliance.core.text import unknown_text

        if value not in EVENT_NAMES:
            self.fail(unknown_text("event", value, EVENT_NAMES), param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The events that begin so, but for those that were given already."""
        from appliance.cli.event_lines import EVENT_NAMES

        given = ctx.params.get(param.name or "") or ()
        return _items(name for name in EVENT_NAMES if name.startswith(incomplete) and name not in given)


class DepartmentId(click.ParamType[str]):
    """The id of a department; the service knows whether it exists."""

    name = "department"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> str:
        """The id itself. Refuses an empty one."""
        if not str(value).strip():
            self.fail("it is empty; give a department's id", param, ctx)
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The configured departments that begin so."""
        del param
        return _items(one for one in configured_departments(ctx) if one.startswith(incomplete))


class Departments(click.ParamType[frozenset[str] | None]):
    """Several departments: ids with commas between them, or `*` for all, which is `None`."""

    name = "list"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> frozenset[str] | None:
        """The ids. Refuses none at all, and `*` among others."""
        if value is None or value == "*":
            return None
        if isinstance(value, frozenset):
            return value
        ids = frozenset(one.strip() for one in str(value).split(",") if one.strip())
        if not ids:
            self.fail("it names no department; give ids with commas between them, or '*' for all", param, ctx)
        if "*" in ids:
            self.fail("'*' means all departments already; give either '*' or ids", param, ctx)
        return ids

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The configured departments for the id behind the last comma."""
        del param
        before, comma, begun = incomplete.rpartition(",")
        given = before.split(",")
        return _items(
            f"{before}{comma}{one}" for one in configured_departments(ctx) if one.startswith(begun) and one not in given
        )


def configured_departments(ctx: click.Context) -> list[str]:
    """The departments' ids in the configuration file; none where it cannot be read."""
    path = Path(ctx.params.get("config") or DEFAULT_CONFIG)
    import tomllib

    try:
        tables = tomllib.loads(path.read_text()).get("departments")
    except (OSError, ValueError):  # a fault in the file, or another encoding
        return []
    departments = tables if isinstance(tables, list) else []
    return [str(one["id"]) for one in departments if isinstance(one, dict) and "id" in one]


def _items(words: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(word) for word in words]
