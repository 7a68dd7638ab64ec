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
    """An announcer of one department, its blocks, and the published events."""

    def __init__(self, there: Sequence[Block]) -> None:
        self.told: list[Event] = []
        self.announcer = BlockAnnouncer(["sales"], self.told.append, can_enforce=True)
        self.index = BlockIndex()
        self.index.apply(there, [])

    def step(self) -> list[Event]:
        before = len(self.told)
        self.announcer.announce_begun(self.index, lambda _: True, NOW)
        return self.told[before:]


def test_thousands_of_begins_are_published_in_portions() -> None:
    scene = Scene(blocks(COUNT))
    scene.announcer.expect(blocks(COUNT))
    assert [len(scene.step()) for _ in range(4)] == [MOST_AT_ONCE, MOST_AT_ONCE, 1, 0]


def test_thousands_of_ends_are_published_in_portions_and_before_begins() -> None:
    scene = Scene(blocks(1))
    scene.announcer.expect(blocks(1))
    scene.announcer.announce_ended(blocks(COUNT), "lifted by anna", NOW)
    assert len(scene.told) == MOST_AT_ONCE
    assert [len(scene.step()) for _ in range(3)] == [MOST_AT_ONCE, 2, 0]
    assert {type(event) for event in scene.told[:-1]} == {IpUnblocked}
    assert isinstance(scene.told[-1], IpBlocked)


def test_entries_of_lists_are_not_published() -> None:
    listed = blocks(2, "list:bad")
    scene = Scene(listed)
    scene.announcer.expect(listed)
    scene.announcer.announce_ended(listed, "gone", NOW)
    assert scene.step() == []
