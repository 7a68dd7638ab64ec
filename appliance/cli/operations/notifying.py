"""The shell verbs about notifications: how the channels fare, and a test of one."""

import json
from collections.abc import Iterator
from typing import Any

import click

from appliance.cli.options import Paths, connected_client, json_option, with_paths
from appliance.cli.shell import fail
from appliance.cli.wording import time_text


@click.group()
def notify() -> None:
    """Show or test the channels by which people are told who are not connected."""


@notify.command("list")
@with_paths
@json_option
def list_channels(paths: Paths, as_json: bool) -> None:
    """List the channels: when each delivered last, what waits, and what is wrong."""
    with connected_client(paths) as client:
        channels = client.call("notification:list")["channels"]
    click.echo(json.dumps(channels) if as_json else "\n".join(_lines(channels)))


@notify.command("test")
@with_paths
@click.argument("channel", metavar="NAME")
@json_option
def try_channel(paths: Paths, channel: str, as_json: bool) -> None:
    """Send a message that says it is a test to the channel NAME, and wait for the receiver."""
    with connected_client(paths) as client:
        found = client.call("notification:test", {"channel": channel})
    if not found["delivered"]:
        fail(f"the channel {channel} delivers nothing: {found['fault']}")
    click.echo(json.dumps({"delivered": True}) if as_json else f"the receiver of {channel} has taken the message")


def _lines(channels: list[dict[str, Any]]) -> Iterator[str]:
    if not channels:
        yield "no channels; see [notifications] in the documentation of the configuration"
    for one in channels:
        latest = f"delivered last at {time_text(one['deliveredAt'])}" if "deliveredAt" in one else "never delivered"
        yield f"{one['channel']}: {one['kind']} to {one['target']}"
        yield f"  {latest}; {one['waiting']} wait, {one['givenUp']} were given up"
        if "fault" in one:
            yield f"  since {time_text(one['faultAt'])}: {one['fault']}"
