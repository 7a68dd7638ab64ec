import base64
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest

from appliance.core.access.person import TokenOrigin, TokenRecord
from appliance.core.access.token_lifetime import Issuance
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server import access
from appliance.server.access import Authenticator, Grant, Role
from appliance.system.storage.people_store import SqlitePeopleStore
from tests.server import START

SECRET = bytes(range(32))


def _claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good token, some of them changed; `None` removes one."""
    token = access.issue(SECRET, Role.VIEWER, ["dept123"], 60, "screen", START)
    claims = json.loads(_decoded(token.split(".")[1])) | changed
    return {name: value for name, value in claims.items() if value is not None}


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


@pytest.fixture
def people_store(tmp_path: Path) -> Iterator[SqlitePeopleStore]:
    people_store = SqlitePeopleStore(tmp_path / "people.sqlite3")
    yield people_store
    people_store.close()


@pytest.fixture
def judge(people_store: SqlitePeopleStore) -> Callable[..., Grant]:
    """Judges a token at this time of a trusted wall clock."""

    def judge(token: object, wall: datetime = START, secret: bytes = SECRET) -> Grant:
        now = Moment(wall, 1000.0, is_trusted=True)
        return Authenticator(secret, {}, people_store, None, now).authenticate(token, now)

    return judge


@pytest.fixture
def refusal(judge: Callable[..., Grant]) -> Callable[..., Code]:
    """The code with which a token is refused."""

    def refusal(*arguments: Any, **options: Any) -> Code:
        with pytest.raises(Refused) as refused:
            judge(*arguments, **options)
        return refused.value.code

    return refusal


def test_a_token_grants_what_it_was_issued_for(judge: Callable[..., Grant]) -> None:
    token = access.issue(SECRET, Role.OPERATOR, ["dept456", "dept123"], 60, "screen", START)
    grant = judge(token, START)
    assert (grant.subject, grant.role, grant.departments) == ("screen", Role.OPERATOR, {"dept123", "dept456"})
    assert grant.lifetime.expires_at == START + timedelta(seconds=60)
    assert grant.may_see("dept123")
    assert not grant.may_see("dept789")


def test_a_token_for_all_departments_covers_any(judge: Callable[..., Grant]) -> None:
    grant = judge(access.issue(SECRET, Role.ADMIN, None, 60, "screen", START), START)
    assert grant.departments is None
    assert grant.may_see("whatever")


@pytest.mark.parametrize(
    ("role", "includes"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.OPERATOR, {Role.VIEWER, Role.OPERATOR}),
        (Role.ADMIN, {Role.VIEWER, Role.OPERATOR, Role.ADMIN}),
    ],
)
def test_a_role_includes_the_ones_before_it(judge: Callable[..., Grant], role: Role, includes: set[Role]) -> None:
    grant = judge(access.issue(SECRET, role, None, 60, "screen", START), START)
    assert {other for other in Role if grant.may_act_as(other)} == includes


def test_a_token_ends_at_its_very_second(judge: Callable[..., Grant], refusal: Callable[..., Code]) -> None:
    token = access.issue(SECRET, Role.VIEWER, None, 60, "screen", START)
    assert judge(token, START + timedelta(seconds=59.9))
    assert refusal(token, START + timedelta(seconds=60)) is Code.TOKEN_EXPIRED


def test_a_token_from_before_the_clock_was_set_back_is_accepted(judge: Callable[..., Grant]) -> None:
    token = access.issue(SECRET, Role.VIEWER, None, 60, "screen", START)
    assert judge(token, START - timedelta(days=300))


def test_two_tokens_for_one_subject_differ() -> None:
    one, other = (access.issue(SECRET, Role.VIEWER, None, 60, "screen", START) for _ in range(2))
    assert one != other


@pytest.mark.parametrize("token", [None, 5, [], {}, "", ".", "a.b.c", "....", "x" * 100_000, "é.é.é", "\ud800"])
def test_a_value_that_is_no_token_is_refused(refusal: Callable[..., Code], token: object) -> None:
    assert refusal(token) is Code.UNAUTHORIZED


def test_another_secret_does_not_sign_our_tokens(refusal: Callable[..., Code]) -> None:
    assert refusal(jwt.encode(_claims(), b"x" * 32, "HS256")) is Code.UNAUTHORIZED


def test_an_expired_forgery_is_refused_as_a_forgery(refusal: Callable[..., Code]) -> None:
    assert refusal(jwt.encode(_claims(exp=1), b"x" * 32, "HS256")) is Code.UNAUTHORIZED


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_a_token_of_another_hmac_algorithm_is_refused(refusal: Callable[..., Code], algorithm: str) -> None:
    long_enough = SECRET * 2
    assert refusal(jwt.encode(_claims(), long_enough, algorithm), secret=long_enough) is Code.UNAUTHORIZED


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 1, [], {}, ["HS256"]])
def test_a_header_cannot_turn_the_signature_off(refusal: Callable[..., Code], algorithm: Any) -> None:
    header = _encoded(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    payload = _encoded(json.dumps(_claims()).encode())
    signed = jwt.encode(_claims(), SECRET, "HS256").split(".")[2]
    for signature in ("", signed):
        assert refusal(f"{header}.{payload}.{signature}") is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 5000,
        b'{"alg":"HS256","n":' + b"9" * 5000 + b"}",
        b'{"alg":"HS256","crit":["b64"],"b64":false}',
        b'{"alg":"HS256","kid":5}',
        b'{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}',
    ],
)
def test_a_hostile_header_is_refused(refusal: Callable[..., Code], header: bytes) -> None:
    assert refusal(f"{_encoded(header)}.{_encoded(json.dumps(_claims()).encode())}.AAAA") is Code.UNAUTHORIZED


@pytest.mark.parametrize("name", ["sub", "exp", "iat", "iss", "aud", "jti", "role", "departments"])
def test_no_claim_may_be_missing(refusal: Callable[..., Code], name: str) -> None:
    assert refusal(jwt.encode(_claims(**{name: None}), SECRET, "HS256")) is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iss", "another"),
        ("aud", "another"),
        ("aud", []),
        ("exp", "4000000000"),
        ("exp", float("nan")),
        ("exp", float("inf")),
        ("exp", 1e300),
        ("exp", -1),
        ("exp", True),
        ("iat", float("nan")),
        ("iat", "yesterday"),
        ("sub", ""),
        ("sub", "x" * 300),
        ("role", "root"),
        ("role", ["admin"]),
        ("departments", "dept123"),
        ("departments", ["*", 1]),
        ("departments", {"dept123": True}),
    ],
)
def test_a_wrong_claim_is_refused_even_when_signed(refusal: Callable[..., Code], name: str, value: object) -> None:
    assert refusal(jwt.encode(_claims(**{name: value}), SECRET, "HS256")) is Code.UNAUTHORIZED


def test_a_list_of_departments_with_a_star_is_not_all_of_them(judge: Callable[..., Grant]) -> None:
    token = jwt.encode(_claims(departments=["*"]), SECRET, "HS256")
    assert not judge(token, START).may_see("dept123")


@pytest.mark.parametrize(("ttl_s", "subject"), [(0, "a"), (-1, "a"), (10**12, "a"), (60, ""), (60, "x" * 300)])
def test_issuing_fails_for_a_token_that_would_not_be_accepted(ttl_s: int, subject: str) -> None:
    with pytest.raises(ValueError, match="token"):
        access.issue(SECRET, Role.VIEWER, None, ttl_s, subject, START)


def test_the_longest_list_of_departments_fits(judge: Callable[..., Grant]) -> None:
    departments = [f"{number:064}" for number in range(64)]
    token = access.issue(SECRET, Role.VIEWER, departments, 60, "screen", START)
    assert judge(token, START).departments == set(departments)


def test_a_payload_that_is_no_json_is_refused_even_when_signed(refusal: Callable[..., Code]) -> None:
    for payload in (b"", b"null", b"[]", b"\xff", b"[" * 3000, b'{"sub":"a"', b'{"exp":' + b"9" * 5000 + b"}"):
        token = jwt.PyJWS().encode(payload, SECRET, "HS256")
        assert refusal(token) is Code.UNAUTHORIZED


def test_importing_the_authenticator_does_not_import_cryptography() -> None:
    code = "import sys, appliance.server.access; print('cryptography' in sys.modules, 'jwt' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["False", "True"]


def test_a_power_cut_brings_no_expired_token_back_to_life(people_store: SqlitePeopleStore) -> None:
    token = access.issue(SECRET, Role.VIEWER, None, 60, "screen", START, Issuance("the boot before", 1000.0))
    later = Moment(START + timedelta(hours=1), 4600.0, is_trusted=True)
    Authenticator(SECRET, {}, people_store, "the boot before", later).step(later)
    stale = Moment(START - timedelta(days=300), 5.0, is_trusted=False)  # no battery clock, and no time server yet
    authenticator = Authenticator(SECRET, {}, people_store, "this boot", stale)
    with pytest.raises(Refused) as refused:
        authenticator.authenticate(token, stale)
    assert refused.value.code is Code.TOKEN_EXPIRED


def test_a_token_of_this_boot_is_good_for_its_time_whatever_the_clock_says(people_store: SqlitePeopleStore) -> None:
    token = access.issue(SECRET, Role.VIEWER, None, 60, "screen", START, Issuance("boot", 1000.0))
    authenticator = Authenticator(SECRET, {}, people_store, "boot", Moment(START, 1000.0, is_trusted=True))
    for jumped in (timedelta(days=-30), timedelta(), timedelta(days=30)):
        assert authenticator.authenticate(token, Moment(START + jumped, 1059.0, is_trusted=True))
        with pytest.raises(Refused, match="expired"):
            authenticator.authenticate(token, Moment(START + jumped, 1060.0, is_trusted=True))


def test_a_revoked_token_is_refused_and_no_other(
    judge: Callable[..., Grant], refusal: Callable[..., Code], people_store: SqlitePeopleStore
) -> None:
    one, other = (access.issue(SECRET, Role.VIEWER, None, 60, "screen", START) for _ in range(2))
    grant = judge(one)
    people_store.revoke(
        TokenRecord(grant.id, "screen", Role.VIEWER, None, TokenOrigin.ISSUED, START, grant.lifetime.expires_at), START
    )
    assert refusal(one) is Code.UNAUTHORIZED
    assert judge(other)
