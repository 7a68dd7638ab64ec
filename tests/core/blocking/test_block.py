from datetime import UTC, datetime, timedelta

from appliance.core.blocking.block import Block

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_provisional_block_keeps_its_remaining_time() -> None:
    block = Block("10.0.0.1", "because", "me", "manual", NOON, None, NOON + timedelta(hours=1), is_provisional=True)
    true = block.moved_by(timedelta(hours=8))
    assert (true.started_at, true.expires_at) == (NOON + timedelta(hours=8), NOON + timedelta(hours=9))
    assert not true.is_provisional
