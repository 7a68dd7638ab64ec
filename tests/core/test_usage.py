from hypothesis import given
from hypothesis import strategies as st

from appliance.core.machine import Connection, Counters, Link
from appliance.core.usage import Carried, Mark, carried, count_connections, next_mark, utilization


def link(rx: int, tx: int, index: int = 3, boot: str = "b1") -> Link:
    return Link("eth1", index, "02:00:00:00:00:01", boot, up=True, counters=Counters(rx, tx))


def test_the_first_sight_of_an_interface_charges_nothing() -> None:
    assert carried(None, link(5000, 5000)).total_bytes == 0


def test_the_difference_between_two_readings_is_charged() -> None:
    mark = next_mark(None, link(100, 200))
    assert carried(mark, link(150, 260)) == Carried(50, 60)


def test_a_reset_counter_invents_no_traffic() -> None:
    mark = next_mark(None, link(10_000, 10_000))
    assert carried(mark, link(7, 5)) == Carried(7, 5)


def test_after_a_reboot_everything_that_the_counter_shows_is_new_even_if_it_is_more_than_before() -> None:
    mark = next_mark(None, link(100, 100))
    assert carried(mark, link(500, 500, boot="b2")) == Carried(500, 500)


def test_an_interface_that_comes_back_unchanged_is_not_charged_twice() -> None:
    mark = next_mark(None, link(100, 100))
    mark = next_mark(mark, None)
    assert carried(mark, link(130, 100)) == Carried(30, 0)


def test_an_interface_that_appears_later_is_charged_from_its_first_byte() -> None:
    mark = next_mark(None, None)
    assert carried(mark, link(40, 2)) == Carried(40, 2)


@given(st.lists(st.tuples(st.sampled_from(["traffic", "recreate", "away", "reboot"]), st.integers(0, 10**12))))
def test_the_charges_add_up_to_what_the_interface_carried_since_it_was_first_seen(steps: list[tuple[str, int]]) -> None:
    index, boot, counter = 1, 0, 123
    mark: Mark | None = next_mark(None, link(counter, 0, index, str(boot)))
    charged = 0
    total = 0
    for what, amount in steps:
        if what == "recreate":
            index, counter = index + 1, 0
        if what == "reboot":
            boot, counter = boot + 1, 0
        if what == "away":
            mark = next_mark(mark, None)
        counter += amount
        total += amount
        now = link(counter, 0, index, str(boot))
        charge = carried(mark, now)
        assert charge.rx_bytes >= 0
        assert charge.tx_bytes >= 0
        charged += charge.total_bytes
        mark = next_mark(mark, now)
    assert charged == total


def test_utilization_is_the_busier_directions_share_and_never_above_one() -> None:
    assert utilization(Carried(125_000, 10), 1.0, 10_000_000) == 0.1
    assert utilization(Carried(10**9, 0), 1.0, 1000) == 1.0
    assert utilization(Carried(1, 1), 1.0, None) == 0.0
    assert utilization(Carried(1, 1), 0.0, 1000) == 0.0


def test_a_connection_counts_once_whichever_end_is_in_the_department() -> None:
    from ipaddress import ip_network

    inside = Connection("10.0.0.5", "192.0.2.1")
    both = Connection("10.0.0.5", "10.0.0.6")
    inbound = Connection("2001:db8::1", "10.0.0.9")
    foreign = Connection("192.0.2.7", "192.0.2.8")
    networks = (ip_network("10.0.0.0/24"),)
    assert count_connections([inside, both, inbound, foreign], networks) == 3
    assert count_connections([inside, foreign], None) == 2
