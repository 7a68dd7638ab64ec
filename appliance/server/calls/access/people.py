"""Calls about people and their tokens. `People` records in the audit trail what they change.

An administrator of some departments administers no people: they could add a person with more rights than their own.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType, convert

from appliance.core.access.person import NAME, Person, Role, TokenOrigin, departments_of
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.core.text import unknown_text
from appliance.events import Part
from appliance.server.access.last_seen import Use
from appliance.server.access.people import LOGIN_S, LONGEST_PASSWORD, SHORTEST_PASSWORD, person_facts, token_facts
from appliance.server.access.tokens import LONGEST_PASTED
from appliance.server.calls.arguments import Argument, DepartmentId, Nothing
from appliance.server.calls.context import Context
from appliance.server.calls.reply import Done, Reply

MOST_LISTED = 500  # 120 kB; the command line shows them all

Name = Annotated[
    str,
    Meta(pattern=NAME, description="1 to 64 letters, digits, '_', '.', '@' or '-', beginning with a letter or digit"),
]
NewPassword = Annotated[
    str,
    Meta(
        min_length=SHORTEST_PASSWORD,
        max_length=LONGEST_PASSWORD,
        description=f"a text of {SHORTEST_PASSWORD} to {LONGEST_PASSWORD} characters",
    ),
]
CurrentPassword = Annotated[str, Meta(max_length=LONGEST_PASSWORD, description="the present password")]
RoleWord = Annotated[Role, Meta(description="viewer, operator or admin")]
Departments = Annotated[
    list[DepartmentId], Meta(max_length=64, description="a list of departments' ids, or left out for all")
]
TokenId = Annotated[str, Meta(min_length=1, max_length=64, description="the id of a token, as token:list has it")]

TokenText = Annotated[str, Meta(min_length=1, max_length=LONGEST_PASTED, description="a token of the same subject")]


class AddArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `user:add`. `departments`: `None` for all of them."""

    name: Name
    password: NewPassword
    role: RoleWord
    departments: Departments | None = None


class SeenPerson(Argument, frozen=True, kw_only=True, rename="camel"):
    """A person as the caller saw them in `user:list`."""

    role: RoleWord
    departments: str


Seen = Annotated[SeenPerson, Meta(description="the role and departments of the person as user:list had them")]


class RemoveArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `user:remove`. `seen`: refused where the person is not so any more."""

    name: Name
    seen: Seen | None = None


class PasswordArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `user:password`. `name`: `None` for the caller's own, which needs the `current` one.

    `seen`: refused where the person is not so any more.
    """

    password: NewPassword
    name: Name | None = None
    current: CurrentPassword | None = None
    seen: Seen | None = None


class RevokeArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `token:revoke`. `id`: `None` for the caller's own token: logging out."""

    id: TokenId | None = None


class RenewArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `token:renew`. `token`: the next one; `None`: the appliance makes it, for a login only."""

    token: TokenText | None = None


class UserFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A person who can log in. `departments`: `*` for all, or ids with commas.

    `connected`: the clients with a login of theirs; `seen_at`: now while connected; null: never, as far as
    is known.
    """

    name: str
    role: Role
    departments: str
    connected: int | UnsetType = UNSET
    seen_at: str | UnsetType | None = UNSET


class UserReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The person who was added."""

    user: UserFacts


class UsersReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """Every person who can log in."""

    users: list[UserFacts]


class TokenFacts(Part, frozen=True, kw_only=True, rename="camel"):
    """A token that has not expired. `departments`: `*` for all, or ids with commas; `revoked_at`: null while valid.

    `connected`: the clients that have it; `seen_at`: now while connected, null: never, as far as is known.
    """

    id: str
    subject: str
    role: Role
    departments: str
    origin: TokenOrigin
    issued_at: str
    expires_at: str
    revoked_at: str | None
    connected: int | UnsetType = UNSET
    seen_at: str | UnsetType | None = UNSET


class TokensReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The newest of the tokens that have not expired; `total`: the number of all of them."""

    tokens: list[TokenFacts]
    total: int


class RenewReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """Seconds until the caller's token expires. `token`: the next one, where the appliance made it."""

    token: str | UnsetType = UNSET
    expires_in: int


def list_people(context: Context, _: Nothing) -> UsersReply:
    """Every person who can log in."""
    last_seen, wall = context.services.authenticator.last_seen, context.now.wall
    found = context.services.people.people()
    uses = last_seen.of_people([one.name for one in found], wall)
    facts = [person_facts(one) | _use_facts(use) for one, use in zip(found, uses, strict=True)]
    return UsersReply(users=convert(facts, list[UserFacts]))


def add_person(context: Context, asked: AddArgument) -> UserReply:
    """Let a person log in from now on."""
    departments = None if asked.departments is None else frozenset(asked.departments)
    unknown = sorted((departments or frozenset()) - context.services.departments)
    if unknown:
        text = unknown_text("department", unknown[0], context.services.departments)
        raise Refused(Code.UNKNOWN_DEPARTMENT, text)
    person = Person(asked.name, asked.role, departments)
    context.services.people.add_person(person, asked.password, context.caller.actor, context.services.clock)
    return UserReply(user=convert(person_facts(person), UserFacts))


def remove_person(context: Context, asked: RemoveArgument) -> Done:
    """Remove a person and end their logins."""
    seen = _seen(asked.name, asked.seen)
    context.services.people.remove_person(asked.name, context.caller.actor, context.now, seen=seen)
    return Done()


def set_password(context: Context, asked: PasswordArgument) -> Done:
    """Set the caller's own password, or another person's."""
    people, actor, clock = context.services.people, context.caller.actor, context.services.clock
    if asked.name is None:
        people.require_current_password(actor.who, asked.current or "", actor, clock)
    else:
        require_administrator(context)
    name = asked.name or actor.who
    people.set_password(name, asked.password, actor, clock, seen=_seen(name, asked.seen))
    return Done()


def list_tokens(context: Context, _: Nothing) -> TokensReply:
    """The newest of the tokens that have not expired; `total`: the number of all of them."""
    found = context.services.people.tokens(context.now)
    last_seen, wall = context.services.authenticator.last_seen, context.now.wall
    listed = found[:MOST_LISTED]
    uses = last_seen.of_tokens([one.id for one in listed], wall)
    facts = [token_facts(one) | _use_facts(use) for one, use in zip(listed, uses, strict=True)]
    return TokensReply(tokens=convert(facts, list[TokenFacts]), total=len(found))


def revoke_token(context: Context, asked: RevokeArgument) -> Done:
    """Revoke a token; its clients are disconnected after the answer."""
    own = context.caller.grant.id
    if asked.id not in (None, own):
        require_administrator(context)
    token_id = asked.id or own
    context.services.people.revoke_token(token_id, context.caller.actor, context.now, is_shown=token_id == own)
    return Done()


def renew_token(context: Context, asked: RenewArgument) -> RenewReply:
    """Go on with another token: the one that the client brings, or one that is made for the same login."""
    caller, authenticator = context.caller, context.services.authenticator
    token = asked.token or context.services.people.renew(caller.grant, context.now)
    grant = authenticator.authenticate(token, context.now)
    if grant.subject != caller.grant.subject:
        raise Refused(Code.FORBIDDEN, "token: belongs to another subject; disconnect, and connect with it")
    caller.take(grant, context.services.departments)
    if asked.token is not None:
        return RenewReply(expires_in=int(authenticator.remaining_s(grant, context.now)))
    return RenewReply(token=token, expires_in=LOGIN_S)


def require_administrator(context: Context) -> None:
    """Raise `Refused` for a caller who does not administer the whole appliance."""
    grant = context.caller.grant
    if not grant.may_act_as(Role.ADMIN) or grant.departments is not None:
        raise Refused(Code.FORBIDDEN, "this takes a token with the role admin for all departments")


def _seen(name: str, seen: SeenPerson | None) -> Person | None:
    return None if seen is None else Person(name, seen.role, departments_of(seen.departments))


def _use_facts(use: Use) -> dict[str, object]:
    return {"connected": use.connected, "seenAt": use.seen_at and timestamp(use.seen_at)}
