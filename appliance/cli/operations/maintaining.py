"""The shell verb of maintenance: it begins, plans, extends, ends and shows the read-only mode."""

import json
from datetime import datetime

import click

from appliance.cli.event_lines import Payload
from appliance.cli.options import Paths, connected_client, json_option, with_paths
from appliance.cli.parameters import Duration

LONGEST_S, SHORTEST_S = 86_400, 60  # the service's bounds
IMPACT = "System is in read-only mode"
TIME_FORMATS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")
# The options that each action takes; another one would be ignored, and a person would not know.
TAKES = {
    "start": {"duration", "impact", "at", "repeat"},
    "extend": {"duration", "name"},
    "stop": {"name"},
    "status": set[str](),
}


@click.command()
@with_paths
@click.argument("action", type=click.Choice([*TAKES]))
@click.option(
    "--duration",
    type=Duration(SHORTEST_S, LONGEST_S),
    default="1h",
    show_default=True,
    help="How long, or how much longer, such as 90, 30m or 2h.",
)
@click.option("--impact", default=IMPACT, show_default=True, help="A sentence for dashboard users.")
@click.option("--at", type=click.DateTime(TIME_FORMATS), help="Announce it for this time; without it, it begins now.")
@click.option(
    "--repeat", type=click.Choice(["daily", "weekly", "monthly"]), help="Plan it again and again, from --at on."
)
@click.option("--id", "name", metavar="ID", help="Extend or stop this one, as status shows it.")
@json_option
@click.pass_context
def maintenance(context: click.Context, /, paths: Paths, action: str, as_json: bool, **options: object) -> None:
    """Start, plan, extend or stop the read-only mode, or show what runs and what is planned."""
    _require_taken(context, action)
    with connected_client(paths) as client:
        if action == "status":
            from appliance.cli.tables import maintenance_status_of

            found = maintenance_status_of(client)
        else:
            found = {"maintenance": client.call(f"maintenance:{action}", _argument(action, options))["maintenance"]}
    click.echo(json.dumps(found) if as_json else _text(found))


def _require_taken(context: click.Context, action: str) -> None:
    names = {one.name: one.opts[0] for one in context.command.params}
    for option in ("duration", "impact", "at", "repeat", "name"):
        is_given = context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
        if is_given and option not in TAKES[action]:
            raise click.UsageError(f"maintenance {action} takes no {names[option]}", context)


def _argument(action: str, options: dict[str, object]) -> Payload | None:
    """The argument of the call: what was given, under its name on the wire."""
    wire = {"at": "startTime", "name": "id"}
    given = {name: options[name] for name in sorted(TAKES[action]) if options[name] is not None}
    if isinstance(at := given.get("at"), datetime):
        given["at"] = at.astimezone().isoformat()  # a time as the terminal's clock shows it
    return {wire.get(name, name): value for name, value in given.items()} or None


def _text(found: Payload) -> str:
    from appliance.cli.tables import maintenance_text

    return maintenance_text(found["maintenance"], found.get("planned", []))
