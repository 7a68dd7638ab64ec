from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from appliance.core.operations.update import (
    BundleFacts,
    RunningRoot,
    Update,
    UpdateAction,
    UpdateOrder,
    UpdateState,
    after_start,
    bundle_fault,
    confirmed,
    failed,
    is_news,
    read_order,
    read_update,
)
from appliance.core.operations.update_window import UpdateWindow, is_time_to_look, window_of

KIND = "appliance-raspberry-pi"
A, B = RunningRoot("A", "20261129T120000Z-00000000000000aa"), RunningRoot("B", "20261201T000000Z-00000000000000bb")
INSTALLED = Update(UpdateState.INSTALLED, "anna", "2026-12-02T01:00:00.000Z", version=B.version, root="B", boot="one")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("version", "kind", "fault"),
    [
        (B.version, KIND, None),
        (A.version, KIND, None),  # again: a repair
        ("20261129T120000Z-ffffffffffffffff", KIND, None),
        ("20261129T115959Z-ffffffffffffffff", KIND, "it is older"),
        (B.version, "toaster", "it is for"),
        ("", KIND, "has no time"),
        ("9" * 5000, KIND, "has no time"),
        (B.version + "\n", KIND, "has no time"),
    ],
)
def test_a_bundle_is_taken_that_is_for_this_computer_and_not_older(version: str, kind: str, fault: str | None) -> None:
    found = bundle_fault(BundleFacts(kind, version), KIND, A)
    assert (found is None) == (fault is None)
    assert fault is None or fault in str(found)
    assert len(found or "") < 400


def test_a_root_without_a_version_takes_nothing_because_nothing_can_be_compared() -> None:
    assert "the root that runs" in str(
        bundle_fault(BundleFacts(KIND, B.version), KIND, RunningRoot("A", "0123456789abcdef"))
    )


def test_news_is_what_is_newer_and_has_not_returned() -> None:
    bundle, returned = BundleFacts(KIND, B.version), replace(INSTALLED, state=UpdateState.RETURNED)
    assert is_news(bundle, A, None)
    assert is_news(bundle, A, replace(INSTALLED, state=UpdateState.FAILED))
    assert not is_news(bundle, A, returned)
    assert is_news(BundleFacts(KIND, "20261202T000000Z-00000000000000cc"), A, returned)
    assert not is_news(BundleFacts(KIND, A.version), A, None)


def test_within_a_boot_an_update_stays_as_it_is() -> None:
    for state in UpdateState:
        update = replace(INSTALLED, state=state)
        assert after_start(update, A, "one", "") == update


def test_the_first_start_of_the_new_root_is_a_trial_and_each_further_one_counts() -> None:
    first = after_start(INSTALLED, B, "two", "")
    assert (first.state, first.starts) == (UpdateState.TRIAL, 1)
    second = after_start(first, B, "three", "")
    assert (second.state, second.starts) == (UpdateState.TRIAL, 2)
    assert after_start(second, B, "three", "") == second
    done = confirmed(second)
    assert after_start(done, B, "four", "") == replace(done, boot="four")


@pytest.mark.parametrize("state", [UpdateState.INSTALLED, UpdateState.TRIAL])
def test_when_the_former_root_runs_again_the_update_has_returned_for_the_reason_that_was_left(
    state: UpdateState,
) -> None:
    update = replace(INSTALLED, state=state)
    told = after_start(update, A, "three", "metering: nothing was read for 900 s")
    assert (told.state, told.reason) == (UpdateState.RETURNED, "metering: nothing was read for 900 s")
    untold = after_start(update, A, "three", "")
    assert "root B did not come as far as its service" in untold.reason
    assert len(after_start(update, A, "three", "x" * 100_000).reason) == 500


def test_a_confirmed_update_has_returned_when_the_former_root_runs_again() -> None:
    done = confirmed(replace(INSTALLED, state=UpdateState.TRIAL, starts=1))
    told = after_start(done, A, "three", "")
    assert told.state is UpdateState.RETURNED
    assert "root B was confirmed, and then started three times in a row" in told.reason
    newer = RunningRoot("A", "20261203T000000Z-00000000000000cc")  # somebody has written it by hand
    assert after_start(done, newer, "three", "") == replace(done, boot="three")


def test_what_was_under_way_when_the_power_failed_has_failed() -> None:
    for state in (UpdateState.FETCHING, UpdateState.CHECKING, UpdateState.INSTALLING):
        after = after_start(replace(INSTALLED, state=state, percent=50), A, "two", "")
        assert (after.state, after.percent) == (UpdateState.FAILED, None)
        assert "order it again" in after.reason


def test_records_and_orders_come_back_from_the_disk_as_they_were() -> None:
    update = replace(INSTALLED, ports=("eth0", "eth1"), percent=3, reason="ä\n")
    assert read_update(update.as_text()) == update
    assert read_update(failed(update, "no").as_text()) == failed(update, "no")
    text = '{"action": "install", "actor": "anna", "at": "", "url": "http://a/b", "is_unattended": true}'
    assert read_order(text) == UpdateOrder(UpdateAction.INSTALL, "anna", "", "http://a/b", True)
    for damaged in ("", "null", "[]", '{"action": "dance"}', '{"action": "install", "sudo": 1}'):
        assert read_order(damaged) is None
        assert read_update(damaged) is None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def test_a_window_over_midnight_is_one_night() -> None:
    window = window_of("23:00-02:30")
    assert window == UpdateWindow(time(23), time(2, 30))
    assert window.length_s() == 3.5 * 3600
    [evening, morning] = [window.night(at(f"2026-12-0{one}")) for one in ("1T23:30", "2T02:29")]
    assert evening == morning
    assert window.night(at("2026-12-02T02:30")) is None
    assert window.night(at("2026-12-02T22:59")) is None
    assert window.since_begin_s(at("2026-12-02T00:10")) == 70 * 60


@pytest.mark.parametrize("text", ["", "03:00", "3:00-5:00", "03:00-03:00", "25:00-26:00", "03:00-05:00-06:00"])
def test_a_text_that_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the configuration says what it must be
        window_of(text)


def test_the_server_is_asked_once_a_night_some_time_after_the_window_begins() -> None:
    window = window_of("03:00-05:00")
    asked: list[datetime] = []
    now = at("2026-12-01T00:00")
    for _ in range(4 * 24 * 60):
        if is_time_to_look(window, now, asked[-1] if asked else None, 0.5):
            asked.append(now)
        now += timedelta(minutes=1)
    assert [f"{one:%d %H:%M}" for one in asked] == ["01 03:30", "02 03:30", "03 03:30", "04 03:30"]


def test_a_night_in_which_the_clock_is_set_back_has_one_look() -> None:
    window, looked = window_of("02:00-04:00"), at("2026-10-25T02:10")
    assert not is_time_to_look(window, at("2026-10-25T02:10").replace(fold=1), looked, 0.0)
