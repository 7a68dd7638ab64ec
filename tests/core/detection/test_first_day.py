import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.detection.rates.anomaly import Anomaly, rate_text
from appliance.core.detection.rates.first_day import (
    CHATTER_BPS,
    CONFIDENCE,
    COOLDOWN_S,
    FLOOR_BPS,
    LASTING,
    WARM_UP,
    Baseline,
    judge,
)

USUAL = 200_000.0
SPIKE = 20_000_000.0


def after(
    rates: Iterable[float], baseline: Baseline | None = None, since_s: float = 0.0
) -> tuple[Baseline, list[Anomaly]]:
    baseline = baseline or Baseline()
    found = []
    for second, rate in enumerate(rates):
        baseline, anomaly = judge(baseline, rate, since_s + second)
        if anomaly is not None:
            found.append(anomaly)
    return baseline, found


def usual(samples: int, seed: int = 1) -> list[float]:
    generator = random.Random(seed)
    return [USUAL * generator.uniform(0.7, 1.3) for _ in range(samples)]


def test_a_spike_after_half_a_minute_is_reported_with_its_numbers() -> None:
    _, found = after([*usual(25), SPIKE, SPIKE])
    assert len(found) == 1
    assert found[0].type == "usage_spike"
    assert found[0].severity == "critical"
    assert found[0].details.startswith("20 MB/s, ")
    assert "times the usual" in found[0].details
    assert found[0].confidence == CONFIDENCE
    assert found[0].low == found[0].high == pytest.approx(USUAL, rel=0.2)


def test_a_spike_from_silence_is_reported_without_a_multiple() -> None:
    _, found = after([0.0] * 25 + [SPIKE] * 2)
    assert [anomaly.severity for anomaly in found] == ["critical"]
    assert " is usual" in found[0].details


def test_nothing_is_judged_during_the_warm_up() -> None:
    _, found = after([*usual(WARM_UP - LASTING), SPIKE, SPIKE])
    assert found == []


def test_a_single_outstanding_sample_is_no_anomaly() -> None:
    _, found = after(usual(25) + [SPIKE, *usual(3)] * 10)
    assert found == []


def test_usual_traffic_is_no_anomaly() -> None:
    _, found = after(usual(5000))
    assert found == []


def test_bursty_traffic_is_no_anomaly() -> None:
    generator = random.Random(7)
    _, found = after(USUAL * generator.lognormvariate(0, 0.8) for _ in range(5000))
    assert found == []


def test_a_multiple_of_little_is_no_anomaly() -> None:
    _, found = after([1_000.0] * 30 + [FLOOR_BPS * 0.9] * 10)
    assert found == []


def test_a_full_line_that_is_usual_is_no_anomaly() -> None:
    _, found = after([SPIKE] * 200)
    assert found == []


def test_less_than_usual_is_no_spike() -> None:
    _, found = after([SPIKE] * 30 + [0.0] * 10)
    assert found == []


@pytest.mark.parametrize(("rate", "severity"), [(1e6, "low"), (3e6, "medium"), (8e6, "high"), (30e6, "critical")])
def test_severity_grows_with_the_multiple_of_the_usual_rate(rate: float, severity: str) -> None:
    _, found = after([1_000.0] * 30 + [rate] * LASTING)
    assert [anomaly.severity for anomaly in found] == [severity]


def test_a_lasting_spike_is_reported_once_and_again_only_when_it_grows_worse() -> None:
    baseline, found = after([*usual(30), *[4e6] * 10])
    assert [anomaly.severity for anomaly in found] == ["medium"]
    _, found = after([40e6] * 10, baseline, since_s=40)
    assert [anomaly.severity for anomaly in found] == ["critical"]


def test_a_second_spike_is_reported_when_the_first_is_long_over() -> None:
    baseline, _ = after([*usual(30), SPIKE, SPIKE])
    baseline, _ = after(usual(60), baseline, since_s=32)
    _, found = after([SPIKE] * 2, baseline, since_s=92)
    assert found == []
    _, found = after([SPIKE] * 2, baseline, since_s=32 + COOLDOWN_S)
    assert len(found) == 1


def test_a_spike_does_not_become_usual_at_once_but_a_new_level_does() -> None:
    baseline, _ = after(usual(100))
    during, _ = after([SPIKE] * 20, baseline, since_s=100)
    assert during.usual_bps < SPIKE / 10
    later, found = after([SPIKE] * 900, baseline, since_s=100)
    assert later.usual_bps > SPIKE / 2
    assert len(found) <= 2


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0 B/s"), (999.6, "1 kB/s"), (5_240_000, "5.24 MB/s"), (2e9, "2 GB/s")],
)
def test_rates_are_written_with_units(rate: float, text: str) -> None:
    assert rate_text(rate) == text


@given(st.lists(st.floats(0, 1e13), max_size=80))
def test_whatever_the_rates_the_baseline_lies_within_them_and_confidence_within_0_and_1(rates: list[float]) -> None:
    baseline, found = after(rates)
    assert 0 <= baseline.usual_bps <= max([*rates, 0.0]) * 1.001 + CHATTER_BPS * 0.001
    assert all(0 < anomaly.confidence < 1 for anomaly in found)
