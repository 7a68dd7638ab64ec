"""Issues and judges tokens, and keeps the people and the audit trail behind them."""

from appliance.core.access.person import Role
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.secret import AccessError, load_secret
from appliance.server.access.tokens import Grant, issue, this_boot

__all__ = ["AccessError", "Authenticator", "Grant", "Role", "issue", "load_secret", "this_boot"]
