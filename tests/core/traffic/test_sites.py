from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.traffic.naming import Judgement, Purpose
from appliance.core.traffic.sites import (
    MOST_DEVICES,
    MOST_VISITS,
    PART_S,
    PARTS,
    SITES_PER_PART,
    TOP_SITES,
    VISIT_S,
    Analytics,
    Averages,
    Site,
    Trend,
    trend_of,
    update_averages,
)

PHONE, LAPTOP = "02:00:00:00:00:0a", "02:00:00:00:00:0b"


def visit(analytics: Analytics, domain: str, now_s: float, device: str = PHONE) -> None:
    analytics.count_contact(device, Judgement(Purpose.SITE, domain), now_s)


def counted(analytics: Analytics, now_s: float) -> list[tuple[str, int]]:
    return [(one.domain, one.visits) for one in analytics.top_sites(now_s)]


@pytest.fixture
def analytics() -> Analytics:
    return Analytics()


def test_sites_are_ranked_by_visits_and_equals_by_name(analytics: Analytics) -> None:
    for number, domain in enumerate(["b.example", "a.example", "c.test", "d.test", "a.example"]):
        visit(analytics, domain, number, device=f"device{number}")
    assert counted(analytics, 50) == [("a.example", 2), ("b.example", 1), ("c.test", 1), ("d.test", 1)]


def test_what_a_device_does_at_a_site_within_half_an_hour_is_one_visit(analytics: Analytics) -> None:
    visit(analytics, "a.example", 0)
    visit(analytics, "a.example", VISIT_S - 1)
    visit(analytics, "a.example", 5, device=LAPTOP)
    visit(analytics, "a.example", VISIT_S)
    assert analytics.top_sites(VISIT_S) == (Site("a.example", 3, devices=(PHONE, LAPTOP)),)


def test_an_hour_later_a_visit_is_forgotten(analytics: Analytics) -> None:
    visit(analytics, "old.example", 0)
    visit(analytics, "new.example", PART_S * PARTS - 1)
    assert len(analytics.top_sites(PART_S * PARTS - 1)) == 2
    assert counted(analytics, PART_S * PARTS) == [("new.example", 1)]


def test_what_programs_do_by_themselves_is_counted_apart(analytics: Analytics) -> None:
    analytics.count_contact(PHONE, Judgement(Purpose.BACKGROUND, "ocsp.example"), 0)
    analytics.add_bytes("ocsp.example", 900, 1)
    assert analytics.top_sites(2) == ()
    assert analytics.background(2) == (Site("ocsp.example", 1, bytes=900, devices=(PHONE,)),)


@pytest.mark.parametrize(
    ("purpose", "is_named"),
    [
        (Purpose.SITE, True),
        (Purpose.BACKGROUND, True),
        (Purpose.LOCAL, True),
        (Purpose.UNNAMED, False),
        (Purpose.HIDDEN, False),
        (Purpose.ENCRYPTED_DNS, False),
    ],
)
def test_the_share_of_connections_without_a_name_is_told(
    analytics: Analytics, purpose: Purpose, is_named: bool
) -> None:
    assert analytics.contacts(0).unnamed_share is None
    for second in range(3):
        analytics.count_contact(PHONE, Judgement(purpose, "a.example" if is_named else ""), second)
    analytics.count_contact(PHONE, Judgement(Purpose.LOCAL, "printer.local"), 3)
    assert analytics.contacts(4).unnamed_share == (0 if is_named else 0.75)
    assert analytics.contacts(PART_S * PARTS).unnamed_share is None


def test_bytes_are_added_to_their_site_and_to_the_whole(analytics: Analytics) -> None:
    visit(analytics, "a.example", 0)
    visit(analytics, "quic.example", 0)
    analytics.add_bytes("a.example", 1000, 10)
    analytics.add_bytes("a.example", 500, PART_S)
    analytics.add_bytes(None, 300, PART_S)
    assert [(one.domain, one.bytes) for one in analytics.top_sites(PART_S)] == [
        ("a.example", 1500),
        ("quic.example", None),
    ]
    contacts = analytics.contacts(PART_S)
    assert (contacts.bytes, contacts.unnamed_bytes) == (1800, 300)


def test_active_users_are_distinct_devices_of_the_last_five_minutes(analytics: Analytics) -> None:
    visit(analytics, "a.example", 0)
    analytics.mark_active(LAPTOP, 100)
    analytics.mark_active(LAPTOP, 200)
    assert analytics.active_users(250) == 2
    assert analytics.active_users(301) == 1
    assert analytics.active_users(501) == 0


def test_a_flood_of_names_invents_no_visits_and_hides_no_popular_site(analytics: Analytics) -> None:
    for number in range(SITES_PER_PART * 20):
        visit(analytics, f"random{number}.test", number * 0.01, device=f"device{number}")
        if number % 20 == 0:  # one in twenty-one visits: far above 1 / SITES_PER_PART
            visit(analytics, "popular.example", number * 0.01, device=f"device{number}")
    top = analytics.top_sites(60)
    assert len(top) == TOP_SITES
    assert top[0].domain == "popular.example"
    assert top[0].visits <= 256 <= top[0].visits + top[0].error
    assert top[0].error <= 21  # at most the visits over SITES_PER_PART
    assert all(site.visits == 1 for site in top[1:])


def test_a_flood_of_devices_is_remembered_to_a_bound(analytics: Analytics) -> None:
    for number in range(MOST_VISITS + 1):
        visit(analytics, "a.example", 0, device=f"device{number}")
    visit(analytics, "a.example", 1, device=f"device{MOST_VISITS}")
    [site] = analytics.top_sites(2)
    assert site.visits == MOST_VISITS + 1
    assert len(site.devices) == MOST_DEVICES


@given(st.lists(st.tuples(st.sampled_from(["a.x", "b.x", "c.x"]), st.floats(0, 400))))
def test_below_the_bound_counts_are_exact(steps: list[tuple[str, float]]) -> None:
    analytics, now_s, visits = Analytics(), 0.0, list[tuple[str, float]]()
    for number, (domain, pause_s) in enumerate(steps):
        now_s += pause_s
        visit(analytics, domain, now_s, device=str(number))
        visits.append((domain, now_s))
    oldest_s = (now_s // PART_S - PARTS + 1) * PART_S
    expected = Counter(domain for domain, at_s in visits if at_s >= oldest_s)
    assert dict(counted(analytics, now_s)) == expected


def averages_of(rates: list[float], period_s: float = 1.0) -> Averages | None:
    averages = None
    for second, rate in enumerate(rates):
        averages = update_averages(averages, rate, second * period_s)
    return averages


@pytest.mark.parametrize("period_s", [1.0, 5.0])
@pytest.mark.parametrize(
    ("before", "after", "trend"),
    [
        (100_000, 100_000, Trend.STABLE),
        (100_000, 110_000, Trend.STABLE),
        (100_000, 500_000, Trend.INCREASING),
        (0, 500_000, Trend.INCREASING),
        (500_000, 100_000, Trend.DECREASING),
        (500_000, 0, Trend.DECREASING),
        (1_000, 5_000, Trend.STABLE),  # idle devices' chatter
    ],
)
def test_the_trend_compares_now_with_the_minute_before(
    before: float, after: float, trend: Trend, period_s: float
) -> None:
    rates = [before] * round(120 / period_s) + [after] * round(15 / period_s)
    assert trend_of(averages_of(rates, period_s)) is trend


def test_a_new_level_is_stable_once_it_has_lasted() -> None:
    assert trend_of(averages_of([100_000.0] * 60 + [500_000.0] * 300)) is Trend.STABLE


def test_without_samples_the_trend_is_stable() -> None:
    assert trend_of(None) is Trend.STABLE
