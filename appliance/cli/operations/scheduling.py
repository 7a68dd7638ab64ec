"""The shell verbs of schedules: what is blocked, let pass or not limited in a part of the week, or once for a while."""

import json
from typing import Any

import click

from appliance.cli.options import Paths, connected_client, json_option, with_paths
from appliance.cli.parameters import DepartmentId, Duration
from appliance.cli.wording import time_text

LEAST_S, MOST_S = 60, 604_800  # the service's bounds


@click.group()
def schedule() -> None:
    """Block, allow or stop limiting in a part of the week, or once for a while."""


@schedule.command("list")
@with_paths
@json_option
def list_schedules(paths: Paths, as_json: bool) -> None:
    """List the schedules: what they do, when, and whether they are in force."""
    with connected_client(paths) as client:
        found = client.call("schedule:list")
    lines = [line for one in found["schedules"] for line in _lines(one, found["timezone"])]
    click.echo(json.dumps(found["schedules"]) if as_json else "\n".join(lines) or "no schedules")


@schedule.command("add")
@with_paths
@click.argument("effect", type=click.Choice(["block", "allow", "unlimited"]))
@click.argument("address", required=False)
@click.option("--department", type=DepartmentId(), help="For this department; without it, for all.")
@click.option("--window", metavar="FROM-TO", help="From when to when by the appliance's clock, such as 22:00-06:00.")
@click.option("--days", metavar="DAYS", help="On which days the window begins, such as sun,mon,tue,wed,thu.")
@click.option("--duration", type=Duration(LEAST_S, MOST_S), help="Once, from now on, for so long, such as 30m.")
@click.option("--reason", help="A sentence for people, in events and in the list.")
@json_option
def add_schedule(paths: Paths, as_json: bool, days: str | None, department: str | None, **given: str | int) -> None:
    """Block ADDRESS in a window, allow it (its blocks pause), or let quotas count without limiting.

    Unlimited is of a department with its hosts, or of the host at ADDRESS.
    """
    argument: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    argument |= {} if days is None else {"days": [one.strip().lower() for one in days.split(",")]}
    argument |= {} if department is None else {"departmentId": department}
    with connected_client(paths) as client:
        found = client.call("schedule:add", argument)["schedule"]
    click.echo(json.dumps(found) if as_json else f"added {found['id']}: {_state(found)}")


@schedule.command("remove")
@with_paths
@click.argument("name", metavar="ID")
@json_option
def remove_schedule(paths: Paths, as_json: bool, name: str) -> None:
    """Remove the schedule ID, as the list shows it; what it did ends at once."""
    with connected_client(paths) as client:
        client.call("schedule:remove", {"id": name})
    click.echo(json.dumps({"removed": name}) if as_json else f"removed {name}")


def _lines(one: dict[str, Any], zone: str) -> list[str]:
    what = " ".join(filter(None, [one["effect"], one["address"]]))
    where = one["departmentId"] or "all departments"
    when = f"{one['window']} on {','.join(one['days'])} ({zone})" if "window" in one else "once"
    return [f"{one['id']}: {what} in {where}, {when}", f"  {_state(one)}; {one['reason']} ({one['actor']})"]


def _state(one: dict[str, Any]) -> str:
    if "endsAt" in one:
        return f"in force until {time_text(one['endsAt'])}"
    if "beginsAt" in one:
        return f"begins at {time_text(one['beginsAt'])}"
    return "waits for the time to be known"
