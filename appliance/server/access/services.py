"""The reception: all that the server needs to let people in, in one value."""

from dataclasses import dataclass

from appliance.server.access.audit_records import Records
from appliance.server.access.authenticator import Keeper
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import People


@dataclass(frozen=True, slots=True)
class Reception:
    """Who judges tokens, who knows people, how the first one comes in, and where all that is recorded."""

    keeper: Keeper
    people: People
    pairing: Pairing
    records: Records
