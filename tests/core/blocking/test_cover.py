from hypothesis import given
from hypothesis import strategies as st

from appliance.core.blocking.cover import Cover, Range, SingleCover

BITS = 6
END = 1 << BITS
MANY = 500  # far more than are resolved one by one

lives = st.integers(0, 8).map(lambda ends: float("inf") if ends == 8 else float(ends))


@st.composite
def ranges(draw: st.DrawFn, number: int) -> Range:
    size = 1 << draw(st.integers(0, BITS))
    first = draw(st.integers(0, END - 1)) & -size
    return Range(first, first + size - 1, draw(lives), number, number)


changes = st.lists(st.tuples(st.integers(0, 100), st.integers(1, 1000).flatmap(ranges)), max_size=25)


def longest_life(wanted: list[Range], address: int) -> float:
    return max((one.ends for one in wanted if one.first <= address <= one.last), default=-1.0)


@given(changes)
def test_after_each_change_the_longest_lived_range_holds_each_address(steps: list[tuple[int, Range]]) -> None:
    held = Cover(BITS)
    wanted: dict[int, Range] = {}
    shown: set[Range] = set()
    for which, one in steps:
        dropped = [wanted.pop(list(wanted)[which % len(wanted)])] if wanted and which % 3 == 0 else []
        dropped += [wanted.pop(one.mark)] if one.mark in wanted else []
        wanted[one.mark] = one
        gone, new = held.resolve(dropped, [one])
        assert gone <= shown
        assert not new & shown
        shown = (shown - gone) | new
        assert shown == set(held.pieces())
        for address in range(END):
            holding = [piece for piece in shown if piece.first <= address <= piece.last]
            assert len(holding) <= 1  # disjoint
            life = longest_life(list(wanted.values()), address)
            assert [piece.ends for piece in holding] == ([life] if life >= 0 else [])


def test_single_addresses_of_one_owner_stay_apart() -> None:
    held = SingleCover()
    neighbours = [Range(at, at, 9.0, 1, "name") for at in (3, 4)]
    assert held.resolve([], neighbours) == (set(), set(neighbours))
    assert held.resolve(neighbours[:1], []) == (set(neighbours[:1]), set())


@given(changes)
def test_a_cover_of_single_addresses_keeps_the_longest_lived_of_each(steps: list[tuple[int, Range]]) -> None:
    held = SingleCover()
    wanted: dict[int, Range] = {}
    shown: set[Range] = set()
    for which, wide in steps:
        one = wide._replace(last=wide.first)
        dropped = [wanted.pop(list(wanted)[which % len(wanted)])] if wanted and which % 3 == 0 else []
        dropped += [wanted.pop(one.mark)] if one.mark in wanted else []
        wanted[one.mark] = one
        gone, new = held.resolve(dropped, [one])
        assert gone <= shown
        assert not new & shown
        shown = (shown - gone) | new
        assert shown == set(held.pieces())
        lives = {at: longest_life(list(wanted.values()), at) for at in range(END)}
        assert {piece.first: piece.ends for piece in shown} == {at: life for at, life in lives.items() if life >= 0}


@given(changes)
def test_many_changes_at_once_come_to_the_same_as_one_by_one(steps: list[tuple[int, Range]]) -> None:
    one_by_one, at_once = Cover(BITS), Cover(BITS)
    wanted = {one.mark: one for _, one in steps}
    for one in wanted.values():
        one_by_one.resolve([], [one])
    gone, new = at_once.resolve([], [*wanted.values()])
    assert (gone, new) == (set(), set(at_once.pieces()))
    assert {(one.first, one.last, one.ends) for one in new} == {
        (one.first, one.last, one.ends) for one in one_by_one.pieces()
    }


def test_a_large_change_returns_only_pieces_that_differ() -> None:
    held = Cover(32)
    some = [Range(2 * n, 2 * n, 5.0, n, n) for n in range(MANY)]
    assert held.resolve([], some) == (set(), set(some))
    others = [Range(2 * n + 1, 2 * n + 1, 5.0, -n, -n) for n in range(MANY)]
    assert held.resolve(some[1:], others) == (set(some[1:]), set(others))
    assert held.resolve([], [some[1]]) == (set(), {some[1]})


def test_a_range_that_a_longer_lived_one_covered_is_back_when_that_is_dropped() -> None:
    held = Cover(BITS)
    short, long = Range(0, 63, 5.0, 1, "short"), Range(16, 31, 9.0, 2, "long")
    held.resolve([], [short, long])
    assert set(held.pieces()) == {short._replace(last=15), long, short._replace(first=32)}
    assert held.resolve([long], []) == ({short._replace(last=15), long, short._replace(first=32)}, {short})
