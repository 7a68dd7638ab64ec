"""Why a request is refused: one exception and the contract's codes, shared by all that can say no."""

from enum import StrEnum


class Code(StrEnum):
    """The contract's error codes, as they travel on the wire."""

    UNAUTHORIZED = "E_UNAUTHORIZED"
    FORBIDDEN = "E_FORBIDDEN"
    TOKEN_EXPIRED = "E_TOKEN_EXPIRED"  # noqa: S105  a code, not a secret
    BAD_REQUEST = "E_BAD_REQUEST"
    UNKNOWN_DEPARTMENT = "E_UNKNOWN_DEPARTMENT"
    RATE_LIMITED = "E_RATE_LIMITED"
    MAINTENANCE = "E_MAINTENANCE"
    NOT_ENFORCEABLE = "E_NOT_ENFORCEABLE"
    PROTECTED_ADDRESS = "E_PROTECTED_ADDRESS"
    QUOTA_EXCEEDED = "E_QUOTA_EXCEEDED"
    INTERNAL = "E_INTERNAL"


class Refused(Exception):
    """A request that is not carried out; the text tells a person what to do about it."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
