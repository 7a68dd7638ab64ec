from datetime import UTC, datetime, timedelta

import pytest

from appliance.core.blocking.block import Block
from appliance.core.blocking.lists.address_ranges import span_of
from appliance.core.blocking.lists.query import Query, matches

WALL = datetime(2024, 12, 15, 4, 49, 29, tzinfo=UTC)
HOST = Block("10.1.2.3", "Port scan", "anna", "manual", WALL, None, WALL + timedelta(seconds=60))
NETWORK = Block("10.1.0.0/16", "on the list bad", "list:bad", "list:bad", WALL)
NAME = Block("bad.example", "", "anna", "manual", WALL)
V6 = Block("2001:db8::1", "", "anna", "detection", WALL)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query(), [HOST, NETWORK, NAME, V6]),
        (Query(origin="manual"), [HOST, NAME]),
        (Query(contains="BAD"), [NETWORK, NAME]),
        (Query(contains="scan"), [HOST]),
        (Query(within=span_of("10.0.0.0/8")), [HOST, NETWORK]),
        (Query(within=span_of("10.1.2.0/24")), [HOST]),
        (Query(within=span_of("2001:db8::/32")), [V6]),
        (Query(expiring_s=60), [HOST]),
        (Query(expiring_s=59), []),
        (Query(origin="manual", contains="10."), [HOST]),
    ],
)
def test_a_question_finds_what_fits_all_of_it(query, found):
    assert [block for block in (HOST, NETWORK, NAME, V6) if matches(block, query, WALL)] == found
