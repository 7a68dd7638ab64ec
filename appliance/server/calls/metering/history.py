"""Calls about history."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from appliance.core.metering.history_series import ALL_HOSTS, Series, Step
from appliance.core.metering.usage import Passed
from appliance.core.moment import timestamp
from appliance.core.refusal import Code, Refused
from appliance.server.calls.arguments import Argument, DepartmentId, HostAddress, Instant, host_of
from appliance.server.calls.context import Context, require_department
from appliance.server.calls.reply import Reply

_start_text = lru_cache(maxsize=8192)(timestamp)  # all departments of a page ask for the same buckets
LIVE = "second"  # a metering period, whatever its length: what a live chart shows when it is opened
StepName = Literal["second", "minute", "5min", "hour", "day", "month"]
StepWord = Annotated[StepName, Meta(description="one of " + ", ".join(get_args(StepName)))]


class HistoryArgument(Argument, frozen=True, kw_only=True, rename="camel"):
    """The argument of `history:get`. `department_id`: `None` for the sum of all that the caller may see.

    `host`: `None` for the whole department; `until` is not in the range.
    """

    department_id: DepartmentId | None
    host: HostAddress | None = None
    since: Instant = msgspec.field(name="from")
    until: Instant = msgspec.field(name="to")
    step: StepWord


class HistoryReply(Reply, frozen=True, kw_only=True, rename="camel"):
    """The bytes that passed. `points`: the start of each bucket, and its bytes up and down, the oldest first.

    `expected`: the start of each bucket, and the least and most bytes, up and down together, that are usual for it;
    only where enough weeks are known.
    """

    department_id: str | None
    host: str | None
    step: StepName
    points: list[tuple[str, int, int]]
    expected: list[tuple[str, int, int]] | UnsetType = UNSET

    def payload(self) -> dict[str, Any]:
        """The reply in its form on the wire. The points have it already: copying thousands would take a tenth more."""
        rest = msgspec.to_builtins(msgspec.structs.replace(self, points=[], expected=UNSET))
        return {**rest, "points": self.points, **({} if self.expected is UNSET else {"expected": self.expected})}


def history(context: Context, asked: HistoryArgument) -> HistoryReply:
    """The bytes of each bucket, up and down, with its start, and what is usual for it."""
    host, series = _series(context, asked)
    found, expected = _live(context, asked, series) if asked.step == LIVE else _kept(context, asked, series)
    return HistoryReply(
        department_id=asked.department_id,
        host=host,
        step=asked.step,
        points=[(_start_text(start), passed.up_bytes, passed.down_bytes) for start, passed in found.items()],
        expected=[(_start_text(start), *usual) for start, usual in expected.items()] or UNSET,
    )


_Usual = Mapping[datetime, tuple[int, int]]


def _series(context: Context, asked: HistoryArgument) -> tuple[str | None, Sequence[Series]]:
    """The host's canonical name, and the series whose sum is asked for. Raises `Refused`."""
    services, host = context.services, None if asked.host is None else host_of(asked.host)
    if asked.department_id is None:
        if host is not None:
            raise Refused(Code.BAD_REQUEST, "host: belongs to one department; name it as departmentId")
        return None, [(one, ALL_HOSTS) for one in sorted(services.departments) if context.caller.grant.may_see(one)]
    require_department(context, asked.department_id)
    names = [ALL_HOSTS] if host is None else services.metering.devices.series(asked.department_id, host)
    return host, [(asked.department_id, one) for one in names]


def _live(
    context: Context, asked: HistoryArgument, series: Sequence[Series]
) -> tuple[Mapping[datetime, Passed], _Usual]:
    if asked.host is not None:
        raise Refused(Code.BAD_REQUEST, f'host: a host has no step "{LIVE}"; its narrowest is "{Step.MINUTE}"')
    departments, periods = [department for department, _ in series], context.services.history.recent_periods
    return periods.recall(departments, asked.since, asked.until, context.now), {}


def _kept(
    context: Context, asked: HistoryArgument, series: Sequence[Series]
) -> tuple[Mapping[datetime, Passed], _Usual]:
    whole, step, recorder = (series, asked.since, asked.until), Step(asked.step), context.services.history
    found = recorder.query(*whole, step, context.give_way)
    return found, recorder.expected(*whole, step, context.give_way) if asked.host is None else {}
