"""The lab's networks as fixtures, for a `conftest.py` to import: each test gets a new one."""

import time
from collections.abc import Iterator

import pytest

from tests.lab.network import Network, network

PATIENCE_S = 20.0  # far longer than anything takes, even on a busy machine


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


@pytest.fixture
def until():
    """Wait until a condition is true."""

    def wait(holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.05)

    return wait
