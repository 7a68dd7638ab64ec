"""Requests for more, over a kernel in memory and a database in a file."""

from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from appliance.core.metering.quota import Action, Limits, QuotaKind, QuotaRequest, RequestState
from appliance.core.refusal import Code, MustWait, Refused
from appliance.events import QuotaRequested
from appliance.monitor.metering.departments import CutOff
from appliance.monitor.metering.quota_requests import (
    ASKING,
    KEPT,
    LONGEST_NAME,
    LONGEST_TEXT,
    MOST_KEPT,
    MOST_OPEN,
    QuotaRequests,
)
from appliance.system.storage.store import SqliteStore
from tests.monitor.metering.test_departments import A, Appliance, B

HOST, OTHER = "10.20.0.11", "10.20.0.12"
BLOCKING = Limits({QuotaKind.DAILY: 1000}, on_exceeded=Action.BLOCK)


class FullStore(SqliteStore):
    """The real store on a medium that can be full."""

    is_full = False

    def save_quota_requests(self, saved: Sequence[QuotaRequest], deleted: Sequence[str]) -> None:
        if self.is_full:
            raise Refused(Code.MAINTENANCE, "the disk takes no changes")
        super().save_quota_requests(saved, deleted)


class Desk:
    """The requests of an appliance whose departments have used up their quotas, or one host of `A` its own."""

    def __init__(self, path: Path, *, of_host: bool = False) -> None:
        limits = {"limits": Limits({}), "host_limits": BLOCKING} if of_host else {"limits": BLOCKING}
        self.appliance = Appliance(path / "s", **limits)
        if of_host:
            self.appliance.kernel.pass_on_host(A, HOST, 500, 500)
        else:
            for department in (A, B):
                self.appliance.kernel.pass_on(department, 500, 500)
        self.appliance.step(10)
        self.path = path / "requests"
        self.restart()

    def restart(self) -> None:
        self.store = FullStore(self.path)
        self.requests = QuotaRequests(self.store, self.appliance.metering, self.appliance.published.append)

    def cut_off(self, address: str = HOST) -> CutOff:
        found = self.appliance.metering.find_cut_off(address, self.appliance.now)
        assert found is not None
        return found

    def ask(self, text: str = "payroll", address: str = HOST, name: str = "T. Brandt") -> QuotaRequest:
        return self.requests.ask(self.cut_off(address), address, name, text, self.appliance.now)

    def told(self) -> list[tuple[str, str, str | None]]:
        events = [one.request for one in self.appliance.published if isinstance(one, QuotaRequested)]
        return [(one.text, one.state, one.by or None) for one in events]

    def listed(self, departments: Collection[str] = (A, B)) -> list[tuple[str, RequestState]]:
        return [(one.text, one.state) for one in self.requests.requests(departments, self.appliance.now)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def host_desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, of_host=True)


def refused(work: Callable[[], object]) -> Code:
    with pytest.raises(Refused) as error:
        work()
    return error.value.code


def test_a_request_is_told_at_once_and_is_there_after_a_restart(desk: Desk) -> None:
    request = desk.ask()
    assert (request.department, request.address, request.name, request.state) == (A, HOST, "T. Brandt", "open")
    assert desk.told() == [("payroll", "open", None)]
    desk.ask("bank", OTHER)
    desk.restart()
    assert desk.listed() == [("bank", RequestState.OPEN), ("payroll", RequestState.OPEN)], "newest first"
    assert desk.listed([B]) == []
    assert desk.requests.find(request.id) == request


def test_an_address_may_ask_three_times_an_hour_and_the_same_request_counts_once(desk: Desk) -> None:
    first = desk.ask("0")
    assert desk.ask("0") == first
    for number in range(1, ASKING.burst):
        desk.ask(str(number))
    with pytest.raises(MustWait) as wait:
        desk.ask("more")
    assert wait.value.wait_s == pytest.approx(1200)
    desk.ask("another's", OTHER)
    desk.appliance.step(1200)
    desk.ask("more")


@pytest.mark.parametrize(
    ("name", "text"),
    [("", "payroll"), ("eva", " \r\n "), ("e" * (LONGEST_NAME + 1), "x"), ("eva", "x" * (LONGEST_TEXT + 1))],
)
def test_a_request_without_words_or_with_too_many_is_refused_and_does_not_count(
    desk: Desk, name: str, text: str
) -> None:
    for _ in range(ASKING.burst + 1):
        assert refused(lambda: desk.ask(text, name=name)) is Code.BAD_REQUEST
    assert desk.listed() == []
    desk.ask()


def test_what_has_no_shape_of_its_own_is_written_out(desk: Desk) -> None:
    request = desk.ask("a\x1b[2J\u202egnp.exe\r\n\tb \N{ZERO WIDTH JOINER}", name="<b>\0</b>")
    assert request.text == "a(U+001B)[2J(U+202E)gnp.exe b \N{ZERO WIDTH JOINER}"
    assert request.name == "<b>(U+0000)</b>", "markup is text, and is escaped where it is shown"


def test_only_so_many_requests_of_a_department_wait(desk: Desk) -> None:
    for number in range(MOST_OPEN):
        desk.ask(str(number), f"10.20.1.{number}")
    assert refused(lambda: desk.ask("one more")) is Code.RATE_LIMITED
    assert len(desk.listed()) == MOST_OPEN
    desk.requests.grant(A, None, "ben", "exam", desk.appliance.now)
    desk.ask("one more")


def test_only_so_many_are_kept_and_those_that_wait_are_the_last_to_go(desk: Desk) -> None:
    waiting = desk.ask("waits", "10.20.9.9")
    for number in range(MOST_KEPT + 5):
        answered = desk.ask(str(number), f"10.21.{number // 250}.{number % 250}")
        desk.requests.decline(answered, "ben", None, desk.appliance.now)
    assert len(desk.listed()) == MOST_KEPT
    assert desk.requests.find(waiting.id) == waiting
    desk.restart()
    assert len(desk.listed()) == MOST_KEPT


def test_a_request_is_declined_once_with_a_reason(desk: Desk) -> None:
    request = desk.ask()
    declined = desk.requests.decline(request, "ben", "the quota is for all", desk.appliance.now)
    assert (declined.state, declined.actor, declined.reason) == ("declined", "ben", "the quota is for all")
    assert desk.told()[-1] == ("payroll", "declined", "ben")
    with pytest.raises(Refused, match="declined already, by ben") as conflict:
        desk.requests.decline(declined, "eva", None, desk.appliance.now)
    assert conflict.value.code is Code.CONFLICT
    desk.restart()
    assert desk.listed() == [("payroll", RequestState.DECLINED)]


def test_a_grant_answers_the_departments_open_requests_and_tells_each(desk: Desk) -> None:
    desk.ask()
    desk.requests.decline(desk.ask("game"), "ben", None, desk.appliance.now)
    desk.requests.grant(B, None, "ben", "exam", desk.appliance.now)
    assert desk.listed() == [("game", RequestState.DECLINED), ("payroll", RequestState.OPEN)]
    desk.requests.grant(A, None, "ben", "exam", desk.appliance.now)
    assert desk.listed() == [("game", RequestState.DECLINED), ("payroll", RequestState.GRANTED)]
    assert desk.told()[-1] == ("payroll", "granted", "ben")


def test_a_grant_to_a_host_answers_what_it_has_asked_and_one_to_its_department_does_not(host_desk: Desk) -> None:
    host_desk.ask()
    host_desk.requests.grant(A, None, "ben", "exam", host_desk.appliance.now)
    host_desk.requests.grant(A, OTHER, "ben", "exam", host_desk.appliance.now)
    assert host_desk.listed() == [("payroll", RequestState.OPEN)]
    host_desk.requests.grant(A, HOST, "ben", "exam", host_desk.appliance.now)
    assert host_desk.listed() == [("payroll", RequestState.GRANTED)]


def test_an_open_request_ends_with_the_period_and_an_answered_one_after_a_month(desk: Desk) -> None:
    desk.ask()
    desk.requests.decline(desk.ask("game"), "ben", None, desk.appliance.now)
    desk.appliance.step(86_400)
    assert desk.listed() == [("game", RequestState.DECLINED)]
    desk.appliance.step(KEPT / timedelta(seconds=1) - 86_400)
    assert desk.listed() == []
    desk.restart()
    assert desk.listed() == []


def test_a_full_disk_takes_no_request_and_a_grant_is_in_force_all_the_same(desk: Desk) -> None:
    desk.ask()
    desk.store.is_full = True
    assert refused(lambda: desk.ask("more")) is Code.MAINTENANCE
    desk.requests.grant(A, None, "ben", "exam", desk.appliance.now)
    assert desk.listed() == [("payroll", RequestState.OPEN)]
    desk.store.is_full = False
    desk.requests.grant(A, None, "ben", "exam", desk.appliance.now)
    assert desk.listed() == [("payroll", RequestState.GRANTED)]
