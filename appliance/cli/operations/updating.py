"""The shell verb that updates the image: by the running service, and where none answers, without it."""

import json
from collections.abc import Callable, Iterator
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
    from appliance.service.updating.unserved import UnservedUpdates

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
                found = _updated(_Served(client), paths, source, restart)
        except CallFailed as failure:
            unserved = _unserved(paths)
            if failure.code is not None or unserved is None:
                fail(options.explanation(failure, paths), failure.code)
            note("no service answers; this is done without it")
            found = _updated(unserved, paths, source, restart)
    click.echo(json.dumps(found) if as_json else "\n".join(_lines(found)))


class _Served:
    """The updates, by the running service."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def shown(self) -> dict[str, Any]:
        found = self._client.call("update:get")
        return {key: value for key, value in found.items() if key != "success"}

    def start(self, url: str) -> None:
        self._client.call("update:start", {"url": url} if url else None)

    def restart(self) -> None:
        self._client.call("update:restart")


def _unserved(paths: Paths) -> "UnservedUpdates | None":
    from appliance.service.updating.unserved import UnservedUpdates

    found = UnservedUpdates(paths.state_dir)
    return found if found.is_possible else None


def _updated(updates: "_Served | UnservedUpdates", paths: Paths, source: str | None, restart: bool) -> dict[str, Any]:
    found = updates.shown()
    if source is not None:
        if found["obstacle"]:
            fail(found["obstacle"])
        former = found["update"]
        if former and former["state"] in UNDER_WAY:
            fail(f"an update is under way already: {update_sentence(former)}")
        with _laid(paths, source) as url:
            updates.start(url)
            found = _follow(updates.shown, former)
    if restart:
        updates.restart()
    return found | {"restarting": restart}


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


def _follow(look: Callable[[], dict[str, Any]], former: dict[str, Any] | None) -> dict[str, Any]:
    """Wait until the update is installed, and say how far it is; fail with its reason."""
    deadline_s, said = monotonic() + BEGINS_WITHIN_S, ""
    while True:
        found = look()
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
