"""The shell verbs. Each is short: it reads its words, asks the service or starts it, and prints.

Whatever is not needed to answer `--help` is imported inside the verb that needs it: the packages under the service take
half a second to import, and more on a Pi.
"""

import json
import os
import sys
import warnings

import click

from appliance.cli import access as cli_access
from appliance.cli import blocking as cli_blocks
from appliance.cli import config_file as cli_config
from appliance.cli.options import EXIT_FAILED, Paths, certificate, connected_client, server_section
from appliance.cli.options import explained_failures as _told
from appliance.cli.options import fail as _fail
from appliance.cli.options import with_paths as _placed


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="appliance")
def main() -> None:
    """Department-network appliance: meters, quotas, blocks and detection, live on dashboards.

    Without --config, $APPLIANCE_CONFIG or else /etc/appliance/appliance.toml is read. Exit codes: 0 done, 1 failed,
    2 wrong usage.
    """


@main.command()
@_placed
@click.option("--simulate", is_flag=True, help="Run on a whole fake machine; says so on every surface.")
def run(place: Paths, simulate: bool) -> None:
    """Run the service in the foreground."""
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # spares 7 MB and 0.2 s; it must be set before eventlet is imported
    # Eventlet is a part of what the appliance is made of; that its authors advise against it helps no operator.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    from appliance.service.machines import CannotStart
    from appliance.service.starting import run as run_service

    with _told():
        try:
            sys.exit(run_service(place.config, place.state_dir, simulate=simulate))
        except CannotStart as reason:
            _fail(str(reason))


@main.command()
@_placed
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--count", type=click.IntRange(min=1), help="End after so many events.")
def watch(place: Paths, events: tuple[str, ...], as_json: bool, count: int | None) -> None:
    """Show events as they come: all of them, or only those named (usage:update, quota:alert, ...)."""
    from appliance.cli.event_lines import Watch

    with connected_client(place) as client:
        watching = Watch(client, events, as_json)
        for line in watching.lines(count):
            click.echo(line)


@main.command()
@_placed
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def status(place: Paths, as_json: bool) -> None:
    """Show how the appliance and its departments are."""
    from appliance.cli.tables import status_of, status_text

    with connected_client(place) as client:
        found = status_of(client) | _seal(place)
        click.echo(json.dumps(found) if as_json else status_text(found))


def _seal(place: Paths) -> dict[str, str]:
    """The fingerprint to compare with what a browser shows; nothing where the service speaks HTTP."""
    from appliance.server.http.pinning import fingerprint

    found = certificate(server_section(place), place)
    return {"certificate": fingerprint(found)} if found else {}


@main.command()
@_placed
@click.argument("department", required=False)
@click.option(
    "--history",
    "step",
    type=click.Choice(["minute", "5min", "hour", "day", "month"]),
    help="Instead, the latest of these.",
)
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def quota(place: Paths, department: str | None, step: str | None, as_json: bool) -> None:
    """Show the books of a department, or of all; or what passed in each of the latest minutes, hours, days, ..."""
    from datetime import UTC, datetime

    from appliance.cli.tables import books_of, books_text, history_of, history_text

    with connected_client(place) as client:
        found = history_of(client, department, step, datetime.now(UTC)) if step else books_of(client, department)
        shown = history_text(found) if step else books_text(found)
        click.echo(json.dumps(found) if as_json else shown)


@main.command()
@_placed
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--duration", type=click.IntRange(60, 86400), default=3600, show_default=True, help="Seconds.")
@click.option("--impact", default="System is in read-only mode", show_default=True, help="A sentence for the users.")
def maintenance(place: Paths, action: str, duration: int, impact: str) -> None:
    """Start or stop the read-only mode, or tell whether it is on."""
    from appliance.cli.tables import maintenance_text

    with connected_client(place) as client:
        if action == "start":
            told = client.call("maintenance:start", {"duration": duration, "impact": impact})["maintenance"]
        elif action == "stop":
            told = client.call("maintenance:stop")["maintenance"]
        else:
            told = None
        click.echo(maintenance_text(client, told))


@main.command()
@_placed
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def doctor(place: Paths, as_json: bool) -> None:
    """Look for what would keep the appliance from its work, and say how to mend it."""
    from appliance.service.doctor import examine, report

    findings = examine(place.config, place.state_dir)
    click.echo(json.dumps([one.as_dict() for one in findings]) if as_json else report(findings))
    sys.exit(EXIT_FAILED if any(one.is_fatal for one in findings) else 0)


for verb in (*cli_access.VERBS, *cli_blocks.VERBS, *cli_config.VERBS):
    main.add_command(verb)
