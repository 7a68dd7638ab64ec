"""Records 50 entries in an audit trail to which another program writes too."""

import sys
from pathlib import Path

from appliance.core.access.audit_entry import AuditEntry
from appliance.system.storage.audit_store import SqliteAuditStore

trail = SqliteAuditStore(Path(sys.argv[1]))
for number in range(50):
    trail.record(AuditEntry("", "other", "", None, str(number)))
