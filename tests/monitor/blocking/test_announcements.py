from collections.abc import Sequence
from datetime import UTC, datetime

from appliance.core.blocking.block import Block
from appliance.core.blocking.block_index import BlockIndex
from appliance.core.moment import Moment
from appliance.events import Event, IpBlocked, IpUnblocked
from appliance.monitor.blocking.announcements import MOST_AT_ONCE, BlockAnnouncer

NOW = Moment(datetime(2026, 11, 23, 12, tzinfo=UTC), 1000.0, is_trusted=True)
COUNT = MOST_AT_ONCE * 2 + 1


def blocks(count: int, origin: str = "manual") -> list[Block]:
    return [Block(f"10.0.{n // 256}.{n % 256}", "", "anna", origin, NOW.wall) for n in range(count)]


class Scene:
    """An announcer, its blocks, and the published events."""

    def __init__(self, there: Sequence[Block], departments: Sequence[str] = ("sales",)) -> None:
        self.told: list[Event] = []
        self.announcer = BlockAnnouncer(departments, self.told.append, can_enforce=True)
        self.index = BlockIndex()
        self.index.apply(there, [])

    def step(self, most_blocks: int = MOST_AT_ONCE) -> list[Event]:
        before = len(self.told)
        self.announcer.announce_begun(self.index, lambda _: True, NOW, most_blocks)
        return self.told[before:]


def test_thousands_of_begins_are_published_in_portions() -> None:
    scene = Scene(blocks(COUNT))
    scene.announcer.expect(blocks(COUNT))
    assert [len(scene.step()) for _ in range(4)] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]


def test_thousands_of_ends_are_published_in_portions_and_a_begin_after_the_end_of_its_own() -> None:
    scene = Scene(blocks(1))
    scene.announcer.expect(blocks(1))
    scene.announcer.announce_ended(blocks(COUNT), "lifted by anna", NOW)
    assert len(scene.told) == MOST_AT_ONCE
    assert [len(scene.step()) for _ in range(3)] == [MOST_AT_ONCE + 1, 1, 0]
    [begun] = [event for event in scene.told if isinstance(event, IpBlocked)]
    [ended] = [one for one in scene.told if isinstance(one, IpUnblocked) and one.ip.address == begun.ip.address]
    assert scene.told.index(ended) < scene.told.index(begun)


def test_entries_of_lists_are_not_published() -> None:
    listed = blocks(2, "list:bad")
    scene = Scene(listed)
    scene.announcer.expect(listed)
    scene.announcer.announce_ended(listed, "gone", NOW)
    assert scene.step() == []


def test_a_portion_is_counted_in_events_of_all_departments() -> None:
    scene = Scene(blocks(COUNT), ["sales", "lab", "guests", "office"])
    scene.announcer.expect(blocks(COUNT))
    assert len(scene.step()) == MOST_AT_ONCE
    scene.announcer.announce_ended(blocks(COUNT), "lifted by anna", NOW)
    assert len(scene.told) == 2 * MOST_AT_ONCE


def test_of_more_departments_than_a_portion_has_events_one_block_is_published_whole() -> None:
    scene = Scene(blocks(2), [f"d{number}" for number in range(MOST_AT_ONCE + 1)])
    scene.announcer.expect(blocks(2))
    assert [len(scene.step()) for _ in range(3)] == [MOST_AT_ONCE + 1, MOST_AT_ONCE + 1, 0]


def test_one_block_is_published_before_thousands_that_wait_and_brings_no_portion_of_them_with_it() -> None:
    one = Block("10.9.9.9", "", "anna", "manual", NOW.wall)
    scene = Scene([*blocks(COUNT), one])
    scene.announcer.expect(blocks(COUNT))
    scene.announcer.expect([one])
    [event] = scene.step(most_blocks=1)
    assert isinstance(event, IpBlocked)
    assert event.ip.address == "10.9.9.9"
    scene.announcer.announce_ended(blocks(COUNT), "lifted by anna", NOW)
    before = len(scene.told)
    scene.announcer.announce_ended([one], "lifted by anna", NOW)
    [ended] = scene.told[before:]
    assert isinstance(ended, IpUnblocked)
    assert ended.ip.address == "10.9.9.9"


def test_what_is_blocked_again_waits_for_its_end_and_nothing_else_does() -> None:
    again, new = blocks(COUNT)[-1], Block("10.9.9.9", "", "anna", "manual", NOW.wall)
    scene = Scene([again, new])
    scene.announcer.announce_ended(blocks(COUNT), "lifted by anna", NOW)
    scene.announcer.expect([again, new])
    addresses = [[one.ip.address for one in scene.step() if isinstance(one, IpBlocked)] for _ in range(3)]
    assert addresses == [["10.9.9.9"], [again.target], []]
