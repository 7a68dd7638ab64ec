"""The shell verbs about the configuration: to check one, to try one, and to keep what is on trial."""

from pathlib import Path

import click

from appliance.cli.options import (
    DEFAULT_CONFIG,
    Paths,
    connected_client,
    connection,
    explained_failures,
    fail,
    with_paths,
)

STARTED_WITHIN_S = 30.0  # a Pi imports everything in ten


@click.command("check-config")
@with_paths
def check_config(place: Paths) -> None:
    """Check the configuration and name every fault at once."""
    from appliance.config import load

    if place.config is None:
        raise click.UsageError(f"give --config FILE or set APPLIANCE_CONFIG; there is no {DEFAULT_CONFIG}")
    with explained_failures():
        config = load(place.config)
        names = ", ".join(f"{one.id} on {one.interface}" for one in config.departments)
        click.echo(f"{place.config}: good: {config.position}, {len(config.departments)} department(s): {names}")


@click.command()
@with_paths
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def apply(place: Paths, file: Path) -> None:
    """Try another configuration for two minutes; without `appliance confirm` the former comes back by itself.

    The service starts anew with FILE. It comes to stand in the configuration file only when it is confirmed, by
    `appliance confirm`, a client's config:confirm or a short press of the button; a power cut before that undoes it.
    """
    from appliance.cli.tables import wait_for_trial
    from appliance.config import load

    with explained_failures():
        load(file)  # so that its faults are told with this file's name
    with connected_client(place) as client:
        client.call("config:apply", {"text": file.read_text()})
    remaining_s = wait_for_trial(lambda: connection(place), STARTED_WITHIN_S)
    if remaining_s is None:
        fail("the new configuration did not start, and the former is in force again; the service's log says why")
    click.echo(f"on trial for {remaining_s} s: look whether all is well, then run: appliance confirm")


@click.command()
@with_paths
def confirm(place: Paths) -> None:
    """Keep the configuration that is on trial."""
    with connected_client(place) as client:
        client.call("config:confirm")
        click.echo("confirmed: this is the configuration from now on")


VERBS = (check_config, apply, confirm)
