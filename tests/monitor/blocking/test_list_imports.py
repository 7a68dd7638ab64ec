from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import pytest
from msgspec.structs import replace

from appliance.core.blocking.block import Block, BlockKey, BlockRequest
from appliance.core.blocking.lists.block_list import BlockList
from appliance.core.blocking.lists.list_contents import Fetched
from appliance.core.blocking.protection import Protections, protected_host
from appliance.core.blocking.spaces import TOGETHER
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.monitor.blocking.list_imports import PIECE, ListImports, Listing

BAD = BlockList("bad", "/bad.txt", 60)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(second: float) -> Moment:
    return Moment(NOON + timedelta(seconds=second), 1000.0 + second, is_trusted=True)


class Blocks:
    """Blocks in memory. `protected`: targets that are never blocked; `refusal`: why changes are refused now."""

    def __init__(self) -> None:
        self.by_key: dict[BlockKey, Block] = {}
        self.protected: set[str] = set()
        self.refusal: Refused | None = None
        self.changes = 0

    def blocks(self, now: Moment) -> Sequence[Block]:
        return [block for block in self.by_key.values() if block.is_live(now.wall)]

    def protections(self, now: Moment) -> Protections:
        return Protections([protected_host(ip_address(one), "it is protected") for one in self.protected])

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> Sequence[Block]:
        self._change()
        made = [_made(request, now) for request in requests]
        assert self.protected.isdisjoint(block.target for block in made)
        self.by_key |= {block.key: block for block in made}
        return made

    def unblock(
        self, targets: Sequence[str], department: str | None, actor: str, now: Moment, *, origin: str | None = None
    ) -> Sequence[Block]:
        self._change()
        assert origin is not None
        return [self.by_key.pop((target, department, origin)) for target in targets]

    def targets(self, origin: str = "list:bad") -> list[str]:
        return sorted(block.target for block in self.by_key.values() if block.origin == origin)

    def _change(self) -> None:
        self.changes += 1
        if self.refusal is not None:
            raise self.refusal


def _made(request: BlockRequest, now: Moment) -> Block:
    expires_at = now.wall + timedelta(seconds=request.duration_s) if request.duration_s else None
    return Block(
        request.target, request.reason, request.actor, request.origin, now.wall, request.department, expires_at
    )


class Scene:
    """Lists over a source with a text, its version, and maybe a trouble."""

    def __init__(self, *lists: BlockList, blocks: Blocks | None = None) -> None:
        self.text = ""
        self.trouble: str | None = None
        self.asked: list[str] = []
        self.blocks = blocks or Blocks()
        self.lists = ListImports(lists, self.blocks, self._fetch, _at_once)

    def run(self, second: float) -> Listing | None:
        """Step until no work is pending."""
        changes = -1
        while changes != self.blocks.changes + len(self.asked):
            changes = self.blocks.changes + len(self.asked)
            self.lists.step(at(second))
        return self.lists.listings[0] if self.lists.listings else None

    def _fetch(self, _: str, version: str) -> Fetched:
        self.asked.append(version)
        if self.trouble:
            return Fetched(trouble=self.trouble)
        return Fetched(version=version) if version == self.text else Fetched(self.text.encode(), self.text)


def _at_once(work: Any, *arguments: Any) -> Any:
    return work(*arguments)


def test_the_blocks_of_a_list_follow_its_entries() -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1\n10.0.0.2"
    scene.run(0)
    assert scene.blocks.targets() == ["10.0.0.1", "10.0.0.2"]
    scene.text = "10.0.0.2\n10.0.0.3"
    scene.run(59)
    assert scene.blocks.targets() == ["10.0.0.1", "10.0.0.2"]
    scene.run(60)
    assert scene.blocks.targets() == ["10.0.0.2", "10.0.0.3"]


def test_a_list_whose_source_is_gone_keeps_its_blocks_and_says_so() -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1"
    scene.run(0)
    scene.trouble = "Connection refused"
    scene.run(60)
    assert scene.blocks.targets() == ["10.0.0.1"]
    assert scene.lists.troubles(at(0)) == ["the list bad is not up to date: Connection refused"]
    scene.trouble = None
    scene.run(120)
    assert scene.lists.troubles(at(0)) == []


def test_an_unchanged_list_changes_no_block() -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1"
    scene.run(0)
    changes = scene.blocks.changes
    scene.run(60)
    assert (scene.asked, scene.blocks.changes) == (["", "10.0.0.1"], changes)


def test_protected_entries_are_left_out_and_shown() -> None:
    scene = Scene(BAD)
    scene.blocks.protected = {"10.0.0.1"}
    scene.text = "10.0.0.1\n10.0.0.2"
    listing = scene.run(0)
    assert scene.blocks.targets() == ["10.0.0.2"]
    assert listing is not None
    assert [(one.target, one.why) for one in listing.objections] == [("10.0.0.1", "it is protected")]
    scene.run(60)
    assert listing.objection_count == 1


def test_an_entry_that_is_no_longer_protected_is_blocked_at_the_next_reading() -> None:
    scene = Scene(BAD)
    scene.blocks.protected = {"10.0.0.1"}
    scene.text = "10.0.0.1\n10.0.0.2"
    scene.run(0)
    scene.blocks.protected = set()
    listing = scene.run(60)
    assert scene.blocks.targets() == ["10.0.0.1", "10.0.0.2"]
    assert listing is not None
    assert listing.objections == ()
    scene.run(120)
    assert scene.asked[-1] == scene.text


def test_entries_that_together_are_everything_are_left_out_and_the_others_are_blocked() -> None:
    scene = Scene(BAD)
    scene.text = "0.0.0.0/1\n128.0.0.0/1\n2000::/4\n3000::/4\n203.0.113.9"
    listing = scene.run(0)
    assert scene.blocks.targets() == ["203.0.113.9"]
    assert listing is not None
    assert [(one.target, one.why) for one in listing.objections] == [
        (target, TOGETHER) for target in ("0.0.0.0/1", "128.0.0.0/1", "2000::/4", "3000::/4")
    ]


def test_a_long_list_is_blocked_in_pieces() -> None:
    scene = Scene(BAD)
    scene.text = "\n".join(f"10.0.{n // 256}.{n % 256}" for n in range(PIECE * 3 + 1))
    scene.run(0)
    assert len(scene.blocks.targets()) == PIECE * 3 + 1
    assert scene.blocks.changes == 4


def test_blocks_of_a_list_that_is_no_longer_configured_are_lifted() -> None:
    scene = Scene(BAD, replace(BAD, name="old"))
    scene.text = "10.0.0.1"
    scene.run(0)
    later = Scene(BAD, blocks=scene.blocks)
    later.text = "10.0.0.1"
    later.run(0)
    assert (later.blocks.targets(), later.blocks.targets("list:old")) == (["10.0.0.1"], [])


def test_in_maintenance_a_list_waits() -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1"
    scene.blocks.refusal = Refused(Code.MAINTENANCE, "not now")
    scene.lists.step(at(0))
    scene.lists.step(at(1))
    scene.lists.step(at(2))
    assert scene.lists.troubles(at(0)) == []
    scene.blocks.refusal = None
    scene.run(3)
    assert scene.blocks.targets() == ["10.0.0.1"]


def test_a_refused_list_says_so_and_is_tried_again_at_its_time() -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1"
    scene.blocks.refusal = Refused(Code.BAD_REQUEST, "there are too many")
    listing = scene.run(0)
    assert listing is not None
    assert listing.trouble == "there are too many"
    scene.blocks.refusal = None
    scene.run(60)
    assert (scene.blocks.targets(), listing.trouble) == (["10.0.0.1"], None)


def test_entries_with_a_duration_are_renewed_and_those_of_a_lost_list_run_out() -> None:
    scene = Scene(replace(BAD, duration_s=300))
    scene.text = "10.0.0.1"
    for minute in range(10):
        scene.run(60 * minute)
    assert len(scene.blocks.blocks(at(600))) == 1
    scene.trouble = "gone"
    scene.run(600)
    assert scene.blocks.blocks(at(900)) == []


MANY = "\n".join(f"10.0.0.{n}" for n in range(100))


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ("", "it has no entry any more, and had 100"),
        ("# nothing today", "it has no entry any more, and had 100"),
        (MANY[: len(MANY) // 2], "it has lost"),
        ("10.0.0.1\nno entry\nnone either", "2 of its lines mean nothing"),
    ],
)
def test_a_doubted_list_keeps_its_blocks_for_a_number_of_readings_and_is_then_believed(text: str, trouble: str) -> None:
    scene = Scene(replace(BAD, confirm_reads=3))
    scene.text = MANY
    scene.run(0)
    scene.text = text
    for read in (1, 2, 3):
        listing = scene.run(60 * read)
        assert listing is not None
        assert trouble in (listing.trouble or "")
        assert f"{4 - read} more readings" in (listing.trouble or "")
        assert len(scene.blocks.targets()) == 100
        assert scene.lists.troubles(at(0)) != []
    scene.run(240)
    assert len(scene.blocks.targets()) < 100


def test_a_list_that_is_whole_again_is_doubted_from_the_beginning_the_next_time() -> None:
    scene = Scene(replace(BAD, confirm_reads=2))
    scene.text = MANY
    scene.run(0)
    for minute, text in enumerate(["", "", MANY, "", "", MANY + "\n10.9.0.1", "", ""], 1):
        scene.text = text
        scene.run(60 * minute)
        assert len(scene.blocks.targets()) >= 100


@pytest.mark.parametrize("text", ["<html>", "Too many requests", '{"error": "no"}', "[1"])
def test_what_is_no_list_never_lifts_a_block(text: str) -> None:
    scene = Scene(BAD)
    scene.text = "10.0.0.1"
    scene.run(0)
    scene.text = text
    for minute in range(1, 100):
        scene.run(60 * minute)
    assert scene.blocks.targets() == ["10.0.0.1"]
    assert scene.lists.troubles(at(0)) != []


def test_the_entries_before_a_restart_count_too() -> None:
    scene = Scene(replace(BAD, confirm_reads=3))
    scene.text = MANY
    scene.run(0)
    later = Scene(replace(BAD, confirm_reads=3), blocks=scene.blocks)
    later.text = "10.0.0.1"
    later.run(0)
    assert len(later.blocks.targets()) == 100


def test_an_empty_list_is_told_also_where_it_never_had_an_entry() -> None:
    scene = Scene(BAD)
    scene.text = " \n"
    for minute in range(3):
        scene.run(60 * minute)
    assert scene.lists.troubles(at(0)) == ["the list bad is not up to date: it is empty"]
    scene.text = "# none yet"
    scene.run(300)
    assert scene.lists.troubles(at(0)) == []
