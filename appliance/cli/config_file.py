"""The shell verbs about the configuration: check a file, try one, and confirm the one on trial."""

import sys
from pathlib import Path

import click

from appliance.cli import options
from appliance.cli.options import Paths, connected_client, explained_failures, with_paths

STARTED_WITHIN_S = 30.0  # a Pi needs ten to import everything


@click.command("check-config")
@with_paths
def check_config(paths: Paths) -> None:
    """Check the configuration, and list all its faults; on the appliance also what keeps it from working there."""
    from appliance.config import load
    from appliance.core.operations.setup import Effect
    from appliance.service.setup_check import check_setup

    if paths.config is None:
        raise click.UsageError(f"give --config FILE or set APPLIANCE_CONFIG; there is no {options.DEFAULT_CONFIG}")
    with explained_failures():
        config = load(paths.config)
        names = ", ".join(f"{one.id} on {one.interface}" for one in config.departments)
        report = check_setup(config)
        stops = [one for one in report.faults if one[1].effect is Effect.STOPS]
        verdict = "has no fault, but cannot work here" if stops else "good"
        click.echo(f"{paths.config}: {verdict}: {config.position}, {len(config.departments)} department(s): {names}")
    for department, fault in report.faults:
        click.echo(f"{department}: {fault.text}; {fault.advice}", err=fault.effect is Effect.STOPS)
    for sentence in report.unchecked:
        click.echo(sentence)
    if stops:
        sys.exit(options.EXIT_FAILED)


@click.command()
@with_paths
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(paths: Paths, file: Path) -> None:
    """Try another configuration for two minutes; without `appliance confirm` the former comes back by itself.

    The service restarts with FILE. Only a confirmation copies it to the configuration file: by `appliance confirm`, a
    client's config:confirm or a short press of the button. A power cut before that undoes it.
    """
    from appliance.cli.tables import wait_for_trial
    from appliance.config import load

    with explained_failures():
        load(file)  # so that its faults are reported with this file's name
    with connected_client(paths) as client:
        client.call("config:apply", {"text": file.read_text()})
    remaining_s = wait_for_trial(lambda: options.connection(paths), STARTED_WITHIN_S)
    if remaining_s is None:
        options.fail(
            "the new configuration did not start, and the former is in force again; the service's log says why"
        )
    click.echo(f"on trial for {remaining_s} s: check that all is well, then run: appliance confirm")


@click.command()
@with_paths
def confirm(paths: Paths) -> None:
    """Keep the configuration that is on trial."""
    with connected_client(paths) as client:
        client.call("config:confirm")
        click.echo("confirmed: this is the configuration from now on")


VERBS = (check_config, apply, confirm)
