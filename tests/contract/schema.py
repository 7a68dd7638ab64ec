"""A schema of every server emission, derived from the user's own document, which stands beside this file.

An example's keys are all required and keep their JSON types: a whole number in the example stands for bytes, seconds or
a count and must stay whole, unless `NUMBERS` says that it is a measure. Keys beyond the example's are allowed. What no
example can tell (units, ranges, enumerations) is in the tables below.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).with_name("websocket-events.md")

_EMISSION = re.compile(r"// Server Emission\s+socket\.emit\('(?P<name>[^']+)', (?P<example>\{.*?\n\})\);", re.DOTALL)
_TOKEN = re.compile(r"'(?P<text>[^']*)'|(?P<key>\w+)(?=:)")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

# Whole in the example, and yet a measure that may have decimals.
NUMBERS = {("quota:alert", "quota.percentage"), ("system:health", "status.cpu.temperature")}
NULLABLE = {("system:health", "status.cpu.temperature")}  # where there is no sensor
RANGES = {
    ("usage:update", "metrics.bytesTransferred"): (0, None),
    ("usage:update", "metrics.activeConnections"): (0, None),
    ("usage:update", "metrics.bandwidthUtilization"): (0, 1),
    ("quota:alert", "quota.used"): (0, None),
    ("quota:alert", "quota.limit"): (0, None),
    ("quota:alert", "quota.percentage"): (0, None),
    ("department:status", "status.connectedUsers"): (0, None),
    ("department:status", "status.healthScore"): (0, 1),
    ("ip:blocked", "ip.duration"): (0, None),
    ("analytics:update", "metrics.activeUsers"): (0, None),
    ("analytics:update", "metrics.topWebsites[].visits"): (1, None),
    ("analytics:update", "metrics.bandwidth.current"): (0, None),
    ("analytics:anomaly", "anomaly.confidence"): (0, 1),
    ("system:health", "status.cpu.usage"): (0, 100),
    ("system:health", "status.cpu.temperature"): (-60, 150),
    ("system:health", "status.memory.used"): (0, None),
    ("system:health", "status.memory.total"): (1, None),
    ("system:health", "status.storage.used"): (0, None),
    ("system:health", "status.storage.total"): (1, None),
    ("system:maintenance", "maintenance.duration"): (0, None),
}
_SEVERITIES = {"low", "medium", "high", "critical"}
ENUMERATIONS = {
    ("quota:alert", "type"): {"warning", "critical", "exceeded", "reset"},
    ("quota:alert", "quota.type"): {"daily", "weekly", "monthly"},
    ("security:incident", "severity"): _SEVERITIES,
    ("analytics:anomaly", "anomaly.severity"): _SEVERITIES,
    ("analytics:update", "metrics.bandwidth.trend"): {"increasing", "decreasing", "stable"},
    ("system:maintenance", "maintenance.type"): {"scheduled", "manual", "completed"},
    ("error", "code"): {
        "E_UNAUTHORIZED",
        "E_FORBIDDEN",
        "E_TOKEN_EXPIRED",
        "E_BAD_REQUEST",
        "E_UNKNOWN_DEPARTMENT",
        "E_RATE_LIMITED",
        "E_MAINTENANCE",
        "E_NOT_ENFORCEABLE",
        "E_PROTECTED_ADDRESS",
        "E_QUOTA_EXCEEDED",
        "E_INTERNAL",
    },
}


@cache
def examples() -> dict[str, dict[str, Any]]:
    """By event, the payload that the document shows."""
    return {
        match["name"]: json.loads(_TOKEN.sub(_as_json, match["example"]))
        for match in _EMISSION.finditer(DOCUMENT.read_text())
    }


def _as_json(match: re.Match[str]) -> str:
    return json.dumps(match["key"] if match["text"] is None else match["text"])


def violations(event_name: str, payload: Any) -> list[str]:
    """What in this payload breaks the contract, a sentence each; empty where nothing does."""
    if event_name not in examples():
        return [f"{event_name}: not an event of the document"]
    return list(_compare(event_name, "", examples()[event_name], payload))


def _compare(event: str, path: str, example: Any, found: Any) -> list[str]:
    if found is None and (event, path) in NULLABLE:
        return []
    if not _is_alike(event, path, example, found):
        return [f"{event} {path}: {found!r} is not of the type of {example!r}"]
    if isinstance(example, dict):
        return [
            fault
            for key, value in example.items()
            for fault in (
                _compare(event, f"{path}.{key}".lstrip("."), value, found[key])
                if key in found
                else [f"{event} {path}: lacks {key}"]
            )
        ]
    if isinstance(example, list):
        return [fault for one in found for fault in _compare(event, f"{path}[]", example[0], one)]
    return _outside(event, path, example, found)


def _is_alike(event: str, path: str, example: Any, found: Any) -> bool:
    if isinstance(example, float) or (event, path) in NUMBERS:
        return isinstance(found, int | float) and not isinstance(found, bool)
    return type(found) is type(example)


def _outside(event: str, path: str, example: Any, found: Any) -> list[str]:
    low, high = RANGES.get((event, path), (None, None))
    if (low is not None and not found >= low) or (high is not None and not found <= high):
        return [f"{event} {path}: {found!r} is not within {low} and {high}"]
    if found not in ENUMERATIONS.get((event, path), {found}):
        return [f"{event} {path}: {found!r} is none of the documented words"]
    if isinstance(example, str):
        if TIMESTAMP.fullmatch(example) and not TIMESTAMP.fullmatch(found):
            return [f"{event} {path}: {found!r} is not a time as the document writes it"]
        if not found:
            return [f"{event} {path}: is empty"]
    return []
