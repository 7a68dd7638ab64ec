"""Refusals of requests: one exception and the contract's error codes."""

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
    CONFLICT = "E_CONFLICT"
    NOT_ENFORCEABLE = "E_NOT_ENFORCEABLE"
    PROTECTED_ADDRESS = "E_PROTECTED_ADDRESS"
    QUOTA_EXCEEDED = "E_QUOTA_EXCEEDED"
    INTERNAL = "E_INTERNAL"


class Refused(Exception):
    """A request was not carried out; the message says what a person can do about it."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class MustWait(Refused):
    """A request came too soon or found no place. `wait_s`: seconds until the next may be made."""

    def __init__(self, message: str, wait_s: float) -> None:
        super().__init__(Code.RATE_LIMITED, message)
        self.wait_s = wait_s
