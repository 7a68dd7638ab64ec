"""Signs and verifies tokens with PyJWT; each verifier knows exactly one algorithm.

The algorithm belongs to the key, and the token cannot choose it (RFC 8725, sections 3.1 and 3.2): a verifier that knows
only RS256 takes neither a public key for HS256's secret nor an unsigned token.
"""

import sys
from functools import lru_cache
from typing import Any, cast

# PyJWT loads cryptography where it is installed: 11 MB resident that our own HS256 does not use.
_hidden = "cryptography" not in sys.modules
if _hidden:
    sys.modules["cryptography"] = cast("Any", None)
try:
    from jwt.algorithms import Algorithm
    from jwt.api_jws import PyJWS
    from jwt.exceptions import PyJWTError
finally:
    if _hidden:
        del sys.modules["cryptography"]

from appliance.core.refusal import Code, Refused  # noqa: E402  only after cryptography is hidden

OWN_ALGORITHM = "HS256"


class PublicKeyAlgorithm(Algorithm):
    """Verifies with a public key of `cryptography`. `rest`: what its `verify` takes after signature and message."""

    def __init__(self, public_key: Any, *rest: Any) -> None:
        self._public_key = public_key
        self._rest = rest

    def prepare_key(self, key: Any) -> Any:
        """Return the key unchanged: the public key is bound already."""
        return key

    def verify(self, msg: bytes, key: Any, sig: bytes) -> bool:  # noqa: ARG002  the base class's signature
        """Whether this is the issuer's signature of the message."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._public_key.verify(sig, msg, *self._rest)
        except InvalidSignature:
            return False
        return True

    def _unavailable(*_: Any, **__: Any) -> Any:
        """A public key signs nothing, and keys come from files only."""
        raise NotImplementedError

    sign = to_jwk = from_jwk = _unavailable


class Verifier:
    """Verifies the signature of tokens and returns their payload."""

    def __init__(self, algorithm: str, key: bytes, implementation: Algorithm | None = None) -> None:
        """`implementation`: of the algorithm; `None`: the one of PyJWT."""
        self._algorithm, self._key = algorithm, key
        self._jws = PyJWS(algorithms=[] if implementation else [algorithm])
        if implementation:
            self._jws.register_algorithm(algorithm, implementation)

    def verified(self, token: str) -> bytes:
        """The payload of a token with a good signature. Raises `Refused`."""
        try:
            return cast("bytes", self._jws.decode(token, self._key, algorithms=[self._algorithm]))
        # A hostile header makes `json` and `base64` raise, and PyJWT lets these exceptions through.
        except (PyJWTError, ValueError, TypeError, AttributeError, KeyError, RecursionError):
            raise Refused(
                Code.UNAUTHORIZED, "The token is not one of this appliance; ask its administrator for a new one"
            ) from None


@lru_cache(maxsize=4)  # there is one secret, and one issuer or two
def own_verifier(secret: bytes) -> Verifier:
    """The verifier of tokens that this secret has signed."""
    return Verifier(OWN_ALGORITHM, secret)


def signed(payload: bytes, secret: bytes) -> str:
    """The payload as a token of ours."""
    return PyJWS(algorithms=[OWN_ALGORITHM]).encode(payload, secret, OWN_ALGORITHM)
