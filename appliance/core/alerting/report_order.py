"""Reports by mail: which are to be sent, and what identifies the latest that was."""

from datetime import time
from typing import NamedTuple

from msgspec import Struct

from appliance.core.metering.quota import QuotaKind


class ReportKey(NamedTuple):
    """Reports of one kind of span about one department by one channel, of which each is sent once."""

    channel: str
    department: str
    kind: QuotaKind


class ReportOrder(Struct, frozen=True):
    """A report that is to be sent for each span. `at`: the local time, on the day after the span."""

    channel: str
    department: str
    kind: QuotaKind
    at: time

    @property
    def key(self) -> ReportKey:
        """What it is about, and by which channel it goes."""
        return ReportKey(self.channel, self.department, self.kind)
