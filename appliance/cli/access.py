"""The shell verbs about tokens and people. They work on the state directory, with or without a running service."""

import json
from typing import Any

import click

from appliance.cli.options import Paths, explained_failures, json_option, with_paths

ROLES = click.Choice(["viewer", "operator", "admin"])
departments_option = click.option(
    "--departments", default="*", show_default=True, help="Comma-separated ids, or '*' for all."
)


@click.group(invoke_without_command=True)
@with_paths
@click.option("--role", type=ROLES, default="viewer", show_default=True)
@departments_option
@click.option("--ttl", type=click.IntRange(min=1), default=3600, show_default=True, help="Validity in seconds.")
@click.option("--subject", default="token", show_default=True, help="The holder, as named in the log.")
def token(paths: Paths, role: str, departments: str, ttl: int, subject: str) -> None:
    """Print a token for a program or a screen, or list the tokens, or revoke one."""
    if click.get_current_context().invoked_subcommand:
        return
    from appliance.core.access.person import Role
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures():
        paths.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with offline_people(paths.state_dir) as people:
            try:
                made = people.make_token(Role(role), _departments(departments), ttl, subject, operator(), now())
            except ValueError as error:
                raise click.UsageError(str(error)) from None
    click.echo(made)


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
def revoke(paths: Paths, token_id: str) -> None:
    """Revoke a token; a running service disconnects its holder within a second.

    ID is an id from `appliance token list`, or the token itself.
    """
    from appliance.server.access.tokens import verify
    from appliance.service.access.offline_access import now, offline_people, operator
    from appliance.service.access.own_token import load_secret

    with explained_failures(), offline_people(paths.state_dir) as people:
        known_id = verify(load_secret(paths.state_dir), token_id).id if "." in token_id else token_id
        people.revoke_token(known_id, operator(), now())
    click.echo(f"revoked {known_id}")


@click.group()
def user() -> None:
    """Manage the people who log in with a password."""


@user.command()
@with_paths
@click.argument("name")
@click.option("--role", type=ROLES, default="viewer", show_default=True)
@departments_option
@click.password_option(help="Asked for if not given; given here, it stays in the shell's history.")
def add(paths: Paths, name: str, role: str, departments: str, password: str) -> None:
    """Add a person. A department head is an operator or viewer with --departments."""
    from appliance.core.access.person import Person, Role, require_name
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures():
        paths.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        require_name(name)
        with offline_people(paths.state_dir) as people:
            people.add_person(Person(name, Role(role), _departments(departments)), password, operator(), now)
    click.echo(f"{name} can log in")


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
def remove(paths: Paths, name: str) -> None:
    """Remove a person; a running service ends their logins within a second."""
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures(), offline_people(paths.state_dir) as people:
        people.remove_person(name, operator(), now())
    click.echo(f"{name} cannot log in any more")


@user.command()
@with_paths
@click.argument("name")
@click.password_option("--password", help="The new password; asked for if not given.")
def password(paths: Paths, name: str, password: str) -> None:
    """Change a person's password; logins with the old one end."""
    from appliance.service.access.offline_access import now, offline_people, operator

    with explained_failures(), offline_people(paths.state_dir) as people:
        people.set_password(name, password, operator(), now)
    click.echo(f"the password of {name} is changed")


def _departments(text: str) -> frozenset[str] | None:
    return None if text == "*" else frozenset(one.strip() for one in text.split(",") if one.strip())


def _show(facts: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    from tabulate import tabulate

    rows = [[one[column] for column in columns] for one in facts]
    click.echo(json.dumps(facts) if as_json else tabulate(rows, headers=columns))


VERBS = (token, user)
