"""Remarks: what a valid configuration says that its author may have meant otherwise."""

from collections.abc import Iterator
from itertools import product

from appliance.config.sections import Config
from appliance.core.blocking.targets import overlap
from appliance.core.operations.maintenance_window import InMaintenance

OPEN_TEXT = (
    'maintenance: enforcement = "opens": while a maintenance runs, begun by an administrator, the button or a plan, '
    "no block and no quota holds"
)
MIRRORED_TEXT = 'maintenance: enforcement = "opens" changes nothing; this position enforces nothing'


def remarks(config: Config) -> Iterator[str]:
    """A line for each remark, beginning with the section."""
    if config.maintenance.enforcement is InMaintenance.OPENS:
        yield OPEN_TEXT if config.as_in_maintenance() is InMaintenance.OPENS else MIRRORED_TEXT
    for one in config.departments:
        for exempt, subnet in product(one.exempt, one.subnets):
            if overlap(exempt.network, subnet.network):
                yield (
                    f'departments: "{one.id}" exempts {exempt.network}, which is in its own subnets; exempt names '
                    "destinations, so that the department's hosts there are counted and limited all the same"
                )
