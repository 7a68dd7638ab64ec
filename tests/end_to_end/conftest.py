"""The lab's networks, and the service as a program in them."""

from collections.abc import Iterator

import pytest

from tests.lab.fixtures import bridge, gateway, mirror, until
from tests.lab.network import Network, network

__all__ = ["bridge", "gateway", "mirror", "until"]


@pytest.fixture(params=["gateway", pytest.param("bridge", marks=pytest.mark.slow)])
def inline(request: pytest.FixtureRequest) -> Iterator[Network]:
    """Each position in which the traffic passes through the appliance. Of its rules, `tests/lab` has both at once."""
    with network(request.param) as lab:
        yield lab
