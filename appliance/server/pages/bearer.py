"""Reads the token of a request for a page, and answers a bad one.

The token comes as `Authorization: Bearer` (RFC 6750), as the password of `Basic`, which a firewall can send that knows
only URLs, or as `X-Api-Key`.
"""

import base64
import binascii

from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.server.access import Grant
from appliance.server.access.admission import TokenAdmission
from appliance.server.http.request_filter import Environ
from appliance.server.http.site import Answer
from appliance.server.pages.login import refusal

ASKS_FOR_TOKEN = ("WWW-Authenticate", 'Bearer realm="appliance"')  # RFC 9110, section 11.6.1: with each 401


def grant_of(environ: Environ, admission: TokenAdmission, now: Moment) -> Grant:
    """What the token of this request allows. Raises `Refused`."""
    return admission.admit(_token_of(environ), environ["REMOTE_ADDR"], now)


def _token_of(environ: Environ) -> str | None:
    """The token of this request; `None`: it has none."""
    said = str(environ.get("HTTP_AUTHORIZATION", ""))
    kind, _, value = said.partition(" ")
    if kind.lower() == "bearer" or (kind and not value):
        return said  # the word is taken off with what else surrounds a pasted token
    if kind.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    key = environ.get("HTTP_X_API_KEY")
    return None if key is None else str(key)


def unauthorized(refused: Refused) -> Answer:
    """The answer to a request that is refused; with a 401 it asks for a token."""
    lacks_token = refused.code in {Code.UNAUTHORIZED, Code.TOKEN_EXPIRED}
    return refusal(refused, *([ASKS_FOR_TOKEN] if lacks_token else []))
