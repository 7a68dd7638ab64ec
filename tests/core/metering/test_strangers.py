from appliance.core.metering.strangers import SAMPLED_S, WINDOW_S, Strangers


def followed(*samples: tuple[int, int, dict[str, int]]) -> Strangers:
    strangers = Strangers("eth1")
    for number, sample in enumerate(samples):
        strangers.note(*sample, number * SAMPLED_S)
    return strangers


def test_what_nobody_claims_is_told_from_one_percent_on() -> None:
    assert followed((0, 0, {}), (1000, 9, {})).sentences() == ()
    [sentence] = followed((0, 0, {}), (1000, 10, {})).sentences()
    assert sentence.startswith("1.0% of the traffic at eth1 belongs to no department")


def test_what_no_rule_can_read_is_told_by_kind_and_bytes() -> None:
    [sentence] = followed((0, 0, {"PPPoE": 7, "MPLS": 5}), (9000, 0, {"PPPoE": 1241, "MPLS": 5})).sentences()
    assert sentence == "PPPoE at eth1: 1,234 bytes in which no block can see an address"


def test_what_ended_before_the_window_is_told_no_more() -> None:
    quiet = [(1000, 500, {"PPPoE": 9})] * int(WINDOW_S / SAMPLED_S + 2)
    assert followed((0, 0, {}), *quiet).sentences() == ()


def test_meters_that_begin_again_at_zero_make_no_figure() -> None:
    assert followed((10_000, 5000, {}), (100, 50, {})).sentences() == ()
