"""The shell verbs. Each is short: it parses its options, calls the service or starts it, and prints.

A verb imports inside itself what `--help` does not need: the packages under the service take half a second to import,
and more on a Pi.
"""

import json
from pathlib import Path

import click

from appliance.cli import become_service, options
from appliance.cli.examples import examples_of
from appliance.cli.options import Paths, connected_client, json_option, with_paths
from appliance.cli.parameters import DepartmentId, EventName
from appliance.cli.shell import EXIT_FAILED, Verbs, VerbTable, note, version_text

# Module of this package -> its verbs, beside those below.
VERBS = {
    "access": ("token", "user"),
    "blocking": ("block", "unblock", "lists", "release", "restore"),
    "config_file": ("init", "check-config", "apply", "confirm", "revert", "reload"),
    "operations.maintaining": ("maintenance",),
    "operations.scheduling": ("schedule",),
    "operations.reporting": ("report",),
    "operations.front_panel": ("panel",),
    "operations.notifying": ("notify",),
    "operations.updating": ("update",),
    "operations.backing_up": ("backup",),
    "operations.resetting": ("reset",),
}


def _show_version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        click.echo(f"appliance, version {version_text()}")
        context.exit()


@click.group(
    cls=Verbs,
    commands=VerbTable(VERBS),
    epilog=examples_of(""),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the commit, and exit.",
)
def main() -> None:
    """Department-network appliance: meters, quotas, blocks and detection, live on dashboards.

    Without --config, $APPLIANCE_CONFIG or else /etc/appliance/appliance.toml is read. A duration is a number of
    seconds, or has units: 90, 30m, 2h, 1d, 1h30m. Times are shown in the terminal's time zone, and in JSON in UTC.
    With --json a failure is an object too, on the standard error. Exit codes: 0 done, 1 failed, 2 wrong usage.
    """


@main.command()
@with_paths
@click.option("--simulate", is_flag=True, help="Run on a simulated machine; every output says so.")
@json_option
def run(paths: Paths, simulate: bool, as_json: bool) -> None:
    """Run the service in the foreground."""
    flags = [flag for flag, is_set in (("--simulate", simulate), ("--json", as_json)) if is_set]
    become_service(str(paths.config or ""), str(paths.state_dir), flags)


@main.command()
@with_paths
@click.argument("events", nargs=-1, metavar="[EVENT]...", type=EventName())
@click.option("--count", type=click.IntRange(min=1), help="Exit after this many events.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
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
@click.argument("department", required=False, type=DepartmentId())
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
    shown = history_text if step else books_text
    click.echo(json.dumps(found) if as_json else shown(found))


@main.command()
@with_paths
@click.option(
    "--bundle",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also pack the findings, logs, configuration, kernel state and crash reports into this file, without secrets.",
)
@json_option
def doctor(paths: Paths, bundle: Path | None, as_json: bool) -> None:
    """Look for problems that keep the appliance from working, and say how to fix them."""
    from msgspec.structs import asdict

    from appliance.service.doctor import Verdict, examine, report

    findings = examine(paths.config, paths.state_dir)
    facts = [asdict(one) for one in findings]
    click.echo(json.dumps(facts) if as_json else report(findings))
    if bundle is not None:
        from appliance.service.supervision.support_bundle import write_bundle

        names = write_bundle(bundle.absolute(), paths.config, paths.state_dir, facts)
        note(f"{bundle}: {len(names)} files without secrets; look through it before you send it on")
    is_fatal = any(one.verdict is Verdict.FATAL for one in findings)
    click.get_current_context().exit(EXIT_FAILED if is_fatal else 0)
