from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.traffic.dns import DnsAnswer
from appliance.core.traffic.sites import (
    MOST_LOOKUPS,
    PART_S,
    PARTS,
    SITES_PER_PART,
    TOP_SITES,
    Analytics,
    Averages,
    Site,
    Trend,
    trend_of,
    update_averages,
)


def last_two_labels(name: str) -> str | None:
    labels = name.split(".")
    return ".".join(labels[-2:]) if len(labels) > 1 else None


def visit(analytics: Analytics, name: str, now_s: float, client: str = "192.168.1.10") -> None:
    analytics.count_visit(DnsAnswer(client, name, ()), now_s)


@pytest.fixture
def analytics() -> Analytics:
    return Analytics(last_two_labels)


def test_sites_are_ranked_by_visits_and_equals_by_name(analytics: Analytics) -> None:
    for second, name in enumerate(["b.example", "www.a.example", "c.test", "d.test", "mail.a.example"]):
        visit(analytics, name, second * 10)
    assert analytics.top_sites(50) == (Site("a.example", 2), Site("b.example", 1), Site("c.test", 1), Site("d.test", 1))


def test_both_ip_versions_of_one_look_up_are_one_visit(analytics: Analytics) -> None:
    visit(analytics, "www.a.example", 10.0)
    visit(analytics, "www.a.example", 10.4)
    visit(analytics, "www.a.example", 10.9)
    visit(analytics, "www.a.example", 10.5, client="192.168.1.11")
    visit(analytics, "www.a.example", 11.0)
    assert analytics.top_sites(12) == (Site("a.example", 3),)


def test_an_hour_later_a_visit_is_forgotten(analytics: Analytics) -> None:
    visit(analytics, "old.example", 0)
    visit(analytics, "new.example", PART_S * PARTS - 1)
    assert len(analytics.top_sites(PART_S * PARTS - 1)) == 2
    assert analytics.top_sites(PART_S * PARTS) == (Site("new.example", 1),)


def test_an_unregistrable_name_is_no_site_but_its_client_is_active(analytics: Analytics) -> None:
    visit(analytics, "printer", 0)
    assert analytics.top_sites(0) == ()
    assert analytics.active_users(0) == 1


def test_active_users_are_distinct_clients_of_the_last_five_minutes(analytics: Analytics) -> None:
    visit(analytics, "a.example", 0, client="192.168.1.10")
    analytics.mark_active("192.168.1.11", 100)
    analytics.mark_active("192.168.1.11", 200)
    assert analytics.active_users(250) == 2
    assert analytics.active_users(301) == 1
    assert analytics.active_users(501) == 0


def test_a_flood_of_names_invents_no_visits_and_hides_no_popular_site(analytics: Analytics) -> None:
    for number in range(SITES_PER_PART * 20):
        visit(analytics, f"random{number}.test", number * 0.01, client=f"client{number}")
        if number % 20 == 0:  # one in twenty-one visits: far above 1 / SITES_PER_PART
            visit(analytics, "popular.example", number * 0.01, client=f"client{number}")
    top = analytics.top_sites(60)
    assert len(top) == TOP_SITES
    assert top[0].domain == "popular.example"
    assert 256 - 21 <= top[0].visits <= 256  # too low by at most the visits over SITES_PER_PART
    assert all(site.visits == 1 for site in top[1:])


def test_a_flood_within_a_second_is_remembered_to_a_bound(analytics: Analytics) -> None:
    for number in range(MOST_LOOKUPS + 1):
        visit(analytics, "a.example", 0, client=f"client{number}")
    visit(analytics, "a.example", 0.5, client=f"client{MOST_LOOKUPS}")
    visit(analytics, "a.example", 0.5, client="client0")  # forgotten, so counted again
    assert analytics.top_sites(1) == (Site("a.example", MOST_LOOKUPS + 2),)


@given(st.lists(st.tuples(st.sampled_from(["a.x", "b.x", "c.x", "d"]), st.floats(1.01, 400))))
def test_below_the_bound_counts_are_exact(steps: list[tuple[str, float]]) -> None:
    analytics, now_s, visits = Analytics(last_two_labels), 0.0, list[tuple[str, float]]()
    for name, pause_s in steps:
        now_s += pause_s
        visit(analytics, name, now_s)
        visits.append((name, now_s))
    oldest_s = (now_s // PART_S - PARTS + 1) * PART_S
    expected = Counter(name for name, at_s in visits if at_s >= oldest_s and name != "d")
    assert {site.domain: site.visits for site in analytics.top_sites(now_s)} == expected


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
