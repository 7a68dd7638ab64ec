import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.machine import Facing, Position
from appliance.core.metering.account import AccountKey
from appliance.core.metering.department import UNLIMITED, Department
from appliance.core.metering.quota import Action, Ledger, Limits, QuotaKind, first_instant
from appliance.core.metering.usage import Mark
from appliance.core.moment import Moment
from appliance.core.refusal import Refused
from appliance.events import Event
from appliance.monitor.metering.departments import CHECKPOINT_S, Metering, PassedBytes
from appliance.monitor.metering.device_directory import DeviceDirectory
from appliance.system.storage.history_store import SqliteHistoryStore
from appliance.system.storage.store import SqliteStore
from tests.monitor.kernel import INTERFACE, Kernel

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, 23, tzinfo=UTC)  # in Berlin
A, B = "a", "b"


class FullStore(SqliteStore):
    """The real store on a medium that can be full."""

    is_full = False

    def save_metering(
        self,
        ledgers: Mapping[AccountKey, Sequence[Ledger]],
        marks: Mapping[AccountKey, Mark],
        wall: datetime,
        *,
        forgotten: Collection[AccountKey] = (),
    ) -> bool:
        return not self.is_full and super().save_metering(ledgers, marks, wall, forgotten=forgotten)


class Appliance:
    """Metering over a kernel in memory and a database in a file, through restarts, and every event it published."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        wall: datetime = NOON,
        position: Position = Position.GATEWAY,
        host_limits: Limits = UNLIMITED,
    ) -> None:
        self.path = path
        self.kernel = Kernel()
        self.is_trusted = True
        self.now = Moment(wall, 5000.0, self.is_trusted)
        self.published: list[Event] = []
        self._position = position
        self._zone = BERLIN
        self._history_store: SqliteHistoryStore | None = None
        self._configure(limits, host_limits)
        self._begin()
        self.metering.step(self.now)

    def _configure(self, limits: Limits, host_limits: Limits) -> None:
        self._departments = [
            Department(name, name.upper(), INTERFACE, limits, host_limits=host_limits) for name in (A, B)
        ]

    def reconfigure(
        self,
        limits: Limits,
        host_limits: Limits = UNLIMITED,
        zone: ZoneInfo = BERLIN,
        history_store: SqliteHistoryStore | None = None,
    ) -> None:
        """Ends in order and starts with another configuration."""
        self._zone, self._history_store = zone, history_store
        self._configure(limits, host_limits)
        self.metering.save(self.now, everything=True)
        self.restart()

    def _begin(self) -> None:
        self.store = FullStore(self.path)
        self.metering = Metering(
            self._departments,
            position=self._position,
            zone=self._zone,
            interfaces=self.kernel,
            flows=self.kernel,
            meters=self.kernel,
            devices=DeviceDirectory(self._departments, self._position, self.kernel, self.kernel),
            store=self.store,
            publish=self.published.append,
            history_store=self._history_store,
        )

    def step(self, seconds: float = 1.0) -> PassedBytes:
        self.wait(seconds)
        passed = self.metering.step(self.now)
        assert all(min(one.up_bytes, one.down_bytes) >= 0 for one in passed.departments.values())
        return passed

    def wait(self, seconds: float) -> None:
        self.now = Moment(self.now.wall + timedelta(seconds=seconds), self.now.monotonic_s + seconds, self.is_trusted)

    def set_clock(self, ahead: timedelta) -> None:
        self.now = Moment(self.now.wall + ahead, self.now.monotonic_s, self.is_trusted)

    def pass_on(self, department: str, amount: int) -> None:
        self.kernel.pass_on(department, amount // 3, amount - amount // 3)

    def use(self, department: str, amount: int) -> None:
        self.pass_on(department, amount)
        self.step()

    def restart(self, *, saving: bool = False) -> None:
        """Ends in order and saves, or dies."""
        if saving:
            self.metering.save(self.now)
        self.store.close()
        self._begin()
        self.kernel.lose_unsaved_charges(self.store.marks())

    def reboot(self, off_s: float = 60.0) -> None:
        """Cuts the power, and the program with it."""
        self.restart()
        self.kernel.reboot()
        self.now = Moment(self.now.wall + timedelta(seconds=off_s), 30.0, self.is_trusted)

    def alerts(self, department: str = A) -> list[tuple[str, str]]:
        payloads = [event.payload() for event in self.published if event.name == "quota:alert"]
        return [(one["quota"]["type"], one["type"]) for one in payloads if one["departmentId"] == department]

    def usage(self, department: str = A) -> dict[str, object]:
        payloads = [event.payload() for event in self.published if event.name == "usage:update"]
        return [one["metrics"] for one in payloads if one["departmentId"] == department][-1]

    def saved(self, department: str = A, kind: QuotaKind = QuotaKind.DAILY) -> dict[str, int]:
        """By first day, the used bytes of every ledger on the disk."""
        with closing(sqlite3.connect(self.path)) as disk:
            return dict(
                disk.execute(
                    "SELECT start, used_bytes FROM ledger WHERE department = ? AND kind = ?", [department, kind]
                )
            )


def limits(daily: int, on_exceeded: Action = Action.ALERT, throttle: int | None = None) -> Limits:
    return Limits({QuotaKind.DAILY: daily}, on_exceeded=on_exceeded, throttle_bytes_s=throttle)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "state.sqlite3"


AMOUNT = st.integers(0, 10**6)
SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 59.0, 61.0, 3600.0, 90_000.0])
JUMP = st.sampled_from([timedelta(hours=h) for h in (-72, -25, -3, -1, 1, 3, 25, 72, 24 * 40)])
DEED = st.one_of(
    st.tuples(st.just("traffic"), st.sampled_from([A, B]), AMOUNT),
    st.tuples(st.just("step"), SECONDS),
    st.tuples(st.just("flush")),
    st.tuples(st.just("interface")),
    st.tuples(st.just("reboot"), SECONDS),
    st.tuples(st.just("restart"), st.booleans()),
    st.tuples(st.just("clock"), JUMP),
    st.tuples(st.just("trust"), st.booleans()),
    st.tuples(st.just("disk"), st.booleans()),
    st.tuples(st.just("midnight")),
)


def to_midnight(appliance: Appliance) -> None:
    day = appliance.now.wall.astimezone(BERLIN).date() + timedelta(days=1)
    appliance.wait((first_instant(day, BERLIN) - appliance.now.wall).total_seconds() - 0.25)


def fill_disk(appliance: Appliance, full: bool) -> None:
    appliance.store.is_full = full


def trust_clock(appliance: Appliance, trusted: bool) -> None:
    appliance.is_trusted = trusted


DO: Mapping[str, Callable[..., None]] = {
    "traffic": Appliance.pass_on,
    "step": Appliance.step,
    "flush": lambda appliance: appliance.kernel.flush(),
    "interface": lambda appliance: appliance.kernel.recreate_link(),
    "reboot": Appliance.reboot,
    "restart": lambda appliance, saving: appliance.restart(saving=saving),
    "clock": Appliance.set_clock,
    "trust": trust_clock,
    "disk": fill_disk,
    "midnight": to_midnight,
}


@settings(max_examples=200, deadline=None)
@given(st.lists(DEED, max_size=40))
def test_the_sum_of_charges_is_what_the_kernel_carried_less_what_it_forgot(deeds: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        quota = Limits({QuotaKind.DAILY: 2 * 10**6, QuotaKind.MONTHLY: 5 * 10**6})
        appliance = Appliance(Path(folder) / "state.sqlite3", quota)
        for deed in deeds:
            DO[deed[0]](appliance, *deed[1:])
        appliance.store.is_full = False
        appliance.step()
        appliance.metering.save(appliance.now)
        kept = appliance.kernel.carried - appliance.kernel.forgotten
        for kind in QuotaKind:
            saved = [used for name in (A, B) for used in appliance.saved(name, kind).values()]
            assert sum(saved) == kept
            assert min(saved) >= 0


@settings(max_examples=200, deadline=None)
@given(st.lists(DEED.filter(lambda deed: deed[0] != "disk"), max_size=40))
def test_a_threshold_raises_one_alert_in_a_period_whatever_happens(deeds: list[tuple[Any, ...]]) -> None:
    with TemporaryDirectory() as folder:
        appliance = Appliance(
            Path(folder) / "state.sqlite3", Limits({QuotaKind.DAILY: 10**6, QuotaKind.MONTHLY: 3 * 10**6})
        )
        for deed in deeds:
            DO[deed[0]](appliance, *deed[1:])
        appliance.step()
        alerts = [
            (one["departmentId"], one["type"], one["quota"]["type"], one["quota"]["resetsAt"])
            for event in appliance.published
            if event.name == "quota:alert" and (one := event.payload())
        ]
        assert len(alerts) == len(set(alerts))


def test_bytes_that_passed_while_the_service_was_dead_are_charged_at_its_start(path: Path) -> None:
    appliance = Appliance(path, limits(10**6))
    appliance.step()
    appliance.pass_on(A, 1000)
    appliance.restart()
    appliance.pass_on(A, 500)
    appliance.step()
    assert appliance.usage()["bytesTransferred"] == 1500


def test_bytes_read_from_a_meter_that_is_gone_are_saved_at_the_next_step(path: Path) -> None:
    appliance = Appliance(path, limits(10**6))
    appliance.use(A, 700)
    assert appliance.saved() == {"2026-11-23": 0}
    appliance.kernel.flush()
    appliance.step()
    appliance.restart()
    appliance.step()
    assert appliance.usage()["bytesTransferred"] == 700


def test_a_step_over_midnight_is_split_on_the_disk_too(path: Path) -> None:
    appliance = Appliance(path, limits(10**6), wall=MIDNIGHT - timedelta(seconds=11))
    appliance.step(1)
    appliance.use(A, 70)
    appliance.wait(7)
    appliance.pass_on(A, 3000)
    appliance.step(3)
    assert appliance.saved() == {"2026-11-23": 70 + 2700, "2026-11-24": 300}
    assert appliance.usage()["bytesTransferred"] == 300
    assert ("daily", "reset") in appliance.alerts()


@pytest.mark.parametrize(
    "order",
    [
        lambda metering, now: metering.set_limit(A, QuotaKind.DAILY, 500, "me", now),
        lambda metering, now: metering.extend(A, QuotaKind.DAILY, -500, "less", "me", now),
    ],
    ids=["set", "extend"],
)
def test_an_order_is_saved_and_in_force_before_the_medium_has_it_and_metering_goes_on_meanwhile(
    path: Path, order: Callable[[Metering, Moment], None]
) -> None:
    appliance = Appliance(path, limits(1000))
    appliance.use(A, 100)
    seen: list[tuple[int, int]] = []

    def wait(work: Callable[..., Any], *arguments: Any) -> Any:
        appliance.use(A, 100)
        seen.append(
            (appliance.metering.books(A, appliance.now)[0].limit_bytes or 0, appliance.usage()["bytesTransferred"])
        )
        return work(*arguments)

    appliance.store.aside = wait
    order(appliance.metering, appliance.now)
    assert seen == [(500, 200)]
    appliance.restart()
    assert appliance.metering.books(A, appliance.now)[0].limit_bytes == 500


def test_the_last_bytes_of_a_day_are_saved_though_the_disk_was_full_at_midnight(path: Path) -> None:
    appliance = Appliance(path, limits(10**6), wall=MIDNIGHT - timedelta(seconds=10))
    appliance.step(1)
    appliance.store.is_full = True
    appliance.use(A, 70)
    appliance.step(20)
    appliance.use(A, 5)
    appliance.store.is_full = False
    appliance.step(CHECKPOINT_S)
    assert appliance.saved() == {"2026-11-23": 70, "2026-11-24": 5}


def test_bytes_that_passed_while_the_service_was_dead_over_midnight_are_split_by_day(path: Path) -> None:
    appliance = Appliance(path, limits(10**6), wall=MIDNIGHT - timedelta(minutes=31))
    appliance.step(60)
    appliance.restart(saving=True)
    appliance.pass_on(A, 4000)
    appliance.step(40 * 60)
    assert appliance.saved() == {"2026-11-23": 3000, "2026-11-24": 1000}


def test_bytes_since_a_boot_are_not_charged_to_the_day_of_the_power_cut(path: Path) -> None:
    appliance = Appliance(path, limits(10**6), wall=MIDNIGHT - timedelta(hours=1))
    appliance.use(A, 50)
    plans = appliance.kernel.plans
    appliance.metering.save(appliance.now)
    appliance.reboot(off_s=10 * 3600)
    appliance.kernel.apply(plans)
    appliance.pass_on(A, 4000)
    appliance.step()
    assert appliance.saved() == {"2026-11-23": 50, "2026-11-24": 4000}
    assert appliance.usage()["bytesTransferred"] == 4000


def test_no_day_begins_before_the_clock_is_trusted_and_then_bytes_move_to_their_days(path: Path) -> None:
    appliance = Appliance(path, limits(10**6))
    appliance.use(A, 100)
    appliance.restart(saving=True)
    appliance.is_trusted = False
    appliance.set_clock(timedelta(days=3))
    appliance.step()
    appliance.use(A, 20)
    appliance.metering.save(appliance.now)
    assert appliance.saved() == {"2026-11-23": 120}
    assert appliance.alerts() == []
    appliance.set_clock(timedelta(days=-2))
    appliance.is_trusted = True
    appliance.use(A, 3)
    appliance.metering.save(appliance.now)
    assert appliance.saved() == {"2026-11-23": 100, "2026-11-24": 23}
    assert appliance.alerts() == [("daily", "reset")]


def test_a_full_disk_does_not_stop_metering_and_is_tried_again(path: Path) -> None:
    appliance = Appliance(path, limits(10**6))
    appliance.use(A, 100)
    appliance.store.is_full = True
    for _ in range(3):
        appliance.pass_on(A, 10)
        appliance.step(CHECKPOINT_S)
    assert not appliance.metering.is_saved
    assert appliance.usage()["bytesTransferred"] == 130
    appliance.store.is_full = False
    appliance.step(CHECKPOINT_S)
    assert appliance.metering.is_saved
    assert appliance.saved() == {"2026-11-23": 130}


def test_the_plan_stops_a_department_at_its_remaining_bytes(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.use(A, 300)
    assert appliance.kernel.plan(A).stop_at_bytes == 1000
    appliance.kernel.flush()
    appliance.step()
    assert appliance.kernel.plan(A).stop_at_bytes == 700
    appliance.use(A, 650)
    assert appliance.kernel.plan(A).stop_at_bytes == 700
    appliance.use(A, 60)
    assert appliance.kernel.read()[A].total_bytes == 710
    assert appliance.kernel.plan(A).stop_at_bytes == 700, "bytes beyond the limit do not move it"
    assert appliance.kernel.plan(B).stop_at_bytes == 1000


def test_a_stopped_department_goes_on_at_midnight(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK), wall=MIDNIGHT - timedelta(seconds=30))
    appliance.step()
    appliance.use(A, 1000)
    assert appliance.kernel.plan(A).stop_at_bytes == 1000
    appliance.step(60)
    assert appliance.kernel.plan(A).stop_at_bytes == 2000


def test_a_meter_made_after_a_boot_is_limited_from_its_first_packet(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.use(A, 400)
    appliance.restart(saving=True)
    appliance.reboot()
    first: list[int | None] = []

    class Watched(Kernel):
        def apply(self, plans):  # type: ignore[no-untyped-def]
            first.append(plans[0].stop_at_bytes)
            return super().apply(plans)

    appliance.kernel = Watched()
    appliance.restart()
    appliance.step()
    assert first[0] == 600


@pytest.mark.parametrize("action", [Action.ALERT, Action.THROTTLE])
def test_only_a_quota_that_blocks_stops_a_department(path: Path, action: Action) -> None:
    appliance = Appliance(path, limits(1000, action, throttle=50))
    appliance.use(A, 0)
    appliance.use(A, 2000)
    assert appliance.kernel.plan(A).stop_at_bytes is None


def test_a_department_is_throttled_only_when_its_quota_is_used_up(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.THROTTLE, throttle=50), wall=MIDNIGHT - timedelta(seconds=10))
    appliance.step()
    appliance.use(A, 999)
    assert appliance.kernel.plan(A).throttle_bytes_s is None
    appliance.use(A, 1)
    assert appliance.kernel.plan(A).throttle_bytes_s == 50
    assert appliance.kernel.plan(B).throttle_bytes_s is None
    appliance.step(60)
    assert appliance.kernel.plan(A).throttle_bytes_s is None


def test_an_extension_is_in_force_at_once_survives_a_crash_and_ends_with_the_day(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.use(A, 1000)
    appliance.metering.extend(A, QuotaKind.DAILY, 500, "an exam", "ann", appliance.now)
    assert appliance.kernel.plan(A).stop_at_bytes == 1500
    appliance.restart()
    appliance.step()
    assert appliance.kernel.plan(A).stop_at_bytes == 1500
    daily = appliance.metering.books(A, appliance.now)[0]
    assert (daily.limit_bytes, daily.granted_bytes) == (1500, 500)
    appliance.step(24 * 3600)
    assert appliance.kernel.plan(A).stop_at_bytes == 2000


def test_thresholds_can_be_crossed_again_after_an_extension(path: Path) -> None:
    appliance = Appliance(path, limits(1000))
    appliance.step()
    appliance.use(A, 1000)
    once = [("daily", "warning"), ("daily", "critical"), ("daily", "exceeded")]
    assert appliance.alerts() == once
    appliance.metering.extend(A, QuotaKind.DAILY, 1000, "an exam", "ann", appliance.now)
    appliance.use(A, 1000)
    assert appliance.alerts() == once * 2


def test_an_unlimited_kind_cannot_be_extended(path: Path) -> None:
    appliance = Appliance(path, limits(1000))
    appliance.step()
    with pytest.raises(Refused, match="nothing to extend"):
        appliance.metering.extend(A, QuotaKind.WEEKLY, 500, "an exam", "ann", appliance.now)


def test_a_limit_set_by_hand_is_in_force_at_once_and_after_a_restart(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.use(A, 400)
    appliance.metering.set_limit(A, QuotaKind.DAILY, 300, "ann", appliance.now)
    assert appliance.kernel.plan(A).stop_at_bytes == 300
    assert appliance.metering.exceeded_kinds(A) == (QuotaKind.DAILY,)
    assert appliance.alerts()[-1] == ("daily", "exceeded")
    appliance.restart()
    appliance.step()
    assert appliance.metering.exceeded_kinds(A) == (QuotaKind.DAILY,)
    appliance.metering.set_limit(A, QuotaKind.DAILY, None, "ann", appliance.now)
    assert appliance.kernel.plan(A).stop_at_bytes is None
    assert appliance.metering.exceeded_kinds(A) == ()


def test_setting_a_limit_does_not_change_the_rates(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.use(A, 400)
    rate = appliance.metering.lines.rate_bytes_s(A)
    appliance.pass_on(A, 100)
    appliance.metering.set_limit(A, QuotaKind.DAILY, 600, "ann", appliance.now)
    appliance.metering.extend(A, QuotaKind.DAILY, 50, "an exam", "ann", appliance.now)
    assert appliance.metering.lines.rate_bytes_s(A) == rate == 400
    assert appliance.kernel.plan(A).stop_at_bytes == 650
    appliance.step()
    assert appliance.metering.lines.rate_bytes_s(A) == 100


def test_a_grant_that_the_full_disk_refuses_is_taken_back(path: Path) -> None:
    appliance = Appliance(path, limits(1000, Action.BLOCK))
    appliance.step()
    appliance.store.is_full = True
    with pytest.raises(Refused, match="the disk takes no changes"):
        appliance.metering.extend(A, QuotaKind.DAILY, 500, "an exam", "ann", appliance.now)
    assert appliance.metering.books(A, appliance.now)[0].granted_bytes == 0
    appliance.step()
    assert appliance.kernel.plan(A).stop_at_bytes == 1000
    appliance.restart()
    appliance.step()
    assert appliance.metering.books(A, appliance.now)[0].granted_bytes == 0


def test_without_books_the_bytes_of_the_meters_are_spread_over_the_days_since_boot(path: Path) -> None:
    appliance = Appliance(path, limits(10**6))
    appliance.use(A, 4000)
    with closing(sqlite3.connect(path)) as disk, disk:
        for table in ("ledger", "mark", "saving"):
            disk.execute(f"DELETE FROM {table}")
    appliance.restart()
    appliance.now = Moment(MIDNIGHT + timedelta(days=2), 4 * 86_400.0, is_trusted=True)
    appliance.step(0)
    days = {f"2026-11-{day}": 1000 for day in (22, 23, 24, 25)}
    assert appliance.saved() == days | {"2026-11-26": 0}


def test_bytes_of_a_gap_in_metering_stay_unaccounted(path: Path) -> None:
    appliance = Appliance(path, limits(10**9))
    appliance.step()
    appliance.use(A, 900_000)
    assert appliance.usage()["unaccountedPercent"] == 0.0
    appliance.kernel.flush()
    appliance.use(A, 100_000)
    assert appliance.usage()["unaccountedPercent"] == 10.0
    appliance.use(A, 1_000_000)
    assert appliance.usage()["unaccountedPercent"] == 5.0
    assert appliance.usage()["bytesTransferred"] == 1_900_000


def test_usage_tells_both_directions_of_the_last_period_and_of_the_day(path: Path) -> None:
    appliance = Appliance(path, limits(10**9))
    appliance.step()
    appliance.pass_on(A, 300)
    appliance.step(2)
    keys = ("rateUp", "rateDown", "bytesUp", "bytesDown")
    assert [appliance.usage()[key] for key in keys] == [50, 100, 100, 200]
    appliance.step(2)
    assert [appliance.usage()[key] for key in keys] == [0, 0, 100, 200]
    assert [appliance.usage(B)[key] for key in keys] == [0, 0, 0, 0]


def test_a_recreated_interface_is_counted_on_both_sides(path: Path) -> None:
    appliance = Appliance(path, limits(10**9))
    appliance.step()
    appliance.use(A, 500_000)
    appliance.kernel.recreate_link()
    appliance.step()
    appliance.use(B, 500_000)
    assert appliance.usage()["unaccountedPercent"] == 0.0


def test_a_department_without_its_interface_keeps_its_use(path: Path) -> None:
    appliance = Appliance(path, limits(1000))
    appliance.step()
    appliance.use(A, 500)
    appliance.kernel.flush()
    link, appliance.kernel.link = appliance.kernel.link, None
    appliance.step()
    assert appliance.usage()["bytesTransferred"] == 500
    appliance.kernel.link = link
    appliance.step()
    appliance.use(A, 50)
    assert appliance.usage()["bytesTransferred"] == 550


@pytest.mark.parametrize(
    ("position", "facing"),
    [
        (Position.BRIDGE, Facing.DEPARTMENT),
        (Position.GATEWAY, Facing.DEPARTMENT),
        (Position.HOST, Facing.SELF),
        (Position.MIRROR, Facing.MIRRORED),
    ],
)
def test_each_position_has_its_facing(path: Path, position: Position, facing: Facing) -> None:
    appliance = Appliance(path, limits(1000), position=position)
    appliance.step()
    assert appliance.kernel.plan(A).facing is facing


def test_a_forecast_uses_the_average_of_minutes(path: Path) -> None:
    def forecast(appliance: Appliance) -> datetime:
        return datetime.fromisoformat(str(appliance.usage()["reachesLimitAt"]))

    appliance = Appliance(path, limits(112 * 10**6))
    appliance.step()
    for _ in range(1200):
        appliance.use(A, 10_000)
    steady = forecast(appliance)
    assert abs((steady - appliance.now.wall).total_seconds() - 10_000) < 250  # the average has nearly settled
    appliance.use(A, 1_000_000)
    assert (forecast(appliance) - appliance.now.wall).total_seconds() > 7000


def test_the_first_day_of_the_books_is_the_local_day(path: Path) -> None:
    appliance = Appliance(path, limits(1000), wall=MIDNIGHT)
    appliance.use(A, 1)
    assert list(appliance.saved()) == [str(date(2026, 11, 24))]
