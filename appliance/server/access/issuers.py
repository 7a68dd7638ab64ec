"""Judges tokens of the organisation's own issuers, by their public key and the configuration.

An issuer says who a person is. The configuration says what that is worth here: which words of a claim mean which role
and which department, and the highest role that this issuer can give. Unknown words give nothing.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from appliance.config.sections import IssuerSection
from appliance.core.access.person import Role, TokenOrigin, highest
from appliance.core.access.token_lifetime import Lifetime
from appliance.core.refusal import Code, Refused
from appliance.server.access.errors import AccessError
from appliance.server.access.signing import PublicKeyAlgorithm, Verifier
from appliance.server.access.tokens import Grant, Instant, moment_of

LARGEST_KEY_FILE_BYTES = 65_536  # an RSA key of 16,384 bits is 3 kB
LEAST_RSA_BITS = 2048  # RFC 7518, section 3.3
LONGEST_SUBJECT = 255  # OpenID Connect Core, section 2

# The token as a whole is bounded, and so are the words in it: a person may be in hundreds of groups.
Word = str | int  # numbers where the provider names groups and people so
Words = Word | list[Word]
LargeId = Annotated[str, Meta(max_length=1024)] | int  # only a digest of it is kept
IssuerSubject = Annotated[str, Meta(min_length=1, max_length=LONGEST_SUBJECT)] | int
LEFT_OUT = "_claim_names"  # OpenID Connect Core, section 5.6.2: the provider gives a claim elsewhere


class _IssuerClaims(Struct, frozen=True):
    """The claims that every issuer's token must have; role and departments are in claims of configured names."""

    sub: IssuerSubject
    iss: str
    aud: Words
    exp: Instant
    iat: Instant = 0.0
    nbf: Instant | None = None
    jti: LargeId | None = None


class Issuer:
    """Judges one issuer's tokens."""

    def __init__(self, section: IssuerSection) -> None:
        """Load the public key. Raises `AccessError`."""
        self._section = section
        self._verifier = Verifier(section.algorithm, b"", _algorithm(section))

    def verify(self, token: str) -> Grant:
        """Verify a token of this issuer and return what it allows here. Raises `Refused`."""
        payload = self._verifier.verified(token)
        try:
            claims = msgspec.json.decode(payload, type=_IssuerClaims)
            words: dict[str, Any] = msgspec.json.decode(payload)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Refused(Code.UNAUTHORIZED, f"The token's claims cannot be used: {error}") from None
        if claims.iss != self._section.iss or self._section.audience not in _listed(claims.aud):
            raise Refused(Code.UNAUTHORIZED, "The token was not made for this appliance")
        return Grant(
            subject=f"{claims.sub} ({claims.iss})",
            role=self._role(words),
            departments=self._departments(words),
            lifetime=Lifetime(moment_of(claims.iat), moment_of(claims.exp)),
            id=self._id(claims.jti, token),
            origin=TokenOrigin.ISSUER,
            not_before=None if claims.nbf is None else moment_of(claims.nbf),
        )

    def _role(self, words: dict[str, Any]) -> Role:
        known = self._section.roles or {str(role): role for role in Role}
        said = _words(words, self._section.role_claim)
        role = highest((known[word] for word in said if word in known), self._section.maximum_role)
        if role is None:
            raise Refused(
                Code.FORBIDDEN, f'The token\'s "{self._section.role_claim}" names no role that this appliance knows'
            )
        return role

    def _departments(self, words: dict[str, Any]) -> frozenset[str] | None:
        claim = self._section.departments_claim
        said = _words(words, claim)
        known = self._section.departments
        meant = said if known is None else [known[word] for word in said if word in known]
        return None if "*" in meant else frozenset(meant)

    def _id(self, jti: str | int | None, token: str) -> str:
        """The id for revocation: two issuers may give the same `jti`, and some give none."""
        text = f"{self._section.iss}\n{jti if jti is not None else token}"
        return f"x{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def load_issuers(sections: Sequence[IssuerSection]) -> dict[str, Issuer]:
    """The issuers by their `iss`. Raises `AccessError`."""
    return {section.iss: Issuer(section) for section in sections}


def _algorithm(section: IssuerSection) -> PublicKeyAlgorithm:
    """The algorithm bound to the public key in the issuer's file. Raises `AccessError`."""
    # Imported only where there are issuers: it takes 9 MB of resident memory.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    path = Path(section.key)
    try:
        with path.open("rb") as file:
            key = load_pem_public_key(file.read(LARGEST_KEY_FILE_BYTES))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise AccessError(f"{path}: not a readable public key in PEM: {error}") from None
    if section.algorithm == "RS256" and isinstance(key, rsa.RSAPublicKey) and key.key_size >= LEAST_RSA_BITS:
        return PublicKeyAlgorithm(key, padding.PKCS1v15(), hashes.SHA256())
    if section.algorithm == "EdDSA" and isinstance(key, ed25519.Ed25519PublicKey):
        return PublicKeyAlgorithm(key)
    needed = {"RS256": f"an RSA key of at least {LEAST_RSA_BITS} bits", "EdDSA": "an Ed25519 key"}
    raise AccessError(f"{path}: {section.algorithm} takes {needed[section.algorithm]}; this is another key")


def _words(claims: dict[str, Any], claim: str) -> list[str]:
    said, elsewhere = claims.get(claim), claims.get(LEFT_OUT)
    if said is None and isinstance(elsewhere, dict) and claim in elsewhere:
        raise Refused(
            Code.FORBIDDEN,
            f'The identity provider left "{claim}" out of the token, because the person is in too many groups; '
            "have it send only the groups that are assigned to this application",
        )
    try:
        return _listed(msgspec.convert([] if said is None else said, Words))
    except msgspec.ValidationError:
        raise Refused(Code.UNAUTHORIZED, f'The token\'s "{claim}" is neither a text nor a list of texts') from None


def _listed(words: str | int | list[str | int]) -> list[str]:
    return [str(word) for word in (words if isinstance(words, list) else [words])]
