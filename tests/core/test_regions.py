from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from appliance.core.regions import REGION_MASKS, REGION_SHAPES, Regions
from appliance.core.slots import SHAPES, Family

SHAPE = SHAPES[Family.PREFIXES4]
BOUNDS = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 31)).map(
    lambda drawn: (drawn[0] >> drawn[1] << drawn[1], (drawn[0] >> drawn[1] << drawn[1]) | ((1 << drawn[1]) - 1))
)


def _regions_of(bounds):
    return {number & 0xFFFF0000 for first, last in bounds for number in (*range(first, last, 1 << 16), last)}


@given(st.sets(BOUNDS, max_size=6), st.sets(BOUNDS, max_size=6), st.sets(BOUNDS, max_size=6))
def test_a_change_tells_what_is_left_and_what_is_entered(kept, gone, new):
    gone, new = gone - kept, new - kept
    regions = Regions(SHAPE, kept | gone)
    before = {*regions}
    assert before == _regions_of(kept | gone)
    left, entered = regions.change(gone, new)
    assert {*regions} == _regions_of(kept | new) == before - {*left} | {*entered}
    assert not {*left} & {*entered}
    regions.change(new, gone)  # back again
    assert {*regions} == before


def test_a_region_is_what_the_mask_leaves_of_its_addresses():
    for family, mask in REGION_MASKS.items():
        network = ip_network(f"{'0.0.0.0' if family is Family.PREFIXES4 else '::'}/16")
        assert str(network.netmask) == mask
        width = REGION_SHAPES[family].bits
        assert [*Regions(SHAPES[family], [((7 << width - 16) + 5, (7 << width - 16) + 9)])] == [7 << width - 16]
