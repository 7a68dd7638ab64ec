"""The shell verb of the factory reset."""

import json
import socket

import click

from appliance.cli import options
from appliance.cli.options import Paths, explained_failures, json_option, with_paths
from appliance.cli.shell import fail


@click.command()
@with_paths
@click.option("--name", help="The name of this computer, as a confirmation; else it is asked for.")
@json_option
def reset(paths: Paths, name: str | None, as_json: bool) -> None:
    """Forget everything: state, people, secrets, history and configuration; it opens all that is blocked.

    A backup is the only way back. A running service starts again as a new appliance, and shows a pairing code.
    """
    from appliance.client import CallFailed
    from appliance.service.backup.factory_reset import reset_now

    host = socket.gethostname()
    asked = f"This erases everything in {paths.state_dir}, and the configuration. Type {host} to go on"
    if (name or click.prompt(asked, err=True)) != host:
        fail(f"that is not the name of this computer, {host}; nothing is reset")
    with explained_failures():
        try:
            with options.connection(paths) as client:
                client.call("system:reset", {"name": host})
            done = "the service forgets everything, and starts as a new appliance"
        except CallFailed as failure:
            if failure.code is not None:
                fail(options.explanation(failure, paths), failure.code)
            erased = reset_now(paths.state_dir, paths.config)
            done = f"{erased.files} files, {erased.bytes} bytes are erased"
    click.echo(json.dumps({"result": done}) if as_json else done)
