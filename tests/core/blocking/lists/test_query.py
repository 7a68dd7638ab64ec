from datetime import UTC, datetime, timedelta

import pytest

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.address_ranges import address_range
from appliance.core.blocking.lists.query import BlockQuery, matches

WALL = datetime(2024, 12, 15, 4, 49, 29, tzinfo=UTC)
HOST = Block("10.1.2.3", "Port scan", "anna", "manual", WALL, None, WALL + timedelta(seconds=60))
NETWORK = Block("10.1.0.0/16", "on the list bad", "list:bad", "list:bad", WALL)
NAME = Block("bad.example", "", "anna", "manual", WALL)
V6 = Block("2001:db8::1", "", "anna", "detection", WALL)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (BlockQuery(), [HOST, NETWORK, NAME, V6]),
        (BlockQuery(origin="manual"), [HOST, NAME]),
        (BlockQuery(contains="BAD"), [NETWORK, NAME]),
        (BlockQuery(contains="scan"), [HOST]),
        (BlockQuery(within=address_range("10.0.0.0/8")), [HOST, NETWORK]),
        (BlockQuery(within=address_range("10.1.2.0/24")), [HOST]),
        (BlockQuery(within=address_range("2001:db8::/32")), [V6]),
        (BlockQuery(expiring_s=60), [HOST]),
        (BlockQuery(expiring_s=59), []),
        (BlockQuery(origin="manual", contains="10."), [HOST]),
    ],
)
def test_a_query_finds_blocks_that_meet_all_its_conditions(query, found) -> None:
    assert [block for block in (HOST, NETWORK, NAME, V6) if matches(block, query, WALL)] == found
