"""Issues and judges tokens, and keeps the people and the audit trail behind them."""

from appliance.core.access.person import Role
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.errors import AccessError
from appliance.server.access.tokens import Grant, issue

__all__ = ["AccessError", "Authenticator", "Grant", "Role", "issue"]
