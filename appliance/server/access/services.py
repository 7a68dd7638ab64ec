"""The reception: all that the server needs to let people in, in one value."""

from dataclasses import dataclass

from appliance.server.access.audit_records import AuditRecords
from appliance.server.access.authenticator import Authenticator
from appliance.server.access.pairing import Pairing
from appliance.server.access.people import People


@dataclass(frozen=True, slots=True)
class AccessServices:
    """Who judges tokens, who knows people, how the first one comes in, and where all that is recorded."""

    authenticator: Authenticator
    people: People
    pairing: Pairing
    records: AuditRecords
