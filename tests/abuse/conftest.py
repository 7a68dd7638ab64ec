from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.service import LONG_DEADLINES, Service


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a service of the test's own."""
    services: list[Service] = []

    def start(**options: Any) -> Service:
        services.append(Service(tmp_path, **options))
        return services[-1]

    yield start
    for service in services:
        service.stop()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all attacks."""
    yield from _used(tmp_path_factory)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service in which no deadline frees a place: a new client has one only where another is evicted."""
    yield from _used(tmp_path_factory, limits=LONG_DEADLINES)


def _used(tmp_path_factory: pytest.TempPathFactory, **options: Any) -> Iterator[Service]:
    """A service that has what it keeps after its first crowds."""
    service = Service(tmp_path_factory.mktemp("abuse"), **options)
    for _ in range(5):
        with service.crowd(1000, b"GET / HTTP/1.1\r\n", origins=20):
            service.serves_an_honest_client()
    yield service
    service.stop()
