from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.core.blocking.sets import SHAPES, BlockSet, Family
from appliance.core.kernel.nftables.prefilter import Grid, Prefilter, grids

BOUNDS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 31)).map(
    lambda drawn: (drawn[0] >> drawn[1] << drawn[1], (drawn[0] >> drawn[1] << drawn[1]) | ((1 << drawn[1]) - 1))
)
NEAR, FAR = grids(BlockSet(Family.PREFIXES4, None))


def _known_by(grid, bounds):
    mask, near = int(ip_address(grid.mask)), int(ip_address(NEAR.mask))
    mine = [one for one in bounds if (one[0] & near == one[1] & near) is grid.is_near]
    return {number & mask for first, last in mine for number in (*range(first, last, 1 << 16), last)}


@settings(deadline=None)  # a /1 has 32,768 far regions, which takes its time on a busy computer
@given(
    st.sampled_from([NEAR, FAR]),
    st.sets(BOUNDS, max_size=6),
    st.sets(BOUNDS, max_size=6),
    st.sets(BOUNDS, max_size=6),
)
def test_a_change_returns_the_regions_that_become_empty_and_the_new_ones(grid, kept, gone, new) -> None:
    gone, new = gone - kept, new - kept
    regions = Prefilter(grid, kept | gone)
    before = {*regions}
    assert before == _known_by(grid, kept | gone)
    left, entered = regions.apply(gone, new)
    assert {*regions} == _known_by(grid, kept | new) == before - {*left} | {*entered}
    assert not {*left} & {*entered}
    regions.apply(new, gone)  # back again
    assert {*regions} == before


@given(BOUNDS, st.data())
def test_each_address_of_a_piece_is_in_one_of_its_regions(piece, data) -> None:
    address = data.draw(st.integers(*piece))
    assert any(address & int(ip_address(grid.mask)) in {*Prefilter(grid, [piece])} for grid in (NEAR, FAR))


@pytest.mark.parametrize(
    ("target", "near", "far"),
    [
        ("198.51.100.128/25", ["198.51.100.0"], []),
        ("198.51.100.0/24", ["198.51.100.0"], []),
        ("198.51.100.0/23", [], ["198.51.0.0"]),
        ("198.50.0.0/15", [], ["198.50.0.0", "198.51.0.0"]),
        ("2001:db8:1:2::/64", ["2001:db8:1::"], []),
        ("2001:db8:1::/48", ["2001:db8:1::"], []),
        ("2001:db8::/32", [], ["2001::"]),
    ],
)
def test_a_prefix_within_a_near_region_has_that_region_and_a_wider_one_has_far_regions(target: str, near, far) -> None:
    network = ip_network(target)
    family = Family.PREFIXES4 if network.version == 4 else Family.PREFIXES6
    piece = int(network.network_address), int(network.broadcast_address)
    found = [
        [str(type(network.network_address)(region)) for region in Prefilter(grid, [piece])]
        for grid in grids(BlockSet(family, "dept"))
    ]
    assert found == [near, far]


def test_the_prefix_of_all_addresses_has_all_far_regions() -> None:
    for family in (Family.PREFIXES4, Family.PREFIXES6):
        assert (
            len([*Prefilter(Grid(BlockSet(family, None), is_near=False), [(0, (1 << SHAPES[family].bits) - 1)])])
            == 65_536
        )


def test_a_set_of_single_addresses_has_no_prefilter() -> None:
    assert not [*grids(BlockSet(Family.HOSTS4, None))]
