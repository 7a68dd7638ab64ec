from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.lists.block_list import BlockList
from appliance.core.blocking.lists.changes import compare_list, find_orphans

WALL = datetime(2024, 12, 15, 4, 49, 29, tzinfo=UTC)
LIST = BlockList("bad", "/bad.txt", 3600)
LASTING = replace(LIST, duration_s=86_400)


def block(target: str, origin: str = "list:bad", department: str | None = None, left_s: float | None = None) -> Block:
    expires_at = None if left_s is None else WALL + timedelta(seconds=left_s)
    return Block(target, "", "", origin, WALL, department, expires_at)


def asked(requests: tuple[BlockRequest, ...]) -> list[str]:
    return [one.target for one in requests]


def test_new_entries_are_blocked_missing_ones_are_lifted_and_others_are_left_alone() -> None:
    present = [block("10.0.0.1"), block("10.0.0.2")]
    found = compare_list(LIST, ["10.0.0.2", "10.0.0.3"], present, WALL)
    assert found.lifted == (present[0],)
    assert found.requests == (BlockRequest("10.0.0.3", "on the list bad", 0, None, "list:bad", "list:bad"),)


def test_a_list_leaves_the_blocks_of_other_origins_alone() -> None:
    others = [block("10.0.0.1", "manual"), block("10.0.0.2", "list:worse")]
    found = compare_list(LIST, ["10.0.0.2"], others, WALL)
    assert (found.lifted, asked(found.requests)) == ((), ["10.0.0.2"])


def test_a_list_that_moved_to_a_department_moves_its_blocks() -> None:
    moved, old = replace(LIST, department="dept123"), block("10.0.0.1")
    found = compare_list(moved, ["10.0.0.1"], [old], WALL)
    assert (found.lifted, asked(found.requests)) == ((old,), ["10.0.0.1"])
    again = compare_list(moved, ["10.0.0.1"], [block("10.0.0.1", department="dept123")], WALL)
    assert (again.lifted, again.requests) == ((), ())


def test_with_a_duration_missing_entries_expire_and_others_are_renewed_in_time() -> None:
    present = [block("10.0.0.1", left_s=80_000), block("10.0.0.2", left_s=40_000), block("10.0.0.3", left_s=80_000)]
    found = compare_list(LASTING, ["10.0.0.2", "10.0.0.3"], present, WALL)
    assert (found.lifted, asked(found.requests)) == ((), ["10.0.0.2"])
    assert found.requests[0].duration_s == 86_400


def test_a_list_that_gets_or_loses_its_duration_renews_its_blocks() -> None:
    for known, left_s in ((LIST, 80_000), (LASTING, None)):
        found = compare_list(known, ["10.0.0.1"], [block("10.0.0.1", left_s=left_s)], WALL)
        assert (found.lifted, asked(found.requests)) == ((), ["10.0.0.1"])


def test_blocks_of_lists_that_are_not_configured_are_orphans() -> None:
    gone = block("10.0.0.1", "list:old")
    assert find_orphans([LIST], [gone, block("10.0.0.2"), block("10.0.0.3", "manual")]) == (gone,)
