"""Calls about people and their tokens. What they change is told to the audit trail where it is done, not here.

Who administers departments of his own administers no people: he could make somebody with more than he has.
"""

from typing import Annotated, Any

from msgspec import Meta

from appliance.core.access.person import NAME, Person, Role
from appliance.core.refusal import Code, Refused
from appliance.server.access.people import LOGIN_S, LONGEST_PASSWORD, SHORTEST_PASSWORD, person_facts, ticket_facts
from appliance.server.calls.arguments import Argument, DepartmentId, Nothing
from appliance.server.calls.context import Context

MOST_LISTED = 500  # 120 kB; the command line shows them all

Name = Annotated[
    str,
    Meta(
        pattern=NAME,
        description="1 to 64 letters, digits, '_', '.', '@' or '-', beginning with a letter or digit",
    ),
]
NewPassword = Annotated[
    str,
    Meta(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description=f"a text of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
    ),
]
CurrentPassword = Annotated[str, Meta(max_length=LONGEST_PASSWORD, description="the password that holds now")]
RoleWord = Annotated[Role, Meta(description="viewer, operator or admin")]
Departments = Annotated[
    list[DepartmentId], Meta(max_length=64, description="a list of departments' ids, or left out for all")
]
TokenId = Annotated[str, Meta(min_length=1, max_length=64, description="the id of a token, as token:list has it")]


class AddArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `user:add` takes. `departments`: left out for all of them."""

    name: Name
    password: NewPassword
    role: RoleWord
    departments: Departments | None = None


class RemoveArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `user:remove` takes."""

    name: Name


class PasswordArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `user:password` takes. `name`: left out for one's own, which takes the `current` one."""

    password: NewPassword
    name: Name | None = None
    current: CurrentPassword | None = None


class RevokeArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """What `token:revoke` takes. `id`: left out for the caller's own token: logging out."""

    id: TokenId | None = None


def list_people(context: Context, _: Nothing) -> dict[str, Any]:
    """Everybody who can log in."""
    return {"users": [person_facts(person) for person in context.services.access_services.people.listed()]}


def add(context: Context, asked: AddArgument) -> dict[str, Any]:
    """Let somebody in from now on."""
    departments = None if asked.departments is None else frozenset(asked.departments)
    unknown = sorted((departments or frozenset()) - context.departments)
    if unknown:
        raise Refused(Code.UNKNOWN_DEPARTMENT, f'there is no department "{unknown[0]}"')
    person = Person(asked.name, asked.role, departments)
    context.services.access_services.people.add(person, asked.password, context.caller.actor, context.clock)
    return {"user": person_facts(person)}


def remove(context: Context, asked: RemoveArgument) -> dict[str, Any]:
    """Let somebody in no more."""
    context.services.access_services.people.remove(asked.name, context.caller.actor, context.now)
    return {}


def set_password(context: Context, asked: PasswordArgument) -> dict[str, Any]:
    """Give oneself another password, or somebody else."""
    people, grant = context.services.access_services.people, context.caller.grant
    if asked.name is None:
        people.require_current(grant.subject, asked.current or "")
    else:
        require_administrator(context)
    people.set_password(asked.name or grant.subject, asked.password, context.caller.actor, context.clock)
    return {}


def list_tokens(context: Context, _: Nothing) -> dict[str, Any]:
    """The newest of the tokens that are not over; `total`: of how many."""
    found = context.services.access_services.people.tickets(context.now)
    return {"tokens": [ticket_facts(ticket) for ticket in found[:MOST_LISTED]], "total": len(found)}


def revoke(context: Context, asked: RevokeArgument) -> dict[str, Any]:
    """Let a token in no more; whoever is connected with it is disconnected at once."""
    own = context.caller.grant.id
    if asked.id not in (None, own):
        require_administrator(context)
    context.services.access_services.people.revoke(asked.id or own, context.caller.actor, context.now)
    return {}


def renew(context: Context, _: Nothing) -> dict[str, Any]:
    """Another token for the same login, which this connection has from now on too."""
    access_services = context.services.access_services
    token = access_services.people.renew(context.caller.grant, context.now)
    context.caller.adopt(access_services.authenticator.check(token, context.now))
    return {"token": token, "expiresIn": LOGIN_S}


def require_administrator(context: Context) -> None:
    """Refuse whoever does not administer the whole appliance."""
    grant = context.caller.grant
    if not grant.may_act_as(Role.ADMIN) or grant.departments is not None:
        raise Refused(Code.FORBIDDEN, "this takes a token with the role admin for all departments")
