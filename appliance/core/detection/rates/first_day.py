"""The first day of a department: what its rate was in the last minutes is all that it can be compared with.

Traffic varies in multiples, not in sums, so the baseline is a moving mean and variance of the logarithm of the rate. A
sample stands out when it passes three tests: it is large in itself, a multiple of the usual rate, and far outside the
usual scatter. Each test alone errs: a large rate may be usual, a quiet department triples by opening a page, a steady
one has a tiny scatter. Two such samples in a row are a spike; a single one occurs in any bursty traffic. An outstanding
sample changes the baseline only as much as the largest usual sample would: an attack does not become normal at once,
and a lasting change does after some minutes.
"""

from math import exp, log, sqrt

from msgspec import Struct
from msgspec.structs import replace

from appliance.core.detection.incident import Severity
from appliance.core.detection.rates.anomaly import Anomaly, AnomalyType, rate_text

# The numbers were weighed on simulated days of 17,280 samples: log-normal rates with spreads of 0.5 to 2 around
# 100 kB/s, correlated or not, and a working day that rises and falls between 40 kB/s and 4 MB/s.
WARM_UP = 20  # samples before anything is judged: at one a second, spikes are reported from the 22nd second on
MEMORY = 120  # samples that the baseline covers: 10 minutes at the default period of 5 s, enough to follow a day's rise
FLOOR_BPS = 1_000_000.0  # bytes per second; a single video stream (8 Mbit/s) is no emergency
LEAST_RATIO = 4.0  # rate to the usual rate; a few people who start to work reach less
LEAST_Z = 4.0  # standard deviations; at 3 the bursty days raised four times as many alarms
LASTING = 2  # samples in a row; single ones raised six times as many
CHATTER_BPS = 100_000.0  # bytes per second, the variation of idle devices: below it a multiple means nothing
LEAST_SCATTER = 0.25  # assumed of a flat line: at the least z, a rate of e times the usual one
CLIP_Z = 2.0  # an outstanding sample counts as this far out: from idle, 20 MB/s is normal after 220 samples
CONFIDENCE = 0.5  # of a jump in a day that is not known: every other was made to happen, on the lines of the bench
COOLDOWN_S = 240.0  # without an outstanding sample, after which the next spike is another one

# The least ratio of the rate to the usual one for each severity, worst first. A line that is usually a third full can
# reach only `low`; the worst takes a jump that no working day shows.
SEVERITIES = ((50.0, Severity.CRITICAL), (20.0, Severity.HIGH), (8.0, Severity.MEDIUM), (LEAST_RATIO, Severity.LOW))
_RANKS = {severity: rank for rank, (_, severity) in enumerate(reversed(SEVERITIES), 1)}


class Baseline(Struct, frozen=True):
    """The normal rate: `mean` and `variance` of the logarithm of the rate plus `CHATTER_BPS`, after `samples` samples.

    `streak`: the number of outstanding samples in a row. `reported`: the severity that was reported last, not to be
    repeated before `quiet_until_s` (monotonic).
    """

    samples: int = 0
    mean: float = 0.0
    variance: float = 0.0
    streak: int = 0
    reported: Severity | None = None
    quiet_until_s: float = float("-inf")

    @property
    def usual_bps(self) -> float:
        """The usual rate, in bytes per second."""
        return max(0.0, exp(self.mean) - CHATTER_BPS)


def judge(baseline: Baseline, rate: float, now_s: float) -> tuple[Baseline, Anomaly | None]:
    """The baseline after a sample of `rate` bytes per second, and the anomaly to report, or `None`."""
    level = log(max(0.0, rate) + CHATTER_BPS)
    if baseline.samples < WARM_UP:
        return _learn(baseline, level), None
    scatter = max(sqrt(baseline.variance), LEAST_SCATTER)
    z = (level - baseline.mean) / scatter
    # A usual rate of almost nothing would make every ratio huge: it counts as a quarter of the floor at least.
    ratio = rate / max(baseline.usual_bps, FLOOR_BPS / LEAST_RATIO)
    if rate < FLOOR_BPS or ratio < LEAST_RATIO or z < LEAST_Z:
        return _learn(replace(baseline, streak=0), level), None
    learned = _learn(replace(baseline, streak=baseline.streak + 1), baseline.mean + CLIP_Z * scatter)
    severity = next(severity for least, severity in SEVERITIES if ratio >= least)
    is_same = baseline.reported is not None and now_s < baseline.quiet_until_s
    if is_same:
        learned = replace(learned, quiet_until_s=now_s + COOLDOWN_S)
    if learned.streak < LASTING or (is_same and _RANKS[severity] <= _RANKS[baseline.reported or severity]):
        return learned, None
    reported = replace(learned, reported=severity, quiet_until_s=now_s + COOLDOWN_S)
    found = Anomaly(
        type=AnomalyType.SPIKE,
        severity=severity,
        details=_details(baseline, rate, z),
        confidence=CONFIDENCE,
        rate=rate,
        low=baseline.usual_bps,
        high=baseline.usual_bps,
        since_s=now_s,
    )
    return reported, found


def _learn(baseline: Baseline, level: float) -> Baseline:
    # The first samples are a plain average; from then on each weighs 1 / MEMORY (West 1979, exponentially weighted).
    weight = 1 / min(baseline.samples + 1, MEMORY)
    difference = level - baseline.mean
    return replace(
        baseline,
        samples=min(baseline.samples + 1, MEMORY),
        mean=baseline.mean + weight * difference,
        variance=(1 - weight) * (baseline.variance + weight * difference * difference),
    )


def _details(baseline: Baseline, rate: float, z: float) -> str:
    usual = rate_text(baseline.usual_bps)
    if rate > baseline.usual_bps * 1000:  # a larger multiple means nothing to a person
        comparison = f"where {usual} is usual"
    else:
        comparison = f"{rate / baseline.usual_bps:.1f} times the usual {usual}"
    return f"{rate_text(rate)}, {comparison} ({z:.1f} standard deviations above it)"
