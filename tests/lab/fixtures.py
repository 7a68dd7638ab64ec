"""The lab's networks as fixtures, for a `conftest.py` to import: one of its own for each test."""

from collections.abc import Iterator

import pytest

from tests.lab.network import Network, network


@pytest.fixture
def gateway() -> Iterator[Network]:
    with network("gateway") as lab:
        yield lab


@pytest.fixture
def bridge() -> Iterator[Network]:
    with network("bridge") as lab:
        yield lab


@pytest.fixture
def mirror() -> Iterator[Network]:
    with network("mirror") as lab:
        yield lab


@pytest.fixture(params=["gateway", "bridge"])
def inline(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Each position in which the department's traffic passes through the appliance."""
    with network(request.param) as lab:
        yield lab
