"""The lab's networks as fixtures, for a `conftest.py` to import: each test gets a new one."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.lab.network import Network, network

Until = Callable[[Callable[[], object]], None]  # waits until this is true
Figures = tuple[int, ...]
UntilEqual = Callable[[Callable[[], Figures], Callable[[], Figures]], None]  # waits until both return the same

PATIENCE_S = 60.0  # far beyond what is waited for, on a machine that does other things too


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
def until() -> Until:
    """Wait for something that the kernel does by itself."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not holds():
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.05)

    return wait


@pytest.fixture
def until_equal() -> UntilEqual:
    """Wait until two readings are the same; a failure says both."""

    def wait(reading: Callable[[], Figures], other: Callable[[], Figures]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while (one := reading()) != (two := other()):
            assert time.monotonic() < deadline, f"{one} stayed apart from {two}"
            time.sleep(0.05)

    return wait
