"""The usual range: what a bucket of history is expected to hold, from what such buckets held in the weeks before.

Traffic varies in multiples, as in `expectation`: the range is two standard deviations of the logarithms to either
side of their mean, in which 95 % of normal values are.
"""

from collections.abc import Sequence
from math import exp, log, sqrt

from appliance.core.detection.rates.first_day import LEAST_SCATTER

WEEKS = 6  # that are looked at: more would have another season in them, and hours are kept for twelve
LEAST_WEEKS = 3  # of which something is known: from two no scatter is told
WIDTH = 2.0  # standard deviations to either side
CHATTER_BYTES = 1_000_000  # of idle devices in an hour: below it a multiple means nothing


def usual_range(amounts: Sequence[int]) -> tuple[int, int] | None:
    """The least and most bytes that are usual after these of earlier weeks; `None`: these are too few."""
    if len(amounts) < LEAST_WEEKS:
        return None
    levels = [log(one + CHATTER_BYTES) for one in amounts]
    mean = sum(levels) / len(levels)
    variance = sum((one - mean) ** 2 for one in levels) / (len(levels) - 1)
    reach = WIDTH * max(sqrt(variance), LEAST_SCATTER)
    low, high = (max(0, round(exp(mean + sign * reach)) - CHATTER_BYTES) for sign in (-1, 1))
    return low, high
