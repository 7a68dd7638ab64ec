from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from appliance.core.alerting.message import AlertMessage, Sender, compose
from appliance.core.alerting.notice import Notice, Topic
from appliance.core.detection.incident import Severity
from appliance.system import certificate
from appliance.system.storage.files import write_private

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MakePem = Callable[[str], Path]


@pytest.fixture(scope="module")
def make_pem(tmp_path_factory: pytest.TempPathFactory) -> MakePem:
    """Makes a certificate with its key for a name."""

    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp("pem") / "server.pem"
        certificate.ensure(path, [name], datetime.now(UTC), write_private, even_if_old=True)
        return path

    return make


@pytest.fixture(scope="module")
def pem(make_pem: MakePem) -> Path:
    """The certificate of a server on this computer, with its key."""
    return make_pem("localhost")


@pytest.fixture
def message() -> AlertMessage:
    notices = [
        Notice(NOON, Topic.INCIDENT, Severity.CRITICAL, "a", "scan by 10.0.0.9 „böse“", 41),
        Notice(NOON, Topic.QUOTA_ALERT, Severity.MEDIUM, None, "a trouble", 42),
    ]
    return compose("it", notices, 0, Sender("pi", {"a": "Radiologie"}, UTC))
