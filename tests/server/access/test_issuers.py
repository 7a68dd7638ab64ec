"""An organisation's own tokens, by RFC 8725: one algorithm for a key, one audience, and configured words only."""

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from appliance.config.sections import IssuerSection
from appliance.core.access.person import Role, TokenOrigin
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access import AccessError, Authenticator, issue
from appliance.server.access.issuers import load_issuers
from appliance.system.storage.people_store import SqlitePeopleStore
from tests.server import START

ISS, AUDIENCE = "https://login.example.org", "appliance"
SECRET = bytes(range(32))
NOW = Moment(START, 1000.0, is_trusted=True)
Keys = dict[str, Any]  # by algorithm, a private key of `cryptography`
MakeAuthenticator = Callable[..., Authenticator]


@pytest.fixture(scope="module")
def keys() -> Keys:
    """By algorithm, a private key of the issuer."""
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "other RS256": rsa.generate_private_key(65537, 2048),
    }


def _public_pem(key: Any) -> bytes:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def people_store(tmp_path: Path) -> Iterator[SqlitePeopleStore]:
    people_store = SqlitePeopleStore(tmp_path / "people.sqlite3")
    yield people_store
    people_store.close()


@pytest.fixture
def make_authenticator(tmp_path: Path, keys: Keys, people_store: SqlitePeopleStore) -> MakeAuthenticator:
    """Makes an authenticator that knows an issuer with this key and these settings."""

    def make_authenticator(algorithm: str = "RS256", **settings: Any) -> Authenticator:
        path = tmp_path / "issuer.pem"
        path.write_bytes(_public_pem(keys[algorithm]))
        section = IssuerSection(
            iss=ISS, algorithm=algorithm, key=str(path), audience=AUDIENCE, **{"maximum_role": Role.ADMIN, **settings}
        )
        return Authenticator(SECRET, load_issuers([section]), people_store, None, NOW)

    return make_authenticator


def _claims(**changed: Any) -> dict[str, Any]:
    claims = {
        "iss": ISS,
        "aud": AUDIENCE,
        "sub": "anna",
        "exp": START.timestamp() + 600,
        "iat": START.timestamp(),
        "jti": "1",
        "role": "operator",
        "departments": ["dept123"],
    }
    return {name: value for name, value in (claims | changed).items() if value is not None}


def _refusal(authenticator: Authenticator, token: str) -> Code:
    with pytest.raises(Refused) as refused:
        authenticator.authenticate(token, NOW)
    return refused.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_an_issuers_token_grants_its_role_and_departments(
    make_authenticator: MakeAuthenticator, keys: Keys, algorithm: str
) -> None:
    grant = make_authenticator(algorithm).authenticate(_token(_claims(), keys[algorithm], algorithm), NOW)
    assert (grant.role, grant.departments, grant.origin) == (Role.OPERATOR, {"dept123"}, TokenOrigin.ISSUER)
    assert grant.subject == f"anna ({ISS})"  # nobody in the audit trail is taken for somebody else
    assert grant.lifetime.expires_at == START + timedelta(seconds=600)


def test_our_own_tokens_are_still_verified_with_our_own_secret(make_authenticator: MakeAuthenticator) -> None:
    own = issue(SECRET, Role.ADMIN, None, 60, "screen", START)
    assert make_authenticator().authenticate(own, NOW).subject == "screen"


def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(
    make_authenticator: MakeAuthenticator, keys: Keys
) -> None:
    """Key confusion: HS256 with the public key's bytes, which everybody may have."""
    authenticator = make_authenticator()
    pem = _public_pem(keys["RS256"])
    der = keys["RS256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), der, b""):
        for algorithm in ("HS256", "HS384", "HS512"):
            for claims in (_claims(), _claims(iss="appliance", aud="appliance-clients")):
                assert _refusal(authenticator, _token(claims, secret, algorithm)) is Code.UNAUTHORIZED


def test_another_algorithm_of_the_same_key_is_refused(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    authenticator = make_authenticator()
    for algorithm in ("RS384", "RS512", "PS256"):
        assert _refusal(authenticator, _token(_claims(), keys["RS256"], algorithm)) is Code.UNAUTHORIZED


def test_another_key_is_refused_whatever_the_header_says(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    authenticator = make_authenticator()
    other = keys["other RS256"]
    number = other.public_key().public_numbers().n
    jwk = {"kty": "RSA", "e": "AQAB", "n": _text(number.to_bytes(256, "big"))}
    for header in ({}, {"kid": "1"}, {"kid": "../../dev/null"}, {"kid": 5}, {"jwk": jwk}, {"jku": "https://evil.test"}):
        assert _refusal(authenticator, _token(_claims(), other, "RS256", header)) is Code.UNAUTHORIZED
    assert _refusal(authenticator, _token(_claims(), keys["EdDSA"], "EdDSA")) is Code.UNAUTHORIZED
    assert (
        _refusal(authenticator, _token(_claims(), ec.generate_private_key(ec.SECP256R1()), "ES256"))
        is Code.UNAUTHORIZED
    )


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, 1, ["RS256"]])
def test_an_unsigned_token_is_refused(make_authenticator: MakeAuthenticator, keys: Keys, algorithm: str) -> None:
    authenticator = make_authenticator()
    good = _token(_claims(), keys["RS256"], "RS256").split(".")[2]
    head, payload = _part({"alg": algorithm, "typ": "JWT"}), _part(_claims())
    for signature in ("", good):
        assert _refusal(authenticator, f"{head}.{payload}.{signature}") is Code.UNAUTHORIZED


def test_a_signature_does_not_cover_other_claims(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    head, _, signature = _token(_claims(), keys["RS256"], "RS256").split(".")
    assert _refusal(make_authenticator(), f"{head}.{_part(_claims(role='admin'))}.{signature}") is Code.UNAUTHORIZED


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://login.example.com"},
        {"iss": ["https://login.example.org"]},
        {"iss": None},
        {"iss": "appliance"},
        {"aud": "another"},
        {"aud": []},
        {"aud": None},
        {"aud": {"appliance": True}},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
        {"exp": None},
        {"exp": "4000000000"},
        {"exp": float("inf")},
        {"exp": 1e300},
        {"exp": [1]},
        {"iat": "yesterday"},
        {"sub": 1.5},
        {"sub": True},
        {"sub": ["anna"]},
        {"jti": "x" * 2000},
        {"role": {"admin": 1}},
        {"role": True},
        {"departments": {"dept123": 1}},
        {"departments": [["dept123"]]},
        {"departments": ["x" * 40] * 1000},
        {"nbf": START.timestamp() + 600},
    ],
)
def test_a_wrong_claim_is_refused_even_when_signed(
    make_authenticator: MakeAuthenticator, keys: Keys, changed: dict[str, Any]
) -> None:
    assert _refusal(make_authenticator(), _token(_claims(**changed), keys["RS256"], "RS256")) is Code.UNAUTHORIZED


@pytest.mark.parametrize("sub", [1001, "1001", 2**53, 0])
def test_a_subject_may_be_a_number(make_authenticator: MakeAuthenticator, keys: Keys, sub: Any) -> None:
    grant = make_authenticator().authenticate(_token(_claims(sub=sub), keys["RS256"], "RS256"), NOW)
    assert grant.subject == f"{sub} ({ISS})"


def test_subjects_that_differ_only_at_their_end_are_two(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    tokens = [_token(_claims(sub="x" * 254 + last), keys["RS256"], "RS256") for last in "ab"]
    assert len({make_authenticator().authenticate(token, NOW).subject for token in tokens}) == 2


@pytest.mark.parametrize("jti", [5, "onrtac:6e1f0f5c-4b1c-4a39-9a2e-6c62dbb5a2f4", "x" * 1000])
def test_an_id_may_be_long_or_a_number(make_authenticator: MakeAuthenticator, keys: Keys, jti: Any) -> None:
    assert make_authenticator().authenticate(_token(_claims(jti=jti), keys["RS256"], "RS256"), NOW)


@pytest.mark.parametrize(
    ("groups", "mine"),
    [
        (
            [f"{number:08x}-0000-4000-8000-000000000000" for number in range(500)],
            "000001f3-0000-4000-8000-000000000000",
        ),
        (list(range(4000)), "3999"),
        ([f"CN=group {number},OU=groups,DC=example,DC=org" for number in range(400)] + ["x" * 300], "x" * 300),
    ],
)
def test_a_person_may_be_in_hundreds_of_groups(
    make_authenticator: MakeAuthenticator, keys: Keys, groups: list[Any], mine: str
) -> None:
    authenticator = make_authenticator(
        role_claim="groups", roles={mine: Role.OPERATOR}, departments_claim="groups", departments={mine: "dept123"}
    )
    grant = authenticator.authenticate(_token(_claims(groups=groups), keys["RS256"], "RS256"), NOW)
    assert (grant.role, grant.departments) == (Role.OPERATOR, {"dept123"})


def test_groups_that_the_provider_left_out_are_told_as_such(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    authenticator = make_authenticator(role_claim="groups", roles={"a": Role.OPERATOR})
    token = _token(_claims(_claim_names={"groups": "src1"}), keys["RS256"], "RS256")
    with pytest.raises(Refused, match=r"too many groups.*assigned to this application") as refused:
        authenticator.authenticate(token, NOW)
    assert refused.value.code is Code.FORBIDDEN


@pytest.mark.parametrize(
    "pasted",
    [
        "Bearer {}",
        "bearer  {}\r\n",
        " {}\n",
        "\ufeff{}",
        '"{}"',
        "Authorization: Bearer {}",
        "Token: {}",
        "\u200b{}\u00a0",
        "`{}`,",
    ],
)
def test_what_surrounds_a_pasted_token_is_taken_off(
    make_authenticator: MakeAuthenticator, keys: Keys, pasted: str
) -> None:
    token = _token(_claims(), keys["RS256"], "RS256")
    folded = "\r\n".join(token[start : start + 76] for start in range(0, len(token), 76))
    for one in (token, folded, issue(SECRET, Role.ADMIN, None, 60, "screen", START)):
        assert make_authenticator().authenticate(pasted.format(one), NOW)


@pytest.mark.parametrize("empty", ["", " \r\n", "Bearer", "Bearer ", '""', "\ufeff"])
def test_a_token_of_nothing_but_its_surroundings_is_missing(make_authenticator: MakeAuthenticator, empty: str) -> None:
    with pytest.raises(Refused, match="A token is needed"):
        make_authenticator().authenticate(empty, NOW)


def test_one_of_several_audiences_is_enough(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    assert make_authenticator().authenticate(_token(_claims(aud=["mail", AUDIENCE]), keys["RS256"], "RS256"), NOW)


def test_an_issuers_expired_token_is_refused_with_a_code_of_its_own(
    make_authenticator: MakeAuthenticator, keys: Keys
) -> None:
    token = _token(_claims(exp=START.timestamp()), keys["RS256"], "RS256")
    assert _refusal(make_authenticator(), token) is Code.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("most", "said", "expected"),
    [
        (Role.VIEWER, "admin", Role.VIEWER),
        (Role.OPERATOR, "admin", Role.OPERATOR),
        (Role.OPERATOR, "viewer", Role.VIEWER),
        (Role.ADMIN, ["viewer", "admin", "unheard-of"], Role.ADMIN),
    ],
)
def test_no_role_is_higher_than_the_configuration_allows(
    make_authenticator: MakeAuthenticator, keys: Keys, most: Role, said: Any, expected: Any
) -> None:
    token = _token(_claims(role=said), keys["RS256"], "RS256")
    assert make_authenticator(maximum_role=most).authenticate(token, NOW).role is expected


@pytest.mark.parametrize("said", [None, "", "root", "ADMIN", [], ["root"]])
def test_a_token_without_a_known_role_is_refused(make_authenticator: MakeAuthenticator, keys: Keys, said: Any) -> None:
    assert _refusal(make_authenticator(), _token(_claims(role=said), keys["RS256"], "RS256")) is Code.FORBIDDEN


def test_configured_words_are_mapped_to_roles_and_departments(
    make_authenticator: MakeAuthenticator, keys: Keys
) -> None:
    authenticator = make_authenticator(
        role_claim="groups",
        roles={"net-admins": Role.ADMIN, "helpdesk": Role.OPERATOR},
        departments_claim="units",
        departments={"Radiology": "dept123", "Campus": "*"},
    )
    claims = _claims(groups=["staff", "helpdesk"], units=["Radiology", "Nowhere"], role="admin", departments="*")
    grant = authenticator.authenticate(_token(claims, keys["RS256"], "RS256"), NOW)
    assert (grant.role, grant.departments) == (Role.OPERATOR, {"dept123"})
    everywhere = authenticator.authenticate(_token({**claims, "units": "Campus"}, keys["RS256"], "RS256"), NOW)
    assert everywhere.departments is None


def test_a_token_without_departments_sees_none(make_authenticator: MakeAuthenticator, keys: Keys) -> None:
    grant = make_authenticator().authenticate(_token(_claims(departments=None), keys["RS256"], "RS256"), NOW)
    assert not grant.may_see("dept123")


def test_an_issuers_token_is_listed_and_can_be_revoked(
    make_authenticator: MakeAuthenticator, keys: Keys, people_store: SqlitePeopleStore
) -> None:
    authenticator, token = make_authenticator(), _token(_claims(), keys["RS256"], "RS256")
    grant = authenticator.authenticate(token, NOW)
    (listed,) = people_store.tokens()
    assert (listed.id, listed.origin) == (grant.id, TokenOrigin.ISSUER)
    people_store.revoke(listed, START)
    authenticator.step(NOW)
    assert _refusal(authenticator, token) is Code.UNAUTHORIZED
    assert authenticator.authenticate(_token(_claims(jti="2"), keys["RS256"], "RS256"), NOW)


def test_tokens_without_an_id_get_different_ids(
    make_authenticator: MakeAuthenticator, keys: Keys, people_store: SqlitePeopleStore
) -> None:
    for subject in ("anna", "ben"):
        make_authenticator().authenticate(_token(_claims(jti=None, sub=subject), keys["RS256"], "RS256"), NOW)
    assert len({token.id for token in people_store.tokens()}) == 2


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", ed25519.Ed25519PrivateKey.generate()),
        ("EdDSA", rsa.generate_private_key(65537, 2048)),
        ("RS256", rsa.generate_private_key(65537, 1024)),
        ("EdDSA", ec.generate_private_key(ec.SECP256R1())),
    ],
)
def test_a_key_of_the_wrong_kind_is_refused_at_the_start(tmp_path: Path, algorithm: str, key: Any) -> None:
    path = tmp_path / "issuer.pem"
    path.write_bytes(_public_pem(key))
    with pytest.raises(AccessError, match=f"{algorithm} takes"):
        load_issuers([IssuerSection(iss=ISS, algorithm=algorithm, key=str(path), audience=AUDIENCE)])


def test_a_file_that_is_no_public_key_is_refused_at_the_start(tmp_path: Path, keys: Keys) -> None:
    private = keys["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"nonsense", private):
        (tmp_path / "issuer.pem").write_bytes(content)
        with pytest.raises(AccessError, match=r"issuer\.pem"):
            _load(tmp_path / "issuer.pem")
    with pytest.raises(AccessError, match="nowhere"):
        _load(tmp_path / "nowhere.pem")


def _load(path: Path) -> None:
    load_issuers([IssuerSection(iss=ISS, algorithm="RS256", key=str(path), audience=AUDIENCE)])


# Signed by `cryptography` itself, so that the code under test does not make what it judges.
SIGN = {
    "RS256": lambda key, text: key.sign(text, padding.PKCS1v15(), hashes.SHA256()),
    "RS384": lambda key, text: key.sign(text, padding.PKCS1v15(), hashes.SHA384()),
    "RS512": lambda key, text: key.sign(text, padding.PKCS1v15(), hashes.SHA512()),
    "PS256": lambda key, text: key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
    "ES256": lambda key, text: key.sign(text, ec.ECDSA(hashes.SHA256())),
    "EdDSA": lambda key, text: key.sign(text),
    "HS256": lambda key, text: hmac.digest(key, text, "sha256"),
    "HS384": lambda key, text: hmac.digest(key, text, "sha384"),
    "HS512": lambda key, text: hmac.digest(key, text, "sha512"),
}


def _token(claims: object, key: Any, algorithm: str, header: dict[str, Any] | None = None) -> str:
    text = f"{_part({'alg': algorithm, 'typ': 'JWT', **(header or {})})}.{_part(claims)}"
    return f"{text}.{_text(SIGN[algorithm](key, text.encode()))}"


def _part(content: object) -> str:
    return _text(json.dumps(content).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
