"""What the appliance says of itself to the people who look at it."""

import socket
from collections.abc import Sequence

from msgspec import Struct

from appliance.config import Config
from appliance.core.metering.department import Department
from appliance.core.version import VERSION


class Profile(Struct, frozen=True, kw_only=True):
    """The appliance as it was started. `name`: of its computer; `started_s`: when, by the monotonic clock."""

    name: str
    version: str
    is_simulated: bool
    started_s: float
    config: Config
    departments: Sequence[Department]


def profile_of(config: Config, started_s: float, *, is_simulated: bool) -> Profile:
    """The profile of an appliance that starts with this configuration."""
    return Profile(
        name=socket.gethostname(),
        version=VERSION,
        is_simulated=is_simulated,
        started_s=started_s,
        config=config,
        departments=config.as_departments(),
    )
