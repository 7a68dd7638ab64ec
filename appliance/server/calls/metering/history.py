"""Calls about history."""

from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from appliance.core.metering.history_series import Step
from appliance.core.moment import timestamp
from appliance.server.calls.arguments import Argument, DepartmentId, HostAddress, Instant, host_of
from appliance.server.calls.context import Context, give_way, require_department
from appliance.server.calls.reply import Reply

_start_text = lru_cache(maxsize=8192)(timestamp)  # all departments of a page ask for the same buckets
StepWord = Annotated[Step, Meta(description="one of " + ", ".join(Step))]


class HistoryArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `history:get`. `host`: `None` for the whole department; `until` is not in the range."""

    department_id: DepartmentId
    host: HostAddress | None = None
    since: Instant = msgspec.field(name="from")
    until: Instant = msgspec.field(name="to")
    step: StepWord


class HistoryReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The bytes that passed. `points`: the start of each bucket, and its bytes up and down, the oldest first."""

    department_id: str
    host: str | None
    step: Step
    points: list[tuple[str, int, int]]

    def payload(self) -> dict[str, Any]:
        """The reply in its form on the wire. The points have it already: copying thousands would take a tenth more."""
        rest = msgspec.to_builtins(msgspec.structs.replace(self, points=[]))
        return {**rest, "points": self.points}


def history(context: Context, asked: HistoryArgument) -> HistoryReply:
    """The bytes of each bucket, up and down, with its start."""
    require_department(context, asked.department_id)
    host = None if asked.host is None else host_of(asked.host)
    hosts = () if host is None else context.services.metering.devices.series(asked.department_id, host)
    found = context.services.history.query(asked.department_id, hosts, asked.since, asked.until, asked.step, give_way)
    return HistoryReply(
        department_id=asked.department_id,
        host=host,
        step=asked.step,
        points=[(_start_text(start), passed.up_bytes, passed.down_bytes) for start, passed in found.items()],
    )
