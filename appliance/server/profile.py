"""What the appliance says of itself to the people who look at it."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version

from appliance.config import Config
from appliance.core.metering.department import Department
from appliance.core.moment import Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The appliance as it was started. `name`: of its computer; `started_s`: when, by the monotonic clock."""

    name: str
    version: str
    is_simulated: bool
    started_s: float
    config: Config
    departments: Sequence[Department]

    def started_at(self, now: Moment) -> datetime:
        """When it was started, to the second, as the wall clock says now: it may have been wrong then."""
        began = now.wall - timedelta(seconds=now.monotonic_s - self.started_s)
        return datetime.fromtimestamp(round(began.timestamp()), now.wall.tzinfo)


def profile_of(config: Config, now: Moment, *, is_simulated: bool) -> Profile:
    """The profile of an appliance that starts now."""
    return Profile(
        name=socket.gethostname(),
        version=version("appliance"),
        is_simulated=is_simulated,
        started_s=now.monotonic_s,
        config=config,
        departments=config.as_departments(),
    )
