import copy

import msgspec
import pytest

from appliance import events
from tests.contract.schema import ENUMERATIONS, NULLABLE, NUMBERS, RANGES, examples, violations

CLASSES = [
    kind
    for kind in vars(events).values()
    if isinstance(kind, type) and issubclass(kind, events.Event) and hasattr(kind, "name")
]
OWN = {
    "config:trial",
    "device:new",
    "ip:unblocked",
    "quota:host",
    "quota:request",
    "system:update",
}  # beside the documented ones


def _class_for(name):
    return next(kind for kind in CLASSES if kind.name == name)


def _paths(value, path=""):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _paths(inner, f"{path}.{key}".lstrip("."))
    if isinstance(value, list):
        yield from _paths(value[0], f"{path}[]")


def _changed(name, path, change):
    """The event's example with one value replaced, or taken out where `change` is `KeyError`."""
    payload = copy.deepcopy(examples()[name])
    *way, last = path.split(".")
    place = payload
    for key in way:
        place = place[key.removesuffix("[]")]
        place = place[0] if key.endswith("[]") else place
    if change is KeyError:
        del place[last]
    else:
        place[last] = change
    return payload


def test_the_document_has_the_ten_events():
    assert sorted(examples()) == [
        "analytics:anomaly",
        "analytics:update",
        "department:status",
        "error",
        "ip:blocked",
        "quota:alert",
        "security:incident",
        "system:health",
        "system:maintenance",
        "usage:update",
    ]


def test_every_example_of_the_document_is_valid():
    assert [fault for name, payload in examples().items() for fault in violations(name, payload)] == []


def test_every_documented_event_has_a_class_and_no_other_has():
    assert {kind.name for kind in CLASSES} == set(examples()) | OWN


@pytest.mark.parametrize("name", examples())
def test_a_class_takes_the_example_and_gives_it_back_to_the_letter(name):
    assert msgspec.convert(examples()[name], _class_for(name)).payload() == examples()[name]


def test_an_error_about_a_quota_is_an_error_of_the_document():
    event = events.QuotaExceeded(
        timestamp="2024-12-15T04:49:29.000Z",
        department_id="dept123",
        code="E_QUOTA_EXCEEDED",
        message="Department quota exceeded",
        used=2,
        limit=1,
        resets_at="2024-12-16T00:00:00.000Z",
    )
    assert violations(event.name, event.payload()) == []


def test_every_row_of_the_tables_is_about_a_key_of_the_document():
    known = {(name, path) for name, payload in examples().items() for path in _paths(payload)}
    assert set(RANGES) | set(ENUMERATIONS) | NUMBERS | NULLABLE <= known


@pytest.mark.parametrize("name", examples())
def test_no_key_may_be_missing(name):
    for path in list(_paths(examples()[name]))[1:]:
        if not path.endswith("[]"):
            assert violations(name, _changed(name, path, KeyError)), path


@pytest.mark.parametrize("name", examples())
def test_no_value_may_change_its_type(name):
    for path in list(_paths(examples()[name]))[1:]:
        if not path.endswith("[]"):
            for wrong in (object(), b"", [[]]):
                assert violations(name, _changed(name, path, wrong)), path


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("usage:update", "metrics.bytesTransferred", 1.5),
        ("usage:update", "metrics.bytesTransferred", 1.0),
        ("usage:update", "metrics.bytesTransferred", "1"),
        ("usage:update", "metrics.activeConnections", True),
        ("usage:update", "metrics.bandwidthUtilization", 75),
        ("usage:update", "metrics.bandwidthUtilization", float("nan")),
        ("usage:update", "timestamp", "2024-12-15T04:49:29Z"),
        ("usage:update", "timestamp", "2024-12-15T04:49:29.000+00:00"),
        ("usage:update", "timestamp", 1734238169000),
        ("usage:update", "departmentId", None),
        ("quota:alert", "type", "info"),
        ("quota:alert", "quota.type", "yearly"),
        ("quota:alert", "quota.percentage", -1),
        ("security:incident", "severity", "urgent"),
        ("security:incident", "incident.source", ""),
        ("department:status", "status.active", 1),
        ("department:status", "status.healthScore", 95),
        ("ip:blocked", "ip.duration", 3600.5),
        ("ip:blocked", "ip.duration", None),
        ("analytics:update", "metrics.bandwidth.trend", "up"),
        ("analytics:update", "metrics.topWebsites", {"github.com": 1}),
        ("analytics:update", "metrics.topWebsites", [{"domain": "github.com"}]),
        ("analytics:anomaly", "anomaly.confidence", 1.5),
        ("system:health", "status.cpu.usage", None),
        ("system:health", "status.cpu.usage", 101),
        ("system:health", "status.memory.total", 0),
        ("system:maintenance", "maintenance.startTime", "tomorrow"),
        ("system:maintenance", "maintenance.type", "done"),
        ("error", "code", "QUOTA"),
    ],
)
def test_a_wrong_value_is_a_violation(name, path, value):
    assert violations(name, _changed(name, path, value))


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("usage:update", "metrics.bandwidthUtilization", 0),
        ("quota:alert", "quota.percentage", 80.25),
        ("system:health", "status.cpu.temperature", None),
        ("system:health", "status.cpu.temperature", 65.5),
        ("system:health", "status.cpu.usage", 45),
        ("analytics:update", "metrics.topWebsites", []),
        ("ip:blocked", "ip.duration", 0),
        ("ip:blocked", "ip.enforced", False),
        ("error", "simulated", True),
    ],
)
def test_what_the_contract_leaves_open_is_no_violation(name, path, value):
    assert violations(name, _changed(name, path, value)) == []


def test_an_unknown_event_is_a_violation():
    assert violations("usage:updated", {})
