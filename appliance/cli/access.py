"""The shell verbs about tokens and people. They work on the state directory, with or without a running service."""

import json
from typing import Any

import click

from appliance.cli.options import Paths, current_config, explained_failures, json_option, with_paths
from appliance.cli.parameters import Departments, Duration
from appliance.cli.shell import fail

ROLES = click.Choice(["viewer", "operator", "admin"])
departments_option = click.option(
    "--departments", type=Departments(), default="*", show_default=True, help="Comma-separated ids, or '*' for all."
)


@click.group(invoke_without_command=True)
@with_paths
@click.option("--role", type=ROLES, default="viewer", show_default=True)
@departments_option
@click.option("--ttl", type=Duration(1), default="1h", show_default=True, help="Validity, such as 90, 30m, 2h or 365d.")
@click.option("--subject", default="token", show_default=True, help="The holder, as named in the log.")
@json_option
def token(paths: Paths, role: str, departments: frozenset[str] | None, ttl: int, subject: str, as_json: bool) -> None:
    """Print a token for a program or a screen, or list the tokens, or revoke one."""
    if click.get_current_context().invoked_subcommand:
        return
    from appliance.core.access.person import Role, departments_text
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures():
        _require_departments(departments, paths)
        paths.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with offline_people(paths.state_dir) as people:
            try:
                made = people.make_token(Role(role), departments, ttl, subject, operator(), now())
            except ValueError as error:
                raise click.UsageError(str(error)) from None
    facts = {"token": made, "subject": subject, "role": role, "departments": departments_text(departments)}
    click.echo(json.dumps(facts | {"expiresIn": ttl}) if as_json else made)


@token.command("list")
@with_paths
@json_option
def list_tokens(paths: Paths, as_json: bool) -> None:
    """List the tokens that have not expired: issued ones, logins, and used tokens of external issuers."""
    from appliance.server.access.people import token_facts
    from appliance.service.access.offline_access import now, offline_people

    with explained_failures(), offline_people(paths.state_dir) as people:
        facts = [token_facts(token) for token in people.tokens(now())]
    columns = ("id", "subject", "role", "departments", "origin", "expiresAt", "revokedAt")
    _show(facts, columns, as_json)


@token.command()
@with_paths
@click.argument("token_id", metavar="ID")
@json_option
def revoke(paths: Paths, token_id: str, as_json: bool) -> None:
    """Revoke a token; a running service disconnects its holder within a second.

    ID is an id from `appliance token list`, or the token itself.
    """
    from appliance.server.access.tokens import verify
    from appliance.service.access.offline_access import now, offline_people, operator
    from appliance.service.access.own_token import load_secret

    with explained_failures(), offline_people(paths.state_dir) as people:
        is_token = "." in token_id
        known_id = verify(load_secret(paths.state_dir), token_id).id if is_token else token_id
        people.revoke_token(known_id, operator(), now(), is_shown=is_token)
    click.echo(json.dumps({"id": known_id}) if as_json else f"revoked {known_id}")


@click.group()
def user() -> None:
    """Manage the people who log in with a password."""


@user.command()
@with_paths
@click.argument("name")
@click.option("--role", type=ROLES, default="viewer", show_default=True)
@departments_option
@click.password_option(help="Asked for if not given; given here, it stays in the shell's history.")
@json_option
def add(paths: Paths, name: str, role: str, departments: frozenset[str] | None, password: str, as_json: bool) -> None:
    """Add a person. A department head is an operator or viewer with --departments."""
    from appliance.core.access.person import Person, Role, require_name
    from appliance.server.access.people import person_facts
    from appliance.service.access.offline_access import now, offline_people, operator

    person = Person(name, Role(role), departments)
    with explained_failures():
        require_name(name)
        _require_departments(departments, paths)
        paths.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with offline_people(paths.state_dir) as people:
            people.add_person(person, password, operator(), now)
    click.echo(json.dumps(person_facts(person)) if as_json else f"{name} can log in")


@user.command("list")
@with_paths
@json_option
def list_people(paths: Paths, as_json: bool) -> None:
    """List the people who can log in."""
    from appliance.server.access.people import person_facts
    from appliance.service.access.offline_access import offline_people

    with explained_failures(), offline_people(paths.state_dir) as people:
        facts = [person_facts(person) for person in people.people()]
    _show(facts, ("name", "role", "departments"), as_json)


@user.command()
@with_paths
@click.argument("name")
@json_option
def remove(paths: Paths, name: str, as_json: bool) -> None:
    """Remove a person; a running service ends their logins within a second."""
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures(), offline_people(paths.state_dir) as people:
        people.remove_person(name, operator(), now())
    click.echo(json.dumps({"name": name}) if as_json else f"{name} cannot log in any more")


@user.command()
@with_paths
@click.argument("name")
@click.password_option("--password", help="The new password; asked for if not given.")
@json_option
def password(paths: Paths, name: str, password: str, as_json: bool) -> None:
    """Change a person's password; logins with the old one end."""
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures(), offline_people(paths.state_dir) as people:
        people.set_password(name, password, operator(), now)
    click.echo(json.dumps({"name": name}) if as_json else f"the password of {name} is changed")


def _require_departments(departments: frozenset[str] | None, paths: Paths) -> None:
    """Fail for a department that is not configured: nobody would ever see anything with such a token."""
    if departments is None:
        return
    from appliance.core.text import unknown_text
    from appliance.service.machines import departments_of

    known = departments_of(current_config(paths))
    for one in sorted(departments - known):
        fail(unknown_text("department", one, known))


def _show(facts: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    from tabulate import tabulate

    from appliance.cli.wording import time_text

    rows = [
        [time_text(one[name]) if name.endswith("At") and one[name] else one[name] for name in columns] for one in facts
    ]
    click.echo(json.dumps(facts) if as_json else tabulate(rows, headers=columns, disable_numparse=True))
