from pathlib import Path

import pytest

from appliance.service.supervision.restart_pace import FREE_STARTS, LONGEST_S, WITHIN_S, RestartPace, pause_s


class Clock:
    """A monotonic clock that moves only by waiting."""

    def __init__(self) -> None:
        self.now_s = 5000.0
        self.waited: list[float] = []

    def read(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.waited.append(duration_s)
        self.now_s += duration_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_first_failures_are_mended_at_once_and_the_pause_then_doubles_up_to_half_a_minute(
    clock: Clock, tmp_path: Path
) -> None:
    for _ in range(FREE_STARTS + 7):
        RestartPace(str(tmp_path)).wait(clock.read, clock.sleep)
    assert clock.waited == [1, 2, 4, 8, 16, LONGEST_S, LONGEST_S]


def test_a_clean_end_is_no_failure(clock: Clock, tmp_path: Path) -> None:
    for _ in range(FREE_STARTS + 3):
        pace = RestartPace(str(tmp_path))
        pace.wait(clock.read, clock.sleep)
        pace.forget()
    assert clock.waited == []
    assert list(tmp_path.iterdir()) == []


def test_what_was_long_ago_or_in_another_boot_does_not_count() -> None:
    many = [100.0] * 20
    assert pause_s(many, 100.0 + WITHIN_S) == 0
    assert pause_s(many, 50.0) == 0  # the clock began anew
    assert pause_s(many, 100.0 + WITHIN_S - 1) == LONGEST_S


@pytest.mark.parametrize("content", [b"garbage", b"\xff\xfe", b""])
def test_a_damaged_note_delays_nothing_and_is_replaced(content: bytes, clock: Clock, tmp_path: Path) -> None:
    (tmp_path / "starts").write_bytes(content)
    RestartPace(str(tmp_path)).wait(clock.read, clock.sleep)
    assert (tmp_path / "starts").read_text() == "5000.0"


def test_without_a_supervisor_or_with_a_folder_that_is_gone_nothing_waits(clock: Clock, tmp_path: Path) -> None:
    for folder in ("", str(tmp_path / "none")):
        for _ in range(2 * FREE_STARTS):
            pace = RestartPace(folder)
            pace.wait(clock.read, clock.sleep)
            pace.forget()
    assert clock.waited == []
