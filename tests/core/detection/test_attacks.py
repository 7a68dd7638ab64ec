"""The attacks and the ordinary administration of the bench, without the kernel's filter."""

from random import Random

import pytest

from tests.bench.hostile import ATTACKS
from tests.bench.incidents import Told, told
from tests.bench.ordinary import ORDINARY


class Open:
    """A filter that passes everything."""

    def __call__(self, frame: bytes) -> bytes | None:
        return frame

    def renew(self) -> None:
        """Has nothing to forget."""


def told_of(name: str) -> list[Told]:
    making = ATTACKS[name][0] if name in ATTACKS else ORDINARY[name]
    return told(Open(), sorted(making(Random(name)), key=lambda one: one[0]))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_told(name: str) -> None:
    begun = [one.update.incident for one in told_of(name) if one.is_begin]
    assert {one.kind for one in begun} & ATTACKS[name][1]
    assert all(one.details and one.expected and one.severity for one in begun)


LONG = {"health checks", "monitoring, a third is off"}  # tens of thousands of frames


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=pytest.mark.slow) if one in LONG else one for one in ORDINARY]
)
def test_ordinary_administration_is_not_told(name: str) -> None:
    assert told_of(name) == []
