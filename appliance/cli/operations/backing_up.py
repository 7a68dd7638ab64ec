"""The shell verbs that back the appliance up and restore it. They work on the files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from appliance.cli.options import DEFAULT_CONFIG, Paths, json_option, with_paths
from appliance.cli.shell import fail, note

Result = TypeVar("Result")

MOST_PASSPHRASE_BYTES = 1024  # one that people can keep is far shorter; the file may be a wrong one
passphrase_option = click.option(
    "--passphrase-file",
    type=click.File("rb"),
    help="Read the passphrase from this file, or from the standard input with '-'; else it is asked for.",
)


@click.group()
def backup() -> None:
    """Back up the configuration and the state into one encrypted file, or restore them from it."""


@backup.command()
@with_paths
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@passphrase_option
@json_option
def create(paths: Paths, file: Path, passphrase_file: Any, as_json: bool) -> None:
    """Write all that the appliance knows to FILE, encrypted with a passphrase. The service goes on meanwhile.

    Keep the passphrase elsewhere: without it nobody can read FILE, and with it anybody can be an administrator.
    """
    from appliance.service.backup.state_backup import back_up

    passphrase = _passphrase(passphrase_file, is_new=True)
    size = _explained(lambda: back_up(paths.config, paths.state_dir, file.absolute(), passphrase))
    text = f"{file}: {size / 1e6:.1f} MB, with the configuration and the state in {paths.state_dir}"
    click.echo(json.dumps({"file": str(file), "bytes": size}) if as_json else text)


@backup.command()
@with_paths
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--replace", is_flag=True, help="Replace configuration and state that are there; they are kept aside.")
@passphrase_option
@json_option
def restore(paths: Paths, file: Path, replace: bool, passphrase_file: Any, as_json: bool) -> None:
    """Put FILE in the place of the configuration and the state, here or on another computer.

    Stop the service before, and start it afterwards. Nothing changes unless all of FILE is whole.
    """
    from appliance.service.backup.restoration import restore_backup

    target = paths.config or DEFAULT_CONFIG
    passphrase = _passphrase(passphrase_file, is_new=False)
    found = _explained(lambda: restore_backup(target, paths.state_dir, file, passphrase, replaces=replace))
    if found.former is not None:
        note(f"what was there before is in {found.former}; delete it when it is not needed any more")
    where = f"the configuration in {found.config_file}, " if found.config_file else ""
    text = f"restored, as {found.host} was at {found.made_at}: {where}the state in {paths.state_dir}; start the service"
    facts = {"madeAt": found.made_at, "version": found.version, "host": found.host, "files": found.files}
    places = {"configFile": _text(found.config_file), "former": _text(found.former)}
    click.echo(json.dumps(facts | places) if as_json else text)


def _text(path: Path | None) -> str | None:
    return str(path) if path else None


def _passphrase(file: Any, *, is_new: bool) -> str:
    if file is None:
        asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True)
        return asked
    content = file.read(MOST_PASSPHRASE_BYTES + 1)
    if len(content) > MOST_PASSPHRASE_BYTES:
        fail(f"{file.name}: a passphrase has at most {MOST_PASSPHRASE_BYTES} bytes")
    try:
        text: str = content.decode()
    except UnicodeDecodeError:
        fail(f"{file.name}: is no text in UTF-8")
    return text.rstrip("\r\n")


def _explained(work: Callable[[], Result]) -> Result:
    from appliance.service.backup.state_backup import BackupFailed

    try:
        return work()
    except BackupFailed as reason:
        fail(str(reason))
