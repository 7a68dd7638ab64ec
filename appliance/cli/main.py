"""The shell verbs. Each is short: it parses its options, calls the service or starts it, and prints.

A verb imports inside itself what `--help` does not need: the packages under the service take half a second to import,
and more on a Pi.
"""

import json
import os
import sys
import warnings

import click

from appliance.cli import access, blocking, config_file, options
from appliance.cli.options import Paths, connected_client, explained_failures, json_option, with_paths


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="appliance")
def main() -> None:
    """Department-network appliance: meters, quotas, blocks and detection, live on dashboards.

    Without --config, $APPLIANCE_CONFIG or else /etc/appliance/appliance.toml is read. Exit codes: 0 done, 1 failed,
    2 wrong usage.
    """


@main.command()
@with_paths
@click.option("--simulate", is_flag=True, help="Run on a simulated machine; every output says so.")
def run(paths: Paths, simulate: bool) -> None:
    """Run the service in the foreground."""
    os.environ["EVENTLET_NO_GREENDNS"] = "yes"  # saves 7 MB and 0.2 s; must be set before eventlet is imported
    # The appliance is built on eventlet; its authors' advice against new use helps no operator.
    warnings.filterwarnings("ignore", message=r"\s*Eventlet is deprecated")
    from appliance.service.starting import run as run_service

    with explained_failures():
        sys.exit(run_service(paths.config, paths.state_dir, simulate=simulate))


@main.command()
@with_paths
@click.argument("events", nargs=-1, metavar="[EVENT]...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
@click.option("--count", type=click.IntRange(min=1), help="Exit after this many events.")
def watch(paths: Paths, events: tuple[str, ...], as_json: bool, count: int | None) -> None:
    """Show events as they arrive: all, or only the named ones (usage:update, quota:alert, ...)."""
    from appliance.cli.event_lines import Watch

    with connected_client(paths) as client:
        for line in Watch(client, events, as_json).lines(count):
            click.echo(line)


@main.command()
@with_paths
@json_option
def status(paths: Paths, as_json: bool) -> None:
    """Show the state of the appliance and its departments."""
    from appliance.cli.tables import status_of, status_text

    with connected_client(paths) as client:
        found = status_of(client) | _fingerprint(paths)
        click.echo(json.dumps(found) if as_json else status_text(found))


def _fingerprint(paths: Paths) -> dict[str, str]:
    """The certificate's fingerprint, to compare with a browser's; empty where the service speaks HTTP."""
    from appliance.server.http.pinning import fingerprint

    found = options.certificate(options.server_section(paths), paths)
    return {"certificate": fingerprint(found)} if found else {}


@main.command()
@with_paths
@click.argument("department", required=False)
@click.option(
    "--history",
    "step",
    type=click.Choice(["minute", "5min", "hour", "day", "month"]),
    help="Show the traffic of the latest of these instead.",
)
@json_option
def quota(paths: Paths, department: str | None, step: str | None, as_json: bool) -> None:
    """Show the quotas of a department, or of all; or the traffic of the latest minutes, hours, days, ..."""
    from datetime import UTC, datetime

    from appliance.cli.tables import books_of, books_text, history_of, history_text

    with connected_client(paths) as client:
        found = history_of(client, department, step, datetime.now(UTC)) if step else books_of(client, department)
        shown = history_text(found) if step else books_text(found)
        click.echo(json.dumps(found) if as_json else shown)


@main.command()
@with_paths
@click.argument("action", type=click.Choice(["start", "stop", "status"]))
@click.option("--duration", type=click.IntRange(60, 86400), default=3600, show_default=True, help="Seconds.")
@click.option(
    "--impact", default="System is in read-only mode", show_default=True, help="A sentence for dashboard users."
)
def maintenance(paths: Paths, action: str, duration: int, impact: str) -> None:
    """Start or stop the read-only mode, or show whether it is on."""
    from appliance.cli.tables import maintenance_text

    with connected_client(paths) as client:
        argument = {"duration": duration, "impact": impact} if action == "start" else None
        changed = None if action == "status" else client.call(f"maintenance:{action}", argument)["maintenance"]
        click.echo(maintenance_text(client, changed))


@main.command()
@with_paths
@json_option
def doctor(paths: Paths, as_json: bool) -> None:
    """Look for problems that keep the appliance from working, and say how to fix them."""
    from dataclasses import asdict

    from appliance.service.doctor import Verdict, examine, report

    findings = examine(paths.config, paths.state_dir)
    click.echo(json.dumps([asdict(one) for one in findings]) if as_json else report(findings))
    sys.exit(options.EXIT_FAILED if any(one.verdict is Verdict.FATAL for one in findings) else 0)


for verb in (*access.VERBS, *blocking.VERBS, *config_file.VERBS):
    main.add_command(verb)
