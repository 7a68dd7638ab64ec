"""Saves growing ledgers, and prints each that is saved."""

import sys
from datetime import UTC, date, datetime
from pathlib import Path

from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Ledger, QuotaKind
from appliance.core.metering.usage import Mark
from appliance.system.storage.store import SqliteStore

ACCOUNT = AccountKey("a")
store = SqliteStore(Path(sys.argv[1]))
for used in range(1, 1_000_000):
    ledger = Ledger(QuotaKind.DAILY, date(2026, 11, 23), used)
    store.save_metering({ACCOUNT: [ledger]}, {ACCOUNT: Mark("x", used, 0)}, datetime.now(UTC))
    print(used, flush=True)
