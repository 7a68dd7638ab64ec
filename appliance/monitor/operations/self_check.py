"""The self-check: whether the appliance does what it is there for now, whatever else may trouble it.

A load balancer asks whether it answers; a new version must show more, before it is confirmed; and the supervisor hears
from the service only while its steps really work. What lies outside of the program, such as an interface without a
cable, is no fault here.
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

    `store_obstacle`: why the state takes no changes; `None`: it does. `store_answers`: whether a query comes back.
    """

    def __init__(
        self,
        *,
        metering: Metering,
        enforcement: Enforcement,
        period_s: float,
        count_published: Callable[[], int],
        store_obstacle: Callable[[], str | None],
        store_answers: Callable[[], bool],
    ) -> None:
        self._metering, self._enforcement = metering, enforcement
        self._late_s = max(SILENT_S, MISSED_PERIODS * period_s)
        self._count_published, self._store_obstacle = count_published, store_obstacle
        self._store_answers = store_answers
        self._published, self._published_s = 0, 0.0
        self._began_s: float | None = None

    def step(self, now: Moment) -> None:
        """Notice whether anything was published since the previous step."""
        if self._began_s is None:
            self._began_s = now.monotonic_s
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

    def stall(self, now: Moment) -> str | None:
        """Why the service should be started again; `None`: it meters, publishes, and its store answers.

        What the kernel or the medium refuses is an answer too: it is told, and a start would lose what is in memory.
        """
        began_s = now.monotonic_s if self._began_s is None else self._began_s
        silent_s = now.monotonic_s - max(self._published_s, began_s)
        if not self._store_answers():
            return "the store does not answer"
        if silent_s > SILENT_S:
            return f"nothing was published for {silent_s:.0f} s"
        return self._metering.meters.stall(self._late_s, now)
