"""Admits by token: slows down addresses that keep sending bad ones."""

import math

from appliance.core.access.login_backoff import LoginBackoff
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.tokens import Grant


class TokenAdmission:
    """Judges the token of a connection or of a request for a page."""

    def __init__(self, authenticator: Authenticator, login_backoff: LoginBackoff) -> None:
        self._authenticator = authenticator
        self._login_backoff = login_backoff

    def admit(self, token: object, address: str, now: Moment) -> Grant:
        """What this token allows. Raises `Refused`; `E_RATE_LIMITED` while this address has to wait.

        A valid token is admitted while its address waits, so that one client behind a NAT does not lock out the others:
        a signature cannot be guessed. No token at all costs nothing, and neither does an expired one.
        """
        try:
            return self._authenticator.authenticate(token, now)
        except Refused as refused:
            if token is None or refused.code is not Code.UNAUTHORIZED:
                raise
            wait_s = self._login_backoff.wait_s(address, now.monotonic_s)
            self._login_backoff.count_refusal(address, now.monotonic_s)
            if not wait_s:
                raise
            text = f"too many refused tokens from your address; wait {math.ceil(wait_s)} s, then try a good one"
            raise Refused(Code.RATE_LIMITED, text) from None
