"""Whether a wall clock is trusted."""

from datetime import UTC, datetime

import pytest

from appliance.core.moment import PATIENCE_S, moment

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("synchronised", "battery_clock", "up_s", "trusted"),
    [
        (True, False, 5.0, True),
        (False, True, 5.0, True),
        (False, False, PATIENCE_S - 1, False),
        (False, False, PATIENCE_S, True),
    ],
)
def test_a_clock_is_trusted_when_something_keeps_it_right_or_nobody_is_coming(
    synchronised: bool, battery_clock: bool, up_s: float, trusted: bool
) -> None:
    assert moment(NOON, up_s, is_synchronised=synchronised, has_battery=battery_clock).is_trusted is trusted
