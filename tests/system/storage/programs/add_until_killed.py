"""Adds to two sums of the history at once, and prints how often."""

import sys
from pathlib import Path

from appliance.core.metering.history_series import Step
from appliance.system.storage.history_store import SqliteHistoryStore

history_store = SqliteHistoryStore(Path(sys.argv[1]))
for count in range(1, 1_000_000):
    history_store.accumulate({("lab", ""): {(step, 7): [1, 0] for step in (Step.HOUR, Step.DAY)}})
    print(count, flush=True)
