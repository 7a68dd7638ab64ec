"""The shell verbs about the configuration: check a file, try one, and confirm or take back the one on trial."""

import json
import sys
from pathlib import Path

import click

from appliance.cli import options
from appliance.cli.options import Paths, connected_client, explained_failures, json_option, with_paths
from appliance.cli.shell import EXIT_FAILED, fail
from appliance.core.duration import duration_text

ELSEWHERE = "If the file has another host, port or tls than the service that runs: sudo systemctl reload appliance"
STARTED_WITHIN_S = 30.0  # a Pi needs ten to import everything


@click.command()
@with_paths
@click.option("--force", is_flag=True, help="Replace a configuration that is there.")
@json_option
def init(paths: Paths, force: bool, as_json: bool) -> None:
    """Write a first configuration for this computer, with comments.

    It looks for a bridge, the default route and what else there is, chooses the position, and asks nothing. Read what
    it has chosen, and change what you know better.
    """
    from appliance.service.machines import write_first_config

    path = paths.config or options.DEFAULT_CONFIG
    with explained_failures():
        made = write_first_config(path, replace=force)
    facts = {"file": str(path), "position": made.position, "interfaces": made.interfaces, "why": made.why}
    text = f"{path}: written: {made.position} at {', '.join(made.interfaces)}, because {made.why}"
    click.echo(json.dumps(facts) if as_json else text)


@click.command("check-config")
@with_paths
@json_option
def check_config(paths: Paths, as_json: bool) -> None:
    """Check the configuration, and list all its faults; on the appliance also what keeps it from working there."""
    from appliance.config import load
    from appliance.config.remarks import remarks
    from appliance.service.setup_check import check_setup

    if paths.config is None:
        raise click.UsageError(f"give --config FILE or set APPLIANCE_CONFIG; there is no {options.DEFAULT_CONFIG}")
    with explained_failures():
        config = load(paths.config)
        report = check_setup(config)
    departments = {one.id: one.interface for one in config.departments}
    names = ", ".join(f"{one} on {interface}" for one, interface in departments.items())
    noted = [*remarks(config), *report.hints, *report.unchecked]
    verdict = "has no fault, but cannot work here" if report.stops else "good"
    title = f"{paths.config}: {verdict}: {config.position}, {len(departments)} department(s): {names}"
    text = "\n".join([title, *report.stops, *(f"note: {one}" for one in noted)])
    facts = {"file": str(paths.config), "position": config.position, "departments": departments, "notes": noted}
    click.echo(json.dumps(facts | {"faults": report.stops}) if as_json else text)
    if report.stops:
        sys.exit(EXIT_FAILED)


@click.command()
@with_paths
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def apply(paths: Paths, file: Path, as_json: bool) -> None:
    """Try another configuration for two minutes; without `appliance confirm` the former comes back by itself.

    The service restarts with FILE. Only a confirmation copies it to the configuration file: by `appliance confirm`, a
    client's config:confirm or a short press of the button. A power cut before that undoes it.
    """
    from appliance.cli.tables import wait_for_trial
    from appliance.config import load_text

    with explained_failures():
        text = load_text(file)  # so that its faults are reported with this file's name
    with connected_client(paths) as client:
        client.call("config:apply", {"text": text})
    remaining_s = wait_for_trial(lambda: options.connection(paths), STARTED_WITHIN_S)
    if remaining_s is None:
        fail("the new configuration did not start, and the former is in force again; the service's log says why")
    text = f"on trial for {duration_text(remaining_s)}: check that all is well, then run: appliance confirm"
    click.echo(json.dumps({"remaining": remaining_s}) if as_json else text)


@click.command()
@with_paths
@json_option
def confirm(paths: Paths, as_json: bool) -> None:
    """Keep the configuration that is on trial."""
    with connected_client(paths) as client:
        client.call("config:confirm")
    text = "confirmed: this is the configuration from now on"
    click.echo(json.dumps({"confirmed": True}) if as_json else text)


@click.command()
@with_paths
@json_option
def revert(paths: Paths, as_json: bool) -> None:
    """Take back the configuration that is on trial: the service starts again with the former one at once."""
    with connected_client(paths) as client:
        client.call("config:revert")
    text = "taken back: the service starts again with the former configuration"
    click.echo(json.dumps({"reverted": True}) if as_json else text)


@click.command()
@with_paths
@json_option
def reload(paths: Paths, as_json: bool) -> None:
    """Take what the configuration file has now, or refuse it whole, with all its faults.

    The service replaces itself by one that runs it, within seconds; the kernel meters and blocks meanwhile. To try a
    change for two minutes first, use `appliance apply`.
    """
    from appliance.cli.tables import wait_for_service
    from appliance.client import CallFailed

    with explained_failures():
        try:
            with options.connection(paths) as client:
                found = client.call("config:reload")["changes"]
        except CallFailed as failure:
            text = options.explanation(failure, paths)
            fail(text if failure.code else f"{text}. {ELSEWHERE}", failure.code)
    if found and not wait_for_service(lambda: options.connection(paths), STARTED_WITHIN_S):
        fail("the service has not come back with the new configuration yet; its log says why")
    text = "\n".join(["in force, with these changes:", *found]) if found else "nothing has changed in the file"
    click.echo(json.dumps({"changes": found}) if as_json else text)
