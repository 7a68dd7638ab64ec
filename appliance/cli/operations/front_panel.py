"""The shell verbs of the panel: they press its button, and test its LEDs."""

import json

import click

from appliance.cli.options import Paths, connected_client, json_option, with_paths


@click.group()
def panel() -> None:
    """Press the button of the panel from here, or test its LEDs."""


@panel.command()
@with_paths
@click.option("--hold", is_flag=True, help="Hold it, which begins or ends maintenance.")
@json_option
def press(paths: Paths, hold: bool, as_json: bool) -> None:
    """Do what a press of the button does: confirm a configuration on trial, or let the next person pair."""
    with connected_client(paths) as client:
        found = client.call("panel:press", {"kind": "held" if hold else "short"})
    done = "it is done" if found["done"] else "nothing waited for it"
    click.echo(json.dumps({"done": found["done"]}) if as_json else done)


@panel.command()
@with_paths
@json_option
def test(paths: Paths, as_json: bool) -> None:
    """Play every rhythm on all LEDs, one after the other."""
    with connected_client(paths) as client:
        found = client.call("panel:test")
    text = f"all LEDs play every rhythm, for {found['duration']:.0f} s"
    click.echo(json.dumps({"duration": found["duration"]}) if as_json else text)
