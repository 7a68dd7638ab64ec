"""Access: the secret that signs tokens, the tokens, and what their holders may do.

A token is judged by its signature first and its words second; the algorithm is ours to name, never the token's (RFC
8725, sections 3.1 and 3.2). Time comes as an argument: a Pi's clock may be wrong at start, so nothing here asks it,
and the hour of issue is not held against a token.
"""

import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import jwt
import msgspec
from msgspec import Meta, Struct

from appliance.core.refusal import Code, Refused

SECRET_FILE = "token.secret"  # noqa: S105  a file's name
SECRET_BYTES = 32  # HS256 wants a key as long as its hash (RFC 7518, section 3.2)
ALGORITHM = "HS256"
ISSUER = "appliance"
AUDIENCE = "appliance-clients"
LONGEST_TTL_S = 10 * 366 * 86400  # a dashboard on a wall may outlive its installer; more is a slip of the finger
LONGEST_TOKEN = 8192  # characters: 64 departments with the longest ids make 6,000; judged before anything is decoded
LATEST_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # beyond it `datetime` ends


class Role(StrEnum):
    """What a holder may do; each includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}


class AccessError(Exception):
    """The secret cannot be used; the text names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token allows. `departments`: `None` for all of them."""

    subject: str
    role: Role
    departments: frozenset[str] | None
    expires_at: datetime

    def may_see(self, department: str) -> bool:
        """Whether the holder may know about this department."""
        return self.departments is None or department in self.departments

    def may_act_as(self, role: Role) -> bool:
        """Whether the holder's role includes this one."""
        return RANK[self.role] >= RANK[role]

    def is_expired(self, wall: datetime) -> bool:
        """Whether the token's time is over; it is at the very instant of `exp` (RFC 7519, section 4.1.4)."""
        return wall >= self.expires_at


class _Claims(Struct, frozen=True):
    """The claims that a token must carry, and within which bounds; PyJWT has judged `iss`, `aud` and the signature."""

    sub: Annotated[str, Meta(min_length=1, max_length=200)]
    role: Role
    departments: Literal["*"] | Annotated[list[Annotated[str, Meta(min_length=1, max_length=64)]], Meta(max_length=64)]
    exp: Annotated[float, Meta(gt=0, lt=LATEST_EXPIRY)]
    iat: Annotated[float, Meta(ge=0, lt=LATEST_EXPIRY)]


def load_secret(state_dir: Path) -> bytes:
    """The secret in this directory, made there when it is missing.

    Raises `AccessError` when it cannot be read or written, when others may read it, or when it is not a secret.
    """
    path = state_dir / SECRET_FILE
    try:
        try:
            return _read_secret(path)
        except FileNotFoundError:
            _make_secret(path)
            return _read_secret(path)
    except OSError as error:
        raise AccessError(
            f"{path}: {error.strerror}; the state directory must exist and be readable and writable for the service"
        ) from error


def _read_secret(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != SECRET_BYTES:
            raise AccessError(f"{path}: is not a secret of {SECRET_BYTES} bytes; delete it and issue all tokens anew")
        if found.st_mode & 0o077:
            raise AccessError(f"{path}: others than its owner may use it; run chmod 600, or delete it if it leaked")
        return file.read(SECRET_BYTES)


def _make_secret(path: Path) -> None:
    """Write a new secret whole or not at all; where two do so at once, the first one's stays."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def issue(
    secret: bytes, role: Role, departments: Iterable[str] | None, ttl_s: int, subject: str, wall: datetime
) -> str:
    """A token for this subject, valid for `ttl_s` seconds from `wall`. `departments`: `None` for all.

    Raises `ValueError` for what `check` would not accept.
    """
    if not 0 < ttl_s <= LONGEST_TTL_S:
        raise ValueError(f"a token is valid for 1 to {LONGEST_TTL_S} seconds, not {ttl_s}")
    issued = int(wall.timestamp())
    claims = {
        "sub": subject,
        "role": str(role),
        "departments": "*" if departments is None else sorted(set(departments)),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": issued,
        "exp": issued + ttl_s,
        "jti": secrets.token_hex(16),
    }
    token = jwt.encode(claims, secret, algorithm=ALGORITHM)
    try:
        check(secret, token, wall)
    except Refused as refused:
        raise ValueError(refused.message) from None
    return token


def check(secret: bytes, token: object, wall: datetime) -> Grant:
    """What this token allows now. Raises `Refused`: `E_TOKEN_EXPIRED` for one that was good, else `E_UNAUTHORIZED`."""
    if not isinstance(token, str) or not token:
        raise Refused(Code.UNAUTHORIZED, "A token is needed: connect with auth: {token: '...'}")
    if len(token) > LONGEST_TOKEN:
        raise Refused(Code.UNAUTHORIZED, f"The token is longer than {LONGEST_TOKEN} characters, which none of ours is")
    grant = _grant(_verified(secret, token))
    if grant.is_expired(wall):
        raise Refused(Code.TOKEN_EXPIRED, "The token has expired; ask the appliance's administrator for a new one")
    return grant


def _verified(secret: bytes, token: str) -> object:
    try:
        return jwt.decode(
            token,
            secret,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            # Judged below, against the caller's clock; PyJWT would ask its own.
            options={
                "require": ["sub", "exp", "iat", "iss", "aud"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
    # PyJWT lets what a hostile header makes `json` and `base64` raise pass through.
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise Refused(
            Code.UNAUTHORIZED, "The token is not one of this appliance; ask its administrator for a new one"
        ) from None


def _grant(claims: object) -> Grant:
    try:
        known = msgspec.convert(claims, _Claims)
    except msgspec.ValidationError as error:
        raise Refused(Code.UNAUTHORIZED, f"The token's claims cannot be used: {error}") from None
    departments = None if known.departments == "*" else frozenset(known.departments)
    return Grant(known.sub, known.role, departments, datetime.fromtimestamp(known.exp, UTC))
