"""The shell verbs about blocks: to block and unblock one or many, to look at imported lists, to open everything."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from appliance.cli.options import (
    Paths,
    connected_client,
    connection,
    explained_failures,
    fail,
    server_section,
    with_paths,
)

AT_ONCE = 5000  # targets of one call, which is one transaction: as many as the service takes

file_option = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A list instead of an address: plain, hosts file, CSV, JSON lines or nftables.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="For a program.")


@click.command()
@with_paths
@click.argument("address", required=False)
@file_option
@click.option("--duration", type=click.IntRange(min=0), default=0, show_default=True, help="Seconds; 0: until lifted.")
@click.option("--reason", default="blocked by hand", show_default=True)
@click.option("--department", help="Only for this department; else for all.")
@json_option
def block(
    place: Paths,
    address: str | None,
    file: Path | None,
    duration: int,
    reason: str,
    department: str | None,
    as_json: bool,
) -> None:
    """Block an address, a prefix, a MAC address or a domain name; or all that a list holds."""
    asked = {"duration": duration, "reason": reason} | ({"departmentId": department} if department else {})
    targets = _targets(address, file)
    where = department or "all departments"

    def text(count: int, enforced: bool) -> str:
        note = "" if enforced else " (kept and told; this position cannot enforce it)"
        return f"blocked {address or f'{count} targets'} for {where}{note}"

    _ask(place, "ip:block", asked, targets, text, as_json)


@click.command()
@with_paths
@click.argument("address", required=False)
@file_option
@click.option("--department", help="The block of this department; else the one for all.")
@click.option("--origin", help="Only what this origin blocks, such as manual or list:NAME; else every one.")
@json_option
def unblock(
    place: Paths, address: str | None, file: Path | None, department: str | None, origin: str | None, as_json: bool
) -> None:
    """Lift a block; or those of all that a list holds."""
    asked = ({"departmentId": department} if department else {}) | ({"origin": origin} if origin else {})
    targets = _targets(address, file)
    _ask(place, "ip:unblock", asked, targets, lambda count, _: f"unblocked {address or f'{count} blocks'}", as_json)


@click.command()
@with_paths
@json_option
def lists(place: Paths, as_json: bool) -> None:
    """Show the imported lists: how many entries, how old, and what is wrong with them."""
    from appliance.cli.tables import lists_text

    with connected_client(place) as client:
        found = client.call("list:get")["lists"]
        click.echo(json.dumps(found) if as_json else lists_text(found))


@click.command()
@with_paths
def release(place: Paths) -> None:
    """Open everything: stop the service, and take all that it holds out of the kernel.

    What is wanted stays in the state directory and is held again at the next start. Without a service that runs, this
    takes root. To be run before an uninstall.
    """
    from appliance.client import CallFailed
    from appliance.service.releasing import release_kernel, wait_for_end

    with explained_failures():
        try:
            with connection(place) as client:
                client.call("firewall:release")
        except CallFailed as failure:
            click.echo(f"{failure}; opening the kernel from here", err=True)
            removed, trouble = release_kernel()
            if trouble is not None:
                fail(trouble)
            click.echo(f"removed: {', '.join(removed) or 'nothing was there'}")
        else:
            server = server_section(place)
            if not wait_for_end(server.host, server.port):
                fail("the service does not stop; end it, and run this again")
            click.echo("the service has stopped")
    click.echo("released: nothing is metered, held or blocked any more")


@click.command()
@with_paths
def restore(place: Paths) -> None:
    """Put in force what is blocked, and end: for a boot, before the network forwards."""
    from appliance.service.machines import CannotStart
    from appliance.service.restoring import restore as put_in_force

    with explained_failures():
        try:
            click.echo(put_in_force(place.config, place.state_dir))
        except CannotStart as reason:
            fail(str(reason))


def _targets(address: str | None, file: Path | None) -> list[str] | None:
    """What a list holds, its faults told; `None` for one address."""
    if (address is None) == (file is None):
        raise click.UsageError("give either ADDRESS or --file LIST")
    if file is None:
        return None
    from appliance.core.blocking.lists.parser import LARGEST_BYTES, parse_list

    with file.open("rb") as opened:
        content = opened.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        fail(f"{file}: larger than {LARGEST_BYTES >> 20} MiB; split it")
    contents = parse_list(content)
    for fault in contents.faults:
        click.echo(f"{file}:{fault.line}: passed over: {fault.text}: {fault.why}", err=True)
    if contents.fault_count > len(contents.faults):
        click.echo(f"{file}: {contents.fault_count - len(contents.faults)} more lines passed over", err=True)
    if not contents.targets:
        fail(f"{file}: holds nothing that can be blocked")
    return list(contents.targets)


def _ask(
    place: Paths,
    event: str,
    asked: dict[str, Any],
    targets: Sequence[str] | None,
    text: Callable[[int, bool], str],
    as_json: bool,
) -> None:
    """Ask for one address (the context's) or for many, and tell what came of it."""
    with connected_client(place) as client:
        if targets is None:
            answer = client.call(event, asked | {"address": click.get_current_context().params["address"]})
            count, enforced = 1, answer.get("block", {}).get("enforced", True)
        else:
            count, enforced = 0, True
            for piece in _pieces(targets):
                answer = client.call(event, asked | {"addresses": piece})
                count, enforced = count + answer["count"], enforced and answer.get("enforced", True)
        found = {"count": count} | ({} if enforced else {"enforced": False})
        click.echo(json.dumps(found) if as_json else text(count, enforced))


def _pieces(targets: Sequence[str]) -> Iterator[list[str]]:
    """What goes into one call each; where there are many, how far it has come is told."""
    for start in range(0, len(targets), AT_ONCE):
        yield list(targets[start : start + AT_ONCE])
        if len(targets) > AT_ONCE:
            click.echo(f"{min(start + AT_ONCE, len(targets))} of {len(targets)}", err=True)


VERBS = (block, unblock, lists, release, restore)
