"""Access: the secret that signs tokens, the tokens, who has one, and what their holders may do."""

from appliance.core.access.person import Role
from appliance.server.access.authenticator import Keeper
from appliance.server.access.secret import AccessError, load_secret
from appliance.server.access.tokens import Grant, issue, this_boot

__all__ = ["AccessError", "Grant", "Keeper", "Role", "issue", "load_secret", "this_boot"]
