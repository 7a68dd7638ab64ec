"""People: who they are, what they may do, and the tokens by which they are known.

A department head is an operator, or a viewer, whose departments are his own; there is no role for that, because what he
may do and what he may see are two questions.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from appliance.core.refusal import Code, Refused

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}\Z"  # what is read aloud, typed in a shell and found in a log


class Role(StrEnum):
    """What a holder may do; each includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


def highest(roles: Iterable[Role], most: Role) -> Role | None:
    """The highest of these roles, lowered to `most`; `None` of none."""
    ranked = max(roles, key=RANK.__getitem__, default=None)
    return None if ranked is None else min(ranked, most, key=RANK.__getitem__)


class TokenOrigin(StrEnum):
    """Where a token comes from."""

    ISSUED = "issued"  # by the command line, for a program or a screen
    LOGIN = "login"  # by a person's password, renewed while the person is there
    ISSUER = "issuer"  # by the organisation's own issuer, remembered since it was shown here


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a password. `departments`: `None` for all of them."""

    name: str
    role: Role
    departments: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is remembered: not the token itself, only who it is for and how long.

    `expires_at`: of a login the end of the last renewal. `person`: whose login it is, `None` of other origins.
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
    """Refuse what cannot be a person's name."""
    if not re.fullmatch(NAME, name):
        raise Refused(
            Code.BAD_REQUEST,
            f'"{name[:64]}": a name has 1 to 64 letters, digits, "_", ".", "@" or "-"; the first is a letter or digit',
        )


def departments_text(departments: frozenset[str] | None) -> str:
    """The departments as a person writes them."""
    return "*" if departments is None else ",".join(sorted(departments))
