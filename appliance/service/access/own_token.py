"""Reads the secret of the state directory, and makes the command line's own token with it.

A user who can read the secret is the appliance's administrator already; asking for a password would add nothing.
"""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from appliance.core.access.token_lifetime import Issuance
from appliance.server.access import AccessError, Role, issue
from appliance.system.device.clock import boot_id
from appliance.system.storage import secret_file
from appliance.system.storage.secret_file import SecretUnavailable

TTL_S = 3600  # a watch longer than this renews its token when it reconnects


def load_secret(state_dir: Path) -> bytes:
    """The secret that signs tokens, made when it is missing. Raises `AccessError`."""
    try:
        return secret_file.load_secret(state_dir)
    except SecretUnavailable as error:
        raise AccessError(str(error)) from None


def own_token(state_dir: Path) -> str:
    """A new administrator's token for the person at the command line. Raises `AccessError`."""
    boot = boot_id()
    birth = Issuance(boot, monotonic()) if boot else None
    subject = f"cli:{user_name()}"
    return issue(load_secret(state_dir), Role.ADMIN, None, TTL_S, subject, datetime.now(UTC), birth)


def user_name() -> str:
    """The name of the user who runs this; their number where they have no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
