"""The shell verb that updates the image: by the running service, and where none answers, by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from appliance.cli import options
from appliance.cli.event_lines import update_sentence
from appliance.cli.options import Paths, explained_failures, json_option, with_paths
from appliance.cli.shell import fail, note

if TYPE_CHECKING:
    from appliance.client import Client
    from appliance.service.updating.updater import Updater

UNDER_WAY = ("fetching", "checking", "installing")
LOOK_S = 1.0
BEGINS_WITHIN_S = 60.0  # the updater is a program of its own, which a Pi starts in some seconds


@click.command()
@with_paths
@click.argument("source", required=False, metavar="[FILE|URL]")
@click.option("--restart", is_flag=True, help="Start the computer again with the version that is installed.")
@json_option
def update(paths: Paths, source: str | None, restart: bool, as_json: bool) -> None:
    """Install a signed bundle, or show which version runs and what the latest update has come to.

    Only a computer that runs from the image has bundles; any other one is updated by deploy/install. FILE or URL is
    checked, and written to the root that does not run. After a restart the new version is on trial: where it does not
    prove itself, the former one comes back. An older bundle is refused. Where no service answers, the bundle is
    installed without it.
    """
    from appliance.client import CallFailed

    with explained_failures():
        try:
            with options.connection(paths) as client:
                found = _by_service(client, paths, source, restart)
        except CallFailed as failure:
            updater = _own_updater(paths) if failure.code is None and (source or restart) else None
            if updater is None:
                fail(options.explanation(failure, paths), failure.code)
            note("no service answers; the update is installed without it")
            found = _by_itself(updater, paths, source, restart)
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))


def _by_service(client: "Client", paths: Paths, source: str | None, restart: bool) -> dict[str, Any]:
    found = client.call("update:get")
    if source is not None:
        if found["obstacle"]:
            fail(found["obstacle"])
        former = found["update"]
        if former and former["state"] in UNDER_WAY:
            fail(f"an update is under way already: {update_sentence(former)}")
        with _laid(paths, source) as url:
            client.call("update:start", {"url": url} if url else None)
            found = _follow(client, former)
    if restart:
        client.call("update:restart")
    return {key: value for key, value in found.items() if key != "success"} | {"restarting": restart}


@contextmanager
def _laid(paths: Paths, source: str) -> Iterator[str]:
    """The URL, or an empty text while the file lies where the updater finds it."""
    from appliance.service.updating.order_folder import order_folder

    if "://" in source:
        yield source
        return
    file = Path(source)
    if not file.is_file():
        raise click.UsageError(f"{source}: there is no such file; give a bundle, or a URL with http:// or https://")
    folder = order_folder(paths.state_dir)
    try:
        folder.lay(file)
    except ValueError as error:
        fail(f"{source}: {error}")
    try:
        yield ""
    finally:
        folder.discard_bundle()


def _follow(client: "Client", former: dict[str, Any] | None) -> dict[str, Any]:
    """Wait until the update is installed, and say how far it is; fail with its reason."""
    deadline_s, said = monotonic() + BEGINS_WITHIN_S, ""
    while True:
        found = client.call("update:get")
        update = found["update"]
        if update is not None and (former is None or update["startedAt"] != former["startedAt"]):
            if (sentence := update_sentence(update)) != said and update["state"] in UNDER_WAY:
                said = sentence
                note(sentence)
            if update["state"] == "failed":
                fail(f"nothing has changed: {update['reason']}")
            if update["state"] not in UNDER_WAY:
                return found
        elif monotonic() > deadline_s:
            fail("the program that installs updates does not begin; journalctl -u appliance-update says why")
        sleep(LOOK_S)


def _own_updater(paths: Paths) -> "Updater | None":
    """The updater of this computer; `None`: it does not run from the image."""
    from appliance.service.updating.updater import updater_of

    try:
        return updater_of(paths.state_dir)
    except ValueError:
        return None


def _by_itself(updater: "Updater", paths: Paths, source: str | None, restart: bool) -> dict[str, Any]:
    from appliance.service.updating.unserved import install_unserved, restart_unserved, shown

    if source is not None:
        with _laid(paths, source) as url:
            reason = install_unserved(updater, paths.state_dir, url, lambda update: note(update_sentence(update)))
        if reason:
            fail(f"nothing has changed: {reason}")
    if restart:
        restart_unserved(updater, paths.state_dir)
    return shown(updater) | {"restarting": restart}


def _lines(found: dict[str, Any]) -> Iterator[str]:
    if found.get("simulated"):
        yield "SIMULATED: nothing here is real"
    if found["root"] is None:
        yield found["obstacle"]
        return
    yield f"version {found['version']} runs in root {found['root']}"
    if found["update"] is not None:
        yield update_sentence(found["update"])
        if found["restarting"]:
            yield "the computer starts again now"
        elif found["update"]["state"] == "installed":
            yield "it takes over at the next start: appliance update --restart"
    if found.get("schedule"):
        schedule = found["schedule"]
        yield f"by itself: between {schedule['begin']} and {schedule['end']}, from {schedule['url']}"


VERBS = (update,)
