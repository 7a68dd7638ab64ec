"""People, their roles, and the records of tokens.

A department head is an operator, or a viewer, with their own departments. There is no role for that, because what a
person may do and what they may see are two questions.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from appliance.core.refusal import Code, Refused

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}\Z"  # easy to read aloud, to type in a shell and to find in a log


class Role(StrEnum):
    """What a person or token may do; each role includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


def highest(roles: Iterable[Role], most: Role) -> Role | None:
    """The highest of these roles, but not above `most`; `None`: there are no roles."""
    ranked = max(roles, key=RANK.__getitem__, default=None)
    return None if ranked is None else min(ranked, most, key=RANK.__getitem__)


class TokenOrigin(StrEnum):
    """How a token was made."""

    ISSUED = "issued"  # by the command line, for a program or a screen
    LOGIN = "login"  # by a person's password, renewed while their page is open
    ISSUER = "issuer"  # by the organisation's own issuer, recorded when it was first used here


class Person(Struct, frozen=True):
    """A person with a password. `departments`: `None` for all of them."""

    name: str
    role: Role
    departments: frozenset[str] | None


class TokenRecord(Struct, frozen=True):
    """What is stored of a token: not the token itself, only who it is for and how long.

    `expires_at`: of a login, the end of the last renewal. `person`: who logged in, `None` for other origins.
    """

    id: str
    subject: str
    role: Role
    departments: frozenset[str] | None
    origin: TokenOrigin
    issued_at: datetime
    expires_at: datetime
    person: str | None = None
    revoked_at: datetime | None = None


def require_name(name: str) -> None:
    """Raise `Refused` for a text that cannot be a person's name."""
    if not re.fullmatch(NAME, name):
        raise Refused(
            Code.BAD_REQUEST,
            f'"{name[:64]}": a name has 1 to 64 letters, digits, "_", ".", "@" or "-"; the first is a letter or digit',
        )


def departments_text(departments: frozenset[str] | None) -> str:
    """The departments as the command line takes them: `*`, or ids with commas."""
    return "*" if departments is None else ",".join(sorted(departments))


def departments_of(text: str) -> frozenset[str] | None:
    """The departments in a text that `departments_text` made."""
    return None if text == "*" else frozenset(one for one in text.split(",") if one)
