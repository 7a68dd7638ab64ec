"""Devices that send far more than they ever have, and than others do."""

from collections.abc import Iterator

import pytest

from appliance.core.detection.rates.outflow import MOST_DEVICES, SPANS, Outflow, Outflows, nearly_all
from tests.bench.senders import LEAKS, office, told
from tests.bench.traffic import DAY

MB = 10**6
MONDAY = 700_000 - 700_000 % 7
DEVICES = ("a", "b", "c", "d", "e")


class Watched:
    """Five devices, each of which sends so many MB in an hour of each day."""

    def __init__(self, saved: bytes = b"") -> None:
        self.flows = Outflows(saved)

    def day(self, day: int, **sent_mb: int) -> list[Outflow]:
        found: list[Outflow] = []
        for minute in range(60):
            for name in DEVICES:
                self.flows.add(name, sent_mb.get(name, 20) * MB // 60)
            found += self.flows.judge(MONDAY + day, (day * DAY + 600 + minute) * 60.0)
        return found

    def days(self, days: range, **sent_mb: int) -> Iterator[Outflow]:
        for day in days:
            yield from self.day(day, **sent_mb)


@pytest.fixture
def watched() -> Watched:
    watched = Watched()
    assert not [*watched.days(range(10))]
    return watched


def test_what_a_device_sends_is_compared_with_its_own_weeks_and_with_the_others(watched: Watched) -> None:
    first, *_, last = watched.day(10, a=3000)
    assert (first.device, first.span, first.own_bytes, first.others, first.others_bytes) == (
        "a", SPANS[0], 20 * MB // 60 * 60, 4, 20 * MB // 60 * 60,
    )  # fmt: skip
    assert first.sent_bytes < 600 * MB  # told within ten minutes, and not only at the end
    assert last.sent_bytes > 2900 * MB


@pytest.mark.parametrize(("sent_mb", "is_told"), [(400, False), (700, True)])
def test_what_is_little_is_not_told(watched: Watched, sent_mb: int, is_told: bool) -> None:
    assert bool(watched.day(10, a=sent_mb)) is is_told


def test_what_others_send_too_is_not_told() -> None:
    known = Watched()
    assert not [*known.days(range(10), b=900, c=900)]
    assert not known.day(10, a=1500)
    assert known.day(11, d=2000)


def test_a_server_that_sends_most_of_all_is_no_measure_for_the_others() -> None:
    known = Watched()
    assert not [*known.days(range(10), e=20_000)]
    assert not known.day(10, e=40_000)
    assert known.day(11, a=1000)


def test_what_lasts_is_usual_after_three_days(watched: Watched) -> None:
    assert [bool(watched.day(day, a=3000)) for day in range(10, 15)] == [True, True, True, False, False]


def test_what_is_new_is_learned_first() -> None:
    known = Watched()
    assert not known.day(0, a=3000)
    assert not [*known.days(range(1, 7), a=9000)]


def test_what_was_learned_outlives_a_restart_and_damage_begins_anew(watched: Watched) -> None:
    again = Watched(watched.flows.state)
    assert again.day(10, a=3000)
    for damaged in (b"x", b"[]", b"[1,[[1]]]", b"[1,2]", watched.flows.state[:-3]):
        assert not Watched(damaged).day(10, a=3000)


def test_a_clock_that_is_unknown_or_set_back_teaches_nothing(watched: Watched) -> None:
    before = watched.flows.state
    for day in (None, MONDAY - 100):
        watched.flows.add("a", 9000 * MB)
        assert not watched.flows.judge(day, 20 * DAY * 60.0 + (day or 0))
    assert watched.flows.state == before


def test_devices_are_bounded_and_forgotten() -> None:
    flows = Outflows()
    for number in range(2 * MOST_DEVICES):
        flows.add(f"pc{number}", 10 * MB)
    flows.judge(MONDAY, 0.0)
    assert flows.state.count(b'"pc') == MOST_DEVICES
    flows.add("late", 10 * MB)
    flows.judge(MONDAY + 100, 100.0 * DAY * 60)
    assert flows.state.count(b'"pc') == 0


def test_nearly_all_leaves_out_the_largest_of_four_or_more() -> None:
    assert [nearly_all(amounts) for amounts in ((), (3,), (1, 9), (1, 2, 3, 99), range(100))] == [0, 3, 9, 3, 94]


def test_an_ordinary_office_is_quiet_and_a_leak_in_it_is_told() -> None:
    lines = office(1, 5, 17)
    assert told(lines) == []
    leak = LEAKS["0.9 MB/s all night"]
    lines["pc2"].add(lines["pc2"].up, 15 * DAY + leak.begin, leak.minutes, leak.bytes_s)
    assert {one.found.device for one in told(lines)} == {"pc2"}
