"""When the service takes its steps."""

from datetime import UTC, datetime

import pytest

from appliance.core.moment import Moment
from appliance.service import running

NOW = Moment(datetime(2026, 1, 1, tzinfo=UTC), 0.0, is_trusted=True)


class Ended(Exception):
    """Enough steps were taken."""


def test_a_row_steps_at_once_and_then_at_its_own_times_and_makes_up_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, taken_s, lasts_s = [10.03], list[float](), [0.01, 0.3, 0.01, 0.01]
    monkeypatch.setattr(running, "monotonic", lambda: now_s[0])
    monkeypatch.setattr(running.eventlet, "sleep", lambda for_s: now_s.append(now_s.pop() + for_s))

    def step(_: Moment) -> None:
        taken_s.append(round(now_s[0], 3))
        if len(taken_s) > len(lasts_s):
            raise Ended
        now_s[0] += lasts_s[len(taken_s) - 1]

    with pytest.raises(Ended):
        running._repeat(running.Timed("a row", 0.25, step), 0.1, lambda: NOW)
    assert taken_s == [10.03, 10.1, 10.6, 10.85, 11.1]
