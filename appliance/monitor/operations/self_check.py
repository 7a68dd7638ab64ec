"""The self-check: whether the appliance does what it is there for now, whatever else may trouble it.

A load balancer asks whether it answers; a new version must show more, before it is confirmed. What lies outside of the
program, such as an interface without a cable, is no fault here.
"""

from collections.abc import Callable, Mapping

from appliance.core.moment import Moment
from appliance.monitor.blocking.enforcement import Enforcement
from appliance.monitor.metering.departments import Metering

GOOD = "ok"
# Each department's status comes at least each 30 s; a slow card holds a step up for some seconds.
SILENT_S = 45.0
MISSED_PERIODS = 3  # of metering, after which it counts as stopped


class SelfCheck:
    """Answers for each task whether it is done. `period_s`: of metering; `count_published`: events since the start.

    `store_obstacle`: why the state takes no changes; `None`: it does.
    """

    def __init__(
        self,
        *,
        metering: Metering,
        enforcement: Enforcement,
        period_s: float,
        count_published: Callable[[], int],
        store_obstacle: Callable[[], str | None],
    ) -> None:
        self._metering, self._enforcement = metering, enforcement
        self._late_s = max(SILENT_S, MISSED_PERIODS * period_s)
        self._count_published, self._store_obstacle = count_published, store_obstacle
        self._published, self._published_s = 0, 0.0

    def step(self, now: Moment) -> None:
        """Notice whether anything was published since the previous step."""
        published = self._count_published()
        if published != self._published:
            self._published, self._published_s = published, now.monotonic_s

    def tasks(self, now: Moment) -> Mapping[str, str]:
        """By task, `ok`, or a sentence about what is not done."""
        silent_s = now.monotonic_s - self._published_s
        publishing = f"nothing was published for {silent_s:.0f} s" if silent_s > SILENT_S else None
        found = {
            "metering": self._metering.fault(self._late_s, now),
            "publishing": publishing if self._published else "nothing was published yet",
            "enforcement": self._enforcement.fault(),
            "store": self._store_obstacle(),
        }
        return {task: fault or GOOD for task, fault in found.items()}
