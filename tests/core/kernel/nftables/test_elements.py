from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.cover import Range
from appliance.core.blocking.sets import SHAPES, Element, Family
from appliance.core.kernel.netlink import attributes, name_in
from appliance.core.kernel.nftables.elements import LARGEST_LIST_BYTES, SeenElements, added, lists, points
from tests.lab.blocks import standings

FOREVER = float("inf")


@given(st.sampled_from(Family), st.data())
def test_encoded_elements_decode_to_the_same_pieces(family: Family, data: st.DataObject) -> None:
    shape = SHAPES[family]
    last_of_all = (1 << shape.bits) - 1
    cuts = sorted(data.draw(st.sets(st.integers(0, last_of_all), min_size=2, max_size=12)))
    stretches = list(zip(cuts[::2], cuts[1::2], strict=False)) if shape.is_interval else [(one, one) for one in cuts]
    marks = st.integers(1, 2**32 - 1)
    pieces = [Range(first, last, FOREVER, data.draw(marks), None) for first, last in stretches]
    body = list(lists("t", "s", added(shape, pieces, 0.0)))
    look = [points(shape, one) for one in body]
    assert standings(shape, look) == {(one.first, one.last): Element(one.mark, None) for one in pieces}
    seen = SeenElements(shape)
    for portion in look:
        assert not all(one in seen for one in pieces)
        seen.add(portion)
    assert all(one in seen for one in pieces)
    assert not any(one._replace(mark=one.mark ^ 1) in seen for one in pieces)


def test_a_range_with_another_end_does_not_count_as_seen() -> None:
    seen = SeenElements(SHAPES[Family.PREFIXES4])
    seen.add([(0, Element(1, None)), (128, None)])
    assert Range(0, 127, FOREVER, 1, None) in seen
    assert Range(0, 255, FOREVER, 1, None) not in seen


def test_adjacent_ranges_stay_apart() -> None:
    pieces = [
        Range(0, 99, FOREVER, 1, None),
        Range(100, 149, FOREVER, 2, None),
        Range(150, 2**32 - 1, FOREVER, 3, None),
    ]
    shape = SHAPES[Family.PREFIXES4]
    found = standings(shape, (points(shape, body) for body in lists("t", "s", added(shape, pieces, 0.0))))
    assert found == {(one.first, one.last): Element(one.mark, None) for one in pieces}


def test_many_elements_are_packed_into_several_messages() -> None:
    shape = SHAPES[Family.HOSTS4]
    bodies = list(lists("t", "s", added(shape, [Range(n, n, 9.0, 1, None) for n in range(5000)], 0.0)))
    assert len(bodies) > 1
    assert all(len(body) < LARGEST_LIST_BYTES + 64 for body in bodies)
    assert {name_in(attributes(body)[2]) for body in bodies} == {"s"}


def test_an_element_that_is_nearly_over_still_gets_a_timeout() -> None:
    shape = SHAPES[Family.HOSTS4]
    [body] = lists("t", "s", added(shape, [Range(1, 1, 10.0, 1, None)], 10.0))
    [endless] = lists("t", "s", added(shape, [Range(1, 1, FOREVER, 1, None)], 10.0))
    assert len(body) > len(endless)
