"""Quotas of hosts, over a kernel in memory and a database in a file."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.metering.account import AccountKey
from appliance.core.metering.quota import Action, Limits, QuotaKind
from appliance.core.refusal import Refused
from appliance.events import HostQuota
from appliance.monitor.metering.departments import CHECKPOINT_S as DEPARTMENT_CHECKPOINT_S
from appliance.monitor.metering.hosts import CHECKPOINT_S, LOOK_S, MOST_ACCOUNTS
from tests.monitor.metering.test_departments import A, Appliance

HOST, OTHER = "10.20.0.11", "fd20::12"
DAILY = Limits({QuotaKind.DAILY: 1000}, on_exceeded=Action.BLOCK)

Make = Callable[..., Appliance]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda limits=DAILY, **others: Appliance(tmp_path / "s", Limits({}), host_limits=limits, **others)


def use(appliance: Appliance, amount: int, host: str = HOST) -> dict[tuple[str, str], int]:
    """Passes traffic of a host, then steps; returns the bytes that the step says passed, by department and host."""
    appliance.kernel.pass_on_host(A, host, amount // 3, amount - amount // 3)
    return {host: one.total_bytes for host, one in appliance.step(LOOK_S).hosts.items()}


def used(appliance: Appliance, host: str = HOST, kind: QuotaKind = QuotaKind.DAILY) -> int:
    found = {one.host.name: one.books for one in appliance.metering.hosts.books(A, appliance.now)}
    return next(one.used_bytes for one in found[host] if one.kind is kind)


def alerts(appliance: Appliance) -> list[tuple[str, str]]:
    return [(one.host, one.type) for one in appliance.published if isinstance(one, HostQuota)]


def test_each_host_has_its_own_books_nearest_to_a_limit_first(make: Make) -> None:
    appliance = make()
    use(appliance, 300)
    use(appliance, 700, OTHER)
    assert [one.host.name for one in appliance.metering.hosts.books(A, appliance.now)] == [OTHER, HOST]
    assert (used(appliance), used(appliance, OTHER)) == (300, 700)
    assert appliance.kernel.left[A] == {HOST: 700, OTHER: 300}
    assert appliance.metering.books(A, appliance.now)[0].used_bytes == 1000


def test_without_host_limits_there_are_no_host_books(make: Make) -> None:
    appliance = make(Limits({}))
    use(appliance, 300)
    assert not appliance.metering.hosts.books(A, appliance.now)
    assert appliance.kernel.plan(A).host_limit_bytes is None


def test_each_threshold_of_a_host_raises_one_alert(make: Make) -> None:
    appliance = make()
    for _ in range(12):
        use(appliance, 100)
    assert alerts(appliance) == [(HOST, "warning"), (HOST, "critical"), (HOST, "exceeded")]


@pytest.mark.parametrize(
    ("action", "limit", "rate"),
    [(Action.BLOCK, 1000, None), (Action.THROTTLE, 1000, 50), (Action.ALERT, None, None)],
)
def test_the_kernel_limits_new_hosts_by_the_smallest_limit(
    make: Make, action: Action, limit: int | None, rate: int | None
) -> None:
    limits = Limits({QuotaKind.DAILY: 1000, QuotaKind.MONTHLY: 9000}, on_exceeded=action, throttle_bytes_s=50)
    plan = make(limits).kernel.plan(A)
    assert (plan.host_limit_bytes, plan.host_bytes_s) == (limit, rate)


def test_a_cut_off_host_is_found_with_its_used_up_quotas(make: Make) -> None:
    appliance = make(Limits({QuotaKind.DAILY: 1000, QuotaKind.MONTHLY: 9000}, on_exceeded=Action.BLOCK))
    use(appliance, 1000)
    cut_off = appliance.metering.find_cut_off(HOST, appliance.now)
    assert cut_off is not None
    assert (cut_off.host, [one.kind for one in cut_off.books]) == (HOST, [QuotaKind.DAILY])
    assert appliance.metering.find_cut_off(OTHER, appliance.now) is None


def test_a_grant_is_in_force_at_once_survives_a_crash_and_ends_with_the_day(make: Make) -> None:
    appliance = make()
    use(appliance, 1000)
    appliance.metering.extend_host(A, HOST, QuotaKind.DAILY, 500, "a lecture", "anna", appliance.now)
    assert appliance.kernel.left[A] == {HOST: 500}
    appliance.restart()
    appliance.step()
    assert appliance.kernel.left[A] == {HOST: 500}
    appliance.step(86_400)
    assert appliance.kernel.left[A] == {HOST: 1000}


def test_a_host_without_a_quota_cannot_be_extended(make: Make) -> None:
    appliance = make()
    use(appliance, 1)
    for host, kind, why in (
        (OTHER, QuotaKind.DAILY, "name it by its MAC address"),
        ("02:00:00:00:00:99", QuotaKind.DAILY, "none can be extended"),
        (HOST, QuotaKind.WEEKLY, "none can be extended"),
    ):
        with pytest.raises(Refused, match=why):
            appliance.metering.extend_host(A, host, kind, 500, "", "anna", appliance.now)


def test_a_grant_that_the_full_disk_refuses_is_taken_back(make: Make) -> None:
    appliance = make()
    use(appliance, 1000)
    appliance.store.is_full = True
    with pytest.raises(Refused, match="nothing was granted"):
        appliance.metering.extend_host(A, HOST, QuotaKind.DAILY, 500, "", "anna", appliance.now)
    appliance.step()
    assert appliance.kernel.left[A] == {HOST: 0}


def test_a_limit_set_by_hand_is_in_force_at_once_and_after_a_restart(make: Make) -> None:
    appliance = make(Limits({}, on_exceeded=Action.BLOCK))
    appliance.metering.set_host_limit(A, QuotaKind.WEEKLY, 5000, "anna", appliance.now)
    assert appliance.kernel.plan(A).host_limit_bytes == 5000
    use(appliance, 100)
    assert used(appliance, kind=QuotaKind.WEEKLY) == 100
    appliance.restart()
    use(appliance, 100)
    assert used(appliance, kind=QuotaKind.WEEKLY) == 200
    appliance.metering.set_host_limit(A, QuotaKind.WEEKLY, None, "anna", appliance.now)
    assert appliance.kernel.plan(A).host_limit_bytes is None


def test_a_silent_host_starts_the_new_day_at_zero_and_raises_reset_only_if_it_was_cut_off(make: Make) -> None:
    appliance = make()
    use(appliance, 1000)
    use(appliance, 10, OTHER)
    appliance.step(86_400)
    assert appliance.kernel.left[A] == {HOST: 1000, OTHER: 1000}
    assert alerts(appliance)[-1] == (HOST, "reset")
    assert (OTHER, "reset") not in alerts(appliance)


def test_no_day_begins_before_the_clock_is_trusted_and_then_bytes_move_to_their_days(make: Make) -> None:
    appliance = make()
    use(appliance, 400)
    appliance.is_trusted = False
    appliance.set_clock(timedelta(days=-300))
    use(appliance, 300)
    assert used(appliance) == 700
    appliance.set_clock(timedelta(days=301))
    appliance.is_trusted = True
    use(appliance, 50)
    assert used(appliance) == 350


def test_a_power_cut_takes_a_host_s_use_back_to_the_last_checkpoint(make: Make) -> None:
    appliance = make()
    use(appliance, 400)
    appliance.step(CHECKPOINT_S)
    use(appliance, 100)
    appliance.reboot()
    appliance.step()
    assert appliance.kernel.left[A] == {HOST: 600}


def test_the_books_of_hosts_are_saved_once_an_hour_and_not_with_their_department_s(make: Make) -> None:
    appliance = make()
    use(appliance, 400)
    appliance.step(CHECKPOINT_S)
    use(appliance, 100)
    appliance.step(DEPARTMENT_CHECKPOINT_S)
    saved = AccountKey(A, HOST), AccountKey(A)
    assert [appliance.store.ledgers(key)[0].used_bytes for key in saved] == [400, 500]


def test_new_meters_are_read_at_once(make: Make) -> None:
    appliance = make()
    use(appliance, 400)
    appliance.kernel.flush()
    appliance.step()
    appliance.kernel.pass_on_host(A, HOST, 30, 70)
    appliance.step()
    appliance.kernel.left.clear()
    appliance.kernel.flush()
    appliance.step()
    assert appliance.kernel.left[A] == {HOST: 600}


def test_a_host_whose_meter_expired_is_charged_from_zero(make: Make) -> None:
    appliance = make()
    use(appliance, 100)
    appliance.kernel.forget_host(A, HOST)
    appliance.step(LOOK_S)
    use(appliance, 250)
    assert used(appliance) == 350


def test_an_idle_host_without_a_meter_is_forgotten_at_the_new_day_on_the_disk_too(make: Make) -> None:
    appliance = make()
    use(appliance, 100)
    use(appliance, 100, OTHER)
    appliance.kernel.forget_host(A, HOST)
    appliance.step(86_400)
    assert [one.host.name for one in appliance.metering.hosts.books(A, appliance.now)] == [OTHER]
    appliance.restart()
    assert [one.host.name for one in appliance.metering.hosts.books(A, appliance.now)] == [OTHER]
    assert len(appliance.store.ledgers(AccountKey(A, OTHER))) == 1


def test_a_forgotten_host_that_returns_while_the_disk_is_full_is_saved_afterwards(make: Make) -> None:
    appliance = make()
    use(appliance, 100)
    appliance.kernel.forget_host(A, HOST)
    appliance.store.is_full = True
    appliance.step(86_400)
    assert not appliance.metering.hosts.books(A, appliance.now)
    use(appliance, 100)
    appliance.step(86_400)
    appliance.store.is_full = False
    appliance.step(CHECKPOINT_S)
    appliance.restart()
    appliance.step()
    assert used(appliance) == 0


def test_the_accounts_of_hosts_are_bounded(make: Make) -> None:
    appliance = make()
    for number in range(MOST_ACCOUNTS + 100):
        appliance.kernel.pass_on_host(A, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 1, 0)
    appliance.step(LOOK_S)
    assert len(appliance.metering.hosts.books(A, appliance.now)) == MOST_ACCOUNTS


def test_a_step_returns_what_passed_since_the_look_before_and_nothing_from_before_the_first(make: Make) -> None:
    appliance = make(Limits({}))
    appliance.kernel.pass_on_host(A, HOST, 1, 2)
    appliance.restart()
    assert appliance.step().hosts == {}
    assert use(appliance, 300) == {(A, HOST): 300}
    assert use(appliance, 0) == {}


def test_a_look_for_a_new_limit_takes_nothing_from_what_the_next_step_returns(make: Make) -> None:
    appliance = make()
    use(appliance, 300)
    appliance.kernel.pass_on_host(A, HOST, 100, 0)
    appliance.metering.set_host_limit(A, QuotaKind.DAILY, 900, "anna", appliance.now)
    assert used(appliance) == 400
    assert use(appliance, 50) == {(A, HOST): 150}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from([HOST, OTHER]), st.integers(1, 10**6)),
            st.sampled_from(["step", "look", "checkpoint", "crash", "end", "day"]),
        ),
        max_size=30,
    )
)
def test_every_byte_of_a_host_is_charged_exactly_once_whatever_happens(does: list[object]) -> None:
    with TemporaryDirectory() as folder:
        monthly = Limits({QuotaKind.MONTHLY: 10**9})
        appliance = Appliance(Path(folder) / "s", Limits({}), host_limits=monthly)
        sums = {HOST: 0, OTHER: 0}
        for one in does:
            if isinstance(one, tuple):
                appliance.kernel.pass_on_host(A, one[0], one[1], 0)
                sums[one[0]] += one[1]
            elif one in {"crash", "end"}:
                appliance.restart(saving=one == "end")
            else:
                appliance.step({"step": 1.0, "look": LOOK_S, "checkpoint": CHECKPOINT_S, "day": 7200.0}[str(one)])
        appliance.step(LOOK_S)
        books = {one.host.name: one.books[0].used_bytes for one in appliance.metering.hosts.books(A, appliance.now)}
        assert books == {host: amount for host, amount in sums.items() if amount}
