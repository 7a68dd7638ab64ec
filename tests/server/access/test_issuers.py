"""An organisation's own tokens, by RFC 8725: one algorithm to a key, one audience, and no word more than allowed."""

import base64
import hmac
import json
from datetime import timedelta

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


@pytest.fixture(scope="module")
def keys():
    """By algorithm, a private key of the issuer."""
    return {
        "RS256": rsa.generate_private_key(65537, 2048),
        "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        "other RS256": rsa.generate_private_key(65537, 2048),
    }


def _public_pem(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def people_store(tmp_path):
    people_store = SqlitePeopleStore(tmp_path / "people.sqlite3")
    yield people_store
    people_store.close()


@pytest.fixture
def authenticator(tmp_path, keys, people_store):
    """Makes a keeper that knows an issuer with this key and these settings."""

    def authenticator(algorithm="RS256", **settings):
        path = tmp_path / "issuer.pem"
        path.write_bytes(_public_pem(keys[algorithm]))
        section = IssuerSection(
            iss=ISS, algorithm=algorithm, key=str(path), audience=AUDIENCE, **{"maximum_role": Role.ADMIN, **settings}
        )
        return Authenticator(SECRET, load_issuers([section]), people_store, None, NOW)

    return authenticator


def _claims(**changed):
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


def _refusal(authenticator, token):
    with pytest.raises(Refused) as refused:
        authenticator.authenticate(token, NOW)
    return refused.value.code


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_the_issuers_word_is_taken(authenticator, keys, algorithm):
    grant = authenticator(algorithm).authenticate(_token(_claims(), keys[algorithm], algorithm), NOW)
    assert (grant.role, grant.departments, grant.origin) == (Role.OPERATOR, {"dept123"}, TokenOrigin.ISSUER)
    assert grant.subject == f"anna ({ISS})"  # nobody in the audit trail is taken for somebody else
    assert grant.lifetime.expires_at == START + timedelta(seconds=600)


def test_our_own_tokens_are_judged_by_our_own_secret_as_before(authenticator):
    own = issue(SECRET, Role.ADMIN, None, 60, "screen", START)
    assert authenticator().authenticate(own, NOW).subject == "screen"


def test_the_public_key_is_no_secret_to_sign_with(authenticator, keys):
    """Key confusion: HS256 with the public key's bytes, which everybody may have."""
    authenticator = authenticator()
    pem = _public_pem(keys["RS256"])
    der = keys["RS256"].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), der, b""):
        for algorithm in ("HS256", "HS384", "HS512"):
            for claims in (_claims(), _claims(iss="appliance", aud="appliance-clients")):
                assert _refusal(authenticator, _token(claims, secret, algorithm)) is Code.UNAUTHORIZED


def test_another_algorithm_of_the_same_key_is_refused(authenticator, keys):
    authenticator = authenticator()
    for algorithm in ("RS384", "RS512", "PS256"):
        assert _refusal(authenticator, _token(_claims(), keys["RS256"], algorithm)) is Code.UNAUTHORIZED


def test_another_key_is_refused_whatever_the_header_says(authenticator, keys):
    authenticator = authenticator()
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
def test_an_unsigned_token_is_refused(authenticator, keys, algorithm):
    authenticator = authenticator()
    good = _token(_claims(), keys["RS256"], "RS256").split(".")[2]
    head, payload = _part({"alg": algorithm, "typ": "JWT"}), _part(_claims())
    for signature in ("", good):
        assert _refusal(authenticator, f"{head}.{payload}.{signature}") is Code.UNAUTHORIZED


def test_a_signature_does_not_cover_other_claims(authenticator, keys):
    head, _, signature = _token(_claims(), keys["RS256"], "RS256").split(".")
    assert _refusal(authenticator(), f"{head}.{_part(_claims(role='admin'))}.{signature}") is Code.UNAUTHORIZED


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
        {"jti": 5},
        {"jti": "x" * 100},
        {"role": 5},
        {"role": {"admin": 1}},
        {"departments": 5},
        {"departments": [5]},
        {"departments": ["x"] * 300},
        {"nbf": START.timestamp() + 600},
    ],
)
def test_a_wrong_claim_is_refused_even_when_signed(authenticator, keys, changed):
    assert _refusal(authenticator(), _token(_claims(**changed), keys["RS256"], "RS256")) is Code.UNAUTHORIZED


def test_one_of_several_audiences_is_enough(authenticator, keys):
    assert authenticator().authenticate(_token(_claims(aud=["mail", AUDIENCE]), keys["RS256"], "RS256"), NOW)


def test_an_expired_token_is_told_so(authenticator, keys):
    token = _token(_claims(exp=START.timestamp()), keys["RS256"], "RS256")
    assert _refusal(authenticator(), token) is Code.TOKEN_EXPIRED


@pytest.mark.parametrize(
    ("most", "said", "expected"),
    [
        (Role.VIEWER, "admin", Role.VIEWER),
        (Role.OPERATOR, "admin", Role.OPERATOR),
        (Role.OPERATOR, "viewer", Role.VIEWER),
        (Role.ADMIN, ["viewer", "admin", "unheard-of"], Role.ADMIN),
    ],
)
def test_no_role_is_higher_than_the_configuration_allows(authenticator, keys, most, said, expected):
    token = _token(_claims(role=said), keys["RS256"], "RS256")
    assert authenticator(maximum_role=most).authenticate(token, NOW).role is expected


@pytest.mark.parametrize("said", [None, "", "root", "ADMIN", [], ["root"]])
def test_who_has_no_role_that_is_known_here_does_not_come_in(authenticator, keys, said):
    assert _refusal(authenticator(), _token(_claims(role=said), keys["RS256"], "RS256")) is Code.FORBIDDEN


def test_the_issuers_words_are_translated(authenticator, keys):
    authenticator = authenticator(
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


def test_who_has_no_department_sees_none(authenticator, keys):
    grant = authenticator().authenticate(_token(_claims(departments=None), keys["RS256"], "RS256"), NOW)
    assert not grant.may_see("dept123")


def test_an_issuers_token_is_listed_and_can_be_revoked(authenticator, keys, people_store):
    authenticator, token = authenticator(), _token(_claims(), keys["RS256"], "RS256")
    grant = authenticator.authenticate(token, NOW)
    (listed,) = people_store.tokens()
    assert (listed.id, listed.origin) == (grant.id, TokenOrigin.ISSUER)
    people_store.revoke(listed, START)
    authenticator.step(NOW)
    assert _refusal(authenticator, token) is Code.UNAUTHORIZED
    assert authenticator.authenticate(_token(_claims(jti="2"), keys["RS256"], "RS256"), NOW)


def test_tokens_without_an_id_are_told_apart(authenticator, keys, people_store):
    for subject in ("anna", "ben"):
        authenticator().authenticate(_token(_claims(jti=None, sub=subject), keys["RS256"], "RS256"), NOW)
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
def test_a_key_that_does_not_go_with_the_algorithm_is_told_at_the_start(tmp_path, algorithm, key):
    path = tmp_path / "issuer.pem"
    path.write_bytes(_public_pem(key))
    with pytest.raises(AccessError, match=f"{algorithm} takes"):
        load_issuers([IssuerSection(iss=ISS, algorithm=algorithm, key=str(path), audience=AUDIENCE)])


def test_a_file_that_is_no_public_key_is_told_at_the_start(tmp_path, keys):
    private = keys["RS256"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content in (b"", b"nonsense", private):
        (tmp_path / "issuer.pem").write_bytes(content)
        with pytest.raises(AccessError, match=r"issuer\.pem"):
            _load(tmp_path / "issuer.pem")
    with pytest.raises(AccessError, match="nowhere"):
        _load(tmp_path / "nowhere.pem")


def _load(path):
    load_issuers([IssuerSection(iss=ISS, algorithm="RS256", key=str(path), audience=AUDIENCE)])


# Signed by `cryptography` itself, so that what judges is not what made.
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


def _token(claims, key, algorithm, header=None):
    text = f"{_part({'alg': algorithm, 'typ': 'JWT', **(header or {})})}.{_part(claims)}"
    return f"{text}.{_text(SIGN[algorithm](key, text.encode()))}"


def _part(content):
    return _text(json.dumps(content).encode())


def _text(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
