"""NAB's score, by its paper's rules."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.bench.anomalies import nab_score
from tests.bench.interface_series import Value

# A hundred values, of which the first 15 are not judged, with windows at their begin, in the middle and near the end.
WINDOWS = (range(5, 10), range(40, 51), range(80, 91))
VALUES = [
    Value(datetime(2030, 11, 29, tzinfo=UTC) + timedelta(minutes=number), 1.0, any(number in one for one in WINDOWS))
    for number in range(100)
]


@pytest.mark.parametrize(
    ("found", "points"),
    [
        ([], -2.0),
        ([40, 80], 2.0),
        ([3, 7, 40, 45, 80], 2.0),  # what is not judged, and what was told before
        ([40], 0.0),
        ([50, 80], 1 + 0.2234 / 0.9866),  # at its last value
        ([20, 40, 80], 2 - 0.11 * 0.9999),  # 11 values after the first window, which is 4 long
        ([40, 55, 80], 2 - 0.11 * 0.8483),  # half a window after it
        ([40, 80, 99], 2 - 0.11 * 0.9780),
    ],
)
def test_each_window_counts_once_and_a_false_alarm_the_more_the_later(found: list[int], points: float) -> None:
    assert nab_score(VALUES, found) == (pytest.approx(points, abs=1e-3), 2)
