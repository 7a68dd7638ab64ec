"""The shell verbs about blocks: block and unblock one or many, show imported lists, release and restore everything."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from appliance.cli import options, restored
from appliance.cli.options import Paths, connected_client, explained_failures, json_option, with_paths
from appliance.cli.parameters import DepartmentId, Duration
from appliance.cli.shell import fail, note

AT_ONCE = 5000  # targets of one call, which is one transaction: as many as the service accepts

file_option = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A list instead of an address, in any of the usual forms.",
)


@click.command()
@with_paths
@click.argument("address", required=False)
@file_option
@click.option(
    "--duration",
    type=Duration(0),
    default="0",
    show_default=True,
    help="How long, such as 90, 30m, 2h or 1d; 0: until unblocked.",
)
@click.option("--reason", default="blocked by hand", show_default=True)
@click.option("--department", type=DepartmentId(), help="Only in this department; without it, in all.")
@json_option
def block(
    paths: Paths,
    address: str | None,
    file: Path | None,
    duration: int,
    reason: str,
    department: str | None,
    as_json: bool,
) -> None:
    """Block an address, a prefix, a MAC address or a domain name; or every entry of a list."""
    arguments = {"duration": duration, "reason": reason, "departmentId": department or None}
    found = _send(paths, "ip:block", arguments, _calls(address, file))
    note = "" if found.get("enforced", True) else " (saved and published only: this position cannot enforce it)"
    what = address or f"{found['count']} targets"
    text = f"blocked {what} for {department or 'all departments'}{note}"
    click.echo(json.dumps(found) if as_json else text)


@click.command()
@with_paths
@click.argument("address", required=False)
@file_option
@click.option("--department", type=DepartmentId(), help="The block of this department; without it, the one for all.")
@click.option("--origin", help="Only blocks of this origin, such as manual or list:NAME; without it, of every origin.")
@json_option
def unblock(
    paths: Paths, address: str | None, file: Path | None, department: str | None, origin: str | None, as_json: bool
) -> None:
    """Lift a block; or those of every entry of a list."""
    arguments = {"departmentId": department or None, "origin": origin or None}
    found = _send(paths, "ip:unblock", arguments, _calls(address, file))
    what = address or f"{found['count']} blocks"
    click.echo(json.dumps(found) if as_json else f"unblocked {what}")


@click.command()
@with_paths
@json_option
def lists(paths: Paths, as_json: bool) -> None:
    """Show the imported lists: their entries, age and faults."""
    from appliance.cli.tables import lists_text

    with connected_client(paths) as client:
        found = client.call("list:get")["lists"]
    click.echo(json.dumps(found) if as_json else lists_text(found))


@click.command()
@with_paths
@json_option
def release(paths: Paths, as_json: bool) -> None:
    """Open everything: stop the service, and remove its rules from the kernel.

    Blocks and quotas stay in the state directory and are in force again after the next start. Without a running
    service, this needs root. Run it before an uninstall.
    """
    from appliance.client import CallFailed
    from appliance.service.releasing import release_kernel, wait_for_end

    removed: Sequence[str] = ()
    with explained_failures():
        try:
            with options.connection(paths) as client:
                client.call("firewall:release")
        except CallFailed as failure:
            note(f"{options.explanation(failure, paths)}; removing the rules from here")
            removed, trouble = release_kernel()
            if trouble is not None:
                fail(trouble)
            done = f"removed: {', '.join(removed) or 'nothing was there'}"
        else:
            server = options.server_section(paths)
            if not wait_for_end(server.host, server.port):
                fail("the service does not stop; kill it, and run this again")
            done = "the service has stopped"
    text = f"{done}\nreleased: nothing is metered, held or blocked any more"
    click.echo(json.dumps({"removed": list(removed)}) if as_json else text)


@click.command()
@with_paths
@json_option
def restore(paths: Paths, as_json: bool) -> None:
    """Put the saved blocks in force, and exit: for a boot, before the network forwards."""
    with explained_failures():
        found = restored(paths.config, paths.state_dir)
    click.echo(json.dumps({"result": found}) if as_json else found)


def _calls(address: str | None, file: Path | None) -> list[dict[str, Any]]:
    """The argument of each call: for the address, or for a piece of the list's entries; its faults are printed."""
    if (address is None) == (file is None):
        raise click.UsageError("give either ADDRESS or --file LIST")
    if file is None:
        return [{"address": address}]
    from appliance.core.blocking.lists.list_contents import LARGEST_BYTES
    from appliance.core.blocking.lists.parser import parse_list

    with file.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        fail(f"{file}: larger than {LARGEST_BYTES >> 20} MiB; split it")
    contents = parse_list(content)
    if contents.trouble is not None:
        fail(f"{file}: {contents.trouble}")
    for fault in contents.faults:
        note(f"{file}:{fault.line}: {fault.text}: {fault.why}")
    if contents.fault_count > len(contents.faults):
        note(f"{file}: {contents.fault_count - len(contents.faults)} more lines of this kind")
    if not contents.targets:
        fail(f"{file}: no entry can be blocked")
    targets = list(contents.targets)
    return [{"addresses": targets[start : start + AT_ONCE]} for start in range(0, len(targets), AT_ONCE)]


def _send(paths: Paths, event: str, arguments: dict[str, Any], calls: list[dict[str, Any]]) -> dict[str, Any]:
    """Make the calls; returns the `count` of targets, and `enforced` where it is false for one of them."""
    given = {key: value for key, value in arguments.items() if value is not None}
    count, enforced, total = 0, True, sum(len(one.get("addresses", ())) for one in calls)
    with connected_client(paths) as client:
        for number, targets in enumerate(calls, 1):
            answer = client.call(event, given | targets)
            count += answer["count"] if "addresses" in targets else 1
            enforced = enforced and answer.get("block", answer).get("enforced", True)
            if len(calls) > 1:
                note(f"{min(number * AT_ONCE, total)} of {total}")
    return {"count": count} | ({} if enforced else {"enforced": False})
