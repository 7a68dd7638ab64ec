from appliance.core.machine import Facing, Position
from appliance.core.positions import POSITIONS


def test_every_position_has_a_row() -> None:
    assert set(POSITIONS) == set(Position)


def test_only_a_machine_that_sees_copies_cannot_enforce() -> None:
    assert all(row.can_enforce is (row.facing is not Facing.MIRRORED) for row in POSITIONS.values())
    assert all(row.is_promiscuous is (row.facing is Facing.MIRRORED) for row in POSITIONS.values())


def test_a_machine_that_forwards_can_enforce() -> None:
    assert all(row.can_enforce for row in POSITIONS.values() if row.forwards)
