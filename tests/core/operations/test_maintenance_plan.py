"""Several maintenances: what is due when, and that no sequence of orders, clocks and crashes leaves one on."""

from contextlib import suppress
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.core.moment import Moment
from appliance.core.operations.maintenance_plan import (
    MOST_PLANNED,
    MaintenancePlan,
    PlanChange,
    advanced,
    chosen,
    is_read_only,
    restored,
    with_asked,
    with_extended,
    with_stopped,
)
from appliance.core.operations.maintenance_window import Maintenance, MaintenanceKind, Repeat, asked_for
from appliance.core.refusal import Refused

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
HOUR_S = 3600
DAY_S = 24 * HOUR_S


def at(seconds: float, *, is_trusted: bool = True) -> Moment:
    return Moment(NOON + timedelta(seconds=seconds), 1000.0 + seconds, is_trusted=is_trusted)


def asked(begins_s: float | None, duration_s: int = HOUR_S, repeat: Repeat | None = None) -> Maintenance:
    start = None if begins_s is None else NOON + timedelta(seconds=begins_s)
    return asked_for(NOON, start, duration_s, "Switch is replaced", "me", repeat)


def plan_of(*wanted: Maintenance) -> MaintenancePlan:
    plan = MaintenancePlan()
    for one in wanted:
        plan = with_asked(plan, one).plan
    return advanced(plan, at(0), ZONE).plan


def news_of(change: PlanChange) -> list[tuple[str, str]]:
    return [(one.kind.value, one.phase.value) for one in change.news]


def test_it_is_announced_once_more_begins_and_ends_by_itself() -> None:
    plan = plan_of(asked(2 * HOUR_S))
    assert news_of(advanced(plan, at(10), ZONE)) == []
    told = advanced(plan, at(HOUR_S), ZONE)
    assert news_of(told) == [("scheduled", "announced")]
    assert news_of(advanced(told.plan, at(HOUR_S + 1), ZONE)) == []
    begun = advanced(told.plan, at(2 * HOUR_S), ZONE)
    assert news_of(begun) == [("scheduled", "running")]
    assert is_read_only(begun.plan)
    over = advanced(begun.plan, at(3 * HOUR_S), ZONE)
    assert news_of(over) == [("completed", "ended")]
    assert over.plan == MaintenancePlan()


def test_a_wall_clock_that_is_set_back_does_not_make_it_last_longer() -> None:
    plan = plan_of(asked(None))
    assert is_read_only(advanced(plan, replace(at(HOUR_S - 1), wall=NOON - timedelta(days=900)), ZONE).plan)
    assert not is_read_only(advanced(plan, replace(at(HOUR_S), wall=NOON - timedelta(days=900)), ZONE).plan)


def test_after_a_start_with_a_wrong_clock_it_lasts_no_longer_than_it_was_meant_to() -> None:
    saved = plan_of(asked(None)).saved
    lost = Moment(datetime(1970, 1, 1, tzinfo=UTC), 5.0, is_trusted=False)
    plan = advanced(restored(saved), lost, ZONE).plan
    assert is_read_only(plan)
    assert not is_read_only(advanced(plan, replace(lost, monotonic_s=5.0 + HOUR_S), ZONE).plan)


def test_none_begins_while_the_clock_is_not_trusted() -> None:
    plan = plan_of(asked(HOUR_S))
    assert not is_read_only(advanced(plan, at(HOUR_S, is_trusted=False), ZONE).plan)
    assert is_read_only(advanced(plan, at(HOUR_S + 60), ZONE).plan)


def test_one_that_was_missed_is_over_and_a_repeated_one_goes_on_in_silence() -> None:
    plan = plan_of(asked(HOUR_S), asked(2 * HOUR_S, HOUR_S, Repeat.DAILY))
    late = advanced(plan, at(4 * HOUR_S), ZONE)
    assert news_of(late) == [("completed", "ended")]
    [again] = late.plan.planned
    assert again.start == NOON + timedelta(days=1, hours=2)


def test_one_that_is_due_while_another_runs_prolongs_it_where_it_ends_later() -> None:
    plan = plan_of(asked(None), asked(HOUR_S // 2, HOUR_S), asked(HOUR_S // 2 + 1, 60))
    due = advanced(plan, at(HOUR_S // 2 + 1), ZONE)
    assert news_of(due) == [("scheduled", "running")]
    assert due.plan.running is not None
    assert due.plan.running.end == NOON + timedelta(seconds=HOUR_S * 1.5)
    assert due.plan.planned == ()


def test_the_next_time_of_a_repeated_one_is_planned_while_it_runs() -> None:
    begun = advanced(plan_of(asked(HOUR_S, HOUR_S, Repeat.WEEKLY)), at(HOUR_S), ZONE).plan
    assert begun.running is not None
    assert (begun.running.repeat, begun.running.kind) == (None, MaintenanceKind.SCHEDULED)
    assert [one.start for one in begun.planned] == [NOON + timedelta(days=7, hours=1)]
    stopped = with_stopped(begun, chosen(begun, None, "stop"), at(HOUR_S)).plan
    assert [one.id for one in stopped.planned] == ["weekly-20261123T130000Z"]
    assert with_stopped(stopped, chosen(stopped, None, "stop"), at(HOUR_S)).plan == MaintenancePlan()


def test_the_same_start_replaces_and_there_is_a_bound() -> None:
    plan = plan_of(*(asked(number * HOUR_S) for number in range(1, MOST_PLANNED + 1)))
    assert with_asked(plan, asked(HOUR_S, 60)).plan.planned[0].duration_s == 60
    with pytest.raises(Refused, match="16 maintenances are planned already"):
        with_asked(plan, asked(99 * HOUR_S))


def test_an_extended_one_ends_later_by_both_clocks() -> None:
    plan = plan_of(asked(None))
    later = with_extended(plan, chosen(plan, None, "extend"), 60).plan
    assert is_read_only(advanced(later, at(HOUR_S + 59), ZONE).plan)
    assert not is_read_only(advanced(later, at(HOUR_S + 60), ZONE).plan)


@dataclass
class Appliance:
    """A plan with its two clocks, a medium, and a person who presses and types."""

    plan: MaintenancePlan = field(default_factory=MaintenancePlan)
    wall: datetime = NOON
    monotonic_s: float = 100.0
    is_trusted: bool = True

    @property
    def now(self) -> Moment:
        return Moment(self.wall, self.monotonic_s, self.is_trusted)

    def wait(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic_s += seconds
        self.plan = advanced(self.plan, self.now, ZONE).plan

    def take(self, change: PlanChange) -> None:
        self.plan = advanced(change.plan, self.now, ZONE).plan

    def do(self, act: str, seconds: int) -> None:
        """One act; what is refused changes nothing."""
        with suppress(Refused):
            getattr(self, f"do_{act}")(seconds)

    def do_wait(self, seconds: int) -> None:
        self.wait(seconds)

    def do_press(self, _: int) -> None:
        running = self.plan.running
        one = asked_for(self.wall, None, HOUR_S, "button", "button")
        self.take(with_stopped(self.plan, running, self.now) if running else with_asked(self.plan, one))

    def do_start(self, seconds: int) -> None:
        self.take(with_asked(self.plan, asked_for(self.wall, None, 60 + seconds % DAY_S, "now", "me")))

    def do_announce(self, seconds: int) -> None:
        start = self.wall + timedelta(seconds=1 + seconds)
        self.take(with_asked(self.plan, asked_for(self.wall, start, HOUR_S, "later", "me")))

    def do_repeat(self, seconds: int) -> None:
        start = self.wall + timedelta(seconds=1 + seconds)
        repeat = list(Repeat)[seconds % len(Repeat)]
        self.take(with_asked(self.plan, asked_for(self.wall, start, HOUR_S, "again", "me", repeat)))

    def do_extend(self, seconds: int) -> None:
        self.take(with_extended(self.plan, chosen(self.plan, None, "extend"), 60 + seconds % HOUR_S))

    def do_stop(self, _: int) -> None:
        self.take(with_stopped(self.plan, chosen(self.plan, None, "stop"), self.now))

    def do_crash(self, seconds: int) -> None:
        """The power fails, and comes back with a clock that is not known yet."""
        self.plan, self.monotonic_s, self.is_trusted = restored(self.plan.saved), 0.0, seconds % 2 == 0
        self.wait(1)

    def do_set_clock(self, seconds: int) -> None:
        self.wall = NOON + timedelta(seconds=seconds - 15 * DAY_S)
        self.is_trusted = True
        self.wait(1)


ACTS = [name.removeprefix("do_") for name in vars(Appliance) if name.startswith("do_")]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 30 * DAY_S)), max_size=25))
def test_no_sequence_of_presses_orders_clocks_and_crashes_leaves_it_on(acts: list[tuple[str, int]]) -> None:
    appliance = Appliance()
    for act, seconds in acts:
        appliance.do(act, seconds)
        assert sorted(appliance.plan.planned, key=lambda one: one.start) == list(appliance.plan.planned)
        assert len({one.id for one in appliance.plan.planned}) == len(appliance.plan.planned) <= MOST_PLANNED
    by_hand = copy(appliance)
    if is_read_only(by_hand.plan):  # the button ends it whatever came before
        by_hand.do("press", 0)
    assert not is_read_only(by_hand.plan)
    left_s = appliance.plan.running.duration_s if appliance.plan.running else 0
    appliance.plan = replace(appliance.plan, planned=())  # and without anybody it ends within its own duration
    appliance.wait(left_s)
    assert not is_read_only(appliance.plan)
