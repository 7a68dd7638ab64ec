"""Writes and reads the appliance's own tokens, and says what they allow.

The signature of a token is verified first and its claims second, each within bounds. Its expiry is judged where the
clock is known (`authenticator`), because a Pi's clock may be wrong at start; for the same reason a token may say that
it was issued in the future.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from appliance.core.access.person import RANK, Role, TokenOrigin
from appliance.core.access.token_lifetime import Issuance, Lifetime
from appliance.core.duration import duration_text
from appliance.core.refusal import Code, Refused
from appliance.server.access.signing import own_verifier, signed

LONGEST_TTL_S = 10 * 366 * 86400  # a dashboard on a wall may run for ten years; more is a typing error
# Characters, judged before anything is decoded: 64 departments with the longest ids make 6,000, and 600 groups of a
# person, each with the 36 characters that identity providers give them, 31,000.
LONGEST_TOKEN = 32 * 1024
LONGEST_PASTED = LONGEST_TOKEN + 4096  # with the line ends of an e-mail in it
INVISIBLE = dict.fromkeys(map(ord, "\ufeff\u200b\u200c\u200d\u2060\u00ad"))  # what copying from a page brings along
PREFIXES = frozenset({"authorization", "bearer", "token"})  # words before a pasted token
LATEST_EXPIRY = datetime(9999, 1, 1, tzinfo=UTC).timestamp()  # beyond it `datetime` ends

Id = Annotated[str, Meta(min_length=1, max_length=64)]
Subject = Annotated[str, Meta(min_length=1, max_length=200)]
Departments = Literal["*"] | Annotated[list[Id], Meta(max_length=64)]
Instant = Annotated[float, Meta(ge=0, lt=LATEST_EXPIRY)]


class Grant(Struct, frozen=True):
    """What a token allows. `departments`: `None` for all of them; `id`: names it for revocation.

    `session_s`: of a login, the seconds for which it could still be renewed when this token was made.
    """

    subject: str
    role: Role
    departments: frozenset[str] | None
    lifetime: Lifetime
    id: str
    origin: TokenOrigin = TokenOrigin.ISSUED
    session_s: float = 0.0
    not_before: datetime | None = None

    def may_see(self, department: str) -> bool:
        """Whether the token covers this department."""
        return self.departments is None or department in self.departments

    def may_act_as(self, role: Role) -> bool:
        """Whether the holder's role includes this one."""
        return RANK[self.role] >= RANK[role]


class _TokenClaims(Struct, frozen=True):
    """The claims of our own tokens, and their bounds.

    `boot` and `up`: the boot of this machine in which the token was made, and the seconds since its start. `session`:
    of a login only.
    """

    sub: Subject
    role: Role
    departments: Departments
    iss: Literal["appliance"]
    aud: Literal["appliance-clients"]
    exp: Instant
    iat: Instant
    jti: Id
    boot: Id | UnsetType = UNSET
    up: Annotated[float, Meta(ge=0, lt=1e12)] | UnsetType = UNSET
    session: Annotated[float, Meta(ge=0, lt=1e9)] | UnsetType = UNSET


def issue(
    secret: bytes,
    role: Role,
    departments: Iterable[str] | None,
    ttl_s: int,
    subject: str,
    wall: datetime,
    issuance: Issuance | None = None,
    *,
    token_id: str | None = None,
    session_s: float | None = None,
) -> str:
    """Make a token for this subject, valid for `ttl_s` seconds from `wall`. `departments`: `None` for all.

    `issuance`: the same instant by this boot's monotonic clock. `token_id`: of the login that this renews; `None`:
    a new one. Raises `ValueError` for a token that `verify` would not accept.
    """
    if not 0 < ttl_s <= LONGEST_TTL_S:
        raise ValueError(f"a token is valid for 1s to {duration_text(LONGEST_TTL_S)}, not {duration_text(ttl_s)}")
    issued = int(wall.timestamp())
    claims = _TokenClaims(
        sub=subject,
        role=role,
        departments="*" if departments is None else sorted(set(departments)),
        iss="appliance",
        aud="appliance-clients",
        iat=issued,
        exp=issued + ttl_s,
        jti=token_id or secrets.token_hex(8),  # 64 bits: unique; it need not be unguessable
        boot=issuance.boot if issuance else UNSET,
        up=issuance.monotonic_s if issuance else UNSET,
        session=UNSET if session_s is None else session_s,
    )
    token = signed(msgspec.json.encode(claims), secret)
    try:
        verify(secret, token)
    except Refused as refused:
        raise ValueError(refused.message) from None
    return token


def verify(secret: bytes, token: object) -> Grant:
    """Verify a token of our own and return what it allows, expired or not. Raises `Refused`."""
    payload = own_verifier(secret).verified(bounded(token))
    try:
        known = msgspec.json.decode(payload, type=_TokenClaims)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Refused(Code.UNAUTHORIZED, f"The token's claims cannot be used: {error}") from None
    issuance = None if known.boot is UNSET or known.up is UNSET else Issuance(known.boot, known.up)
    return Grant(
        known.sub,
        known.role,
        None if known.departments == "*" else frozenset(known.departments),
        Lifetime(moment_of(known.iat), moment_of(known.exp), issuance),
        known.jti,
        TokenOrigin.ISSUED if known.session is UNSET else TokenOrigin.LOGIN,
        0.0 if known.session is UNSET else known.session,
    )


def bounded(token: object) -> str:
    """The token as a text of at most `LONGEST_TOKEN` characters. Raises `Refused` for anything else.

    A token has no spaces: those of a pasted one, line ends, quotation marks and the word `Bearer` are taken off.
    """
    if isinstance(token, str) and len(token) > LONGEST_PASTED:
        raise _too_long()
    words = token.translate(INVISIBLE).split() if isinstance(token, str) else []
    while words and words[0].rstrip(":").lower() in PREFIXES:
        del words[0]
    text = "".join(words).strip("\"'`<>,;")
    if not text:
        raise Refused(Code.UNAUTHORIZED, "A token is needed: connect with auth: {token: '...'}")
    if len(text) > LONGEST_TOKEN:
        raise _too_long()
    return text


def _too_long() -> Refused:
    text = f"The token is longer than {LONGEST_TOKEN} characters; have its issuer put fewer groups into it"
    return Refused(Code.UNAUTHORIZED, text)


def moment_of(seconds: float) -> datetime:
    """The time of a claim, which is in seconds since 1970 (RFC 7519, section 2)."""
    return datetime.fromtimestamp(seconds, UTC)
