from collections.abc import Mapping, Sequence
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.spaces import PUBLIC_SPACES, Space, own_spaces, prefixes_of, span_of, without
from appliance.core.blocking.spaces import fillers as fillers_of


def fillers(targets: Sequence[str], spaces: Sequence[Space]) -> Mapping[str, str]:
    return fillers_of({target: span for target in targets if (span := span_of(target)) is not None}, spaces)


def without_private() -> list[str]:
    """Everything but the private networks and group addresses, as one would write it."""
    left = [ip_network("0.0.0.0/0")]
    for gap in map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3")):
        left = [piece for one in left for piece in (one.address_exclude(gap) if gap.subnet_of(one) else [one])]
    return [str(one) for one in left]


@pytest.mark.parametrize(
    "targets",
    [
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
        ["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
        ["::/1", "8000::/1"],
        ["2000::/4", "3000::/4"],
        ["2000::/3"],
        [f"{n}.0.0.0/8" for n in range(256)],
        without_private(),
    ],
)
def test_prefixes_that_are_everything_together_are_found(targets: list[str]) -> None:
    assert fillers([*targets, "203.0.113.0/24", "10.0.0.1"], PUBLIC_SPACES)


@pytest.mark.parametrize(
    "targets",
    [
        [],
        ["0.0.0.0/1"],
        ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "224.0.0.0/3", "100.64.0.0/10"],
        [f"{n}.0.0.0/8" for n in range(256) if n != 198],
        ["2000::/4", "3000::/5"],
        ["4000::/2", "8000::/1", "::/8"],
    ],
)
def test_a_list_of_unused_addresses_or_of_most_countries_fills_nothing(targets: list[str]) -> None:
    assert fillers(targets, PUBLIC_SPACES) == {}


def test_only_the_widest_are_left_out_and_until_the_space_is_not_full() -> None:
    spaces = own_spaces([(ip_network("10.1.0.0/16"), "own")])
    found = fillers(["10.1.0.0/17", "10.1.128.0/18", "10.1.192.0/18", "10.2.0.0/16"], spaces)
    assert found == {"10.1.0.0/17": "own"}


@given(st.integers(0, 255), st.integers(0, 255))
def test_a_range_is_the_sum_of_its_prefixes(one: int, other: int) -> None:
    first, last = sorted((one, other))
    found = [*prefixes_of(first, last)]
    assert [address for low, high in found for address in range(low, high + 1)] == [*range(first, last + 1)]
    assert all((high - low + 1).bit_count() == 1 and low % (high - low + 1) == 0 for low, high in found)


def test_what_is_cut_out_of_a_range_leaves_the_rest() -> None:
    assert without(0, 9, []) == [(0, 9)]
    assert without(0, 9, [(2, 3), (3, 5), (9, 20)]) == [(0, 1), (6, 8)]
    assert without(5, 9, [(0, 20)]) == []
    assert [*prefixes_of(0, (1 << 128) - 1)] == [(0, (1 << 128) - 1)]
