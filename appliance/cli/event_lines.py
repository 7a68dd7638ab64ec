"""Event lines: each event of the running service as one line for a person, or as JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from appliance.client import Client

Payload = dict[str, Any]


class Watch:
    """Prints events as lines, analytics included: it subscribes to each department that an event names."""

    def __init__(self, client: Client, events: Sequence[str], as_json: bool) -> None:
        """`events`: the names to show; empty: all."""
        self._client = client
        self._events = frozenset(events)
        self._as_json = as_json
        self._subscribed: set[str] = set()
        client.on_connect(self._subscribed.clear)  # a subscription ends with its connection

    def lines(self, count: int | None) -> Iterator[str]:
        """A line for each event, at most `count`."""
        shown = 0
        for event, payload in self._client.events():
            self._subscribe(payload.get("departmentId"))
            if self._events and event not in self._events:
                continue
            yield json.dumps({"event": event, "data": payload}) if self._as_json else line_of(event, payload)
            shown += 1
            if shown == count:
                return

    def _subscribe(self, department: str | None) -> None:
        if department is not None and department not in self._subscribed:
            self._subscribed.add(department)
            self._client.emit("analytics:subscribe", department)


def size_text(size_bytes: int) -> str:
    """A size for a person, in binary units."""
    amount = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


def line_of(event: str, payload: Payload) -> str:
    """An event as one line: time, name, department and content."""
    text_of = _SENTENCES.get(event, _raw)
    label = "SIMULATED " if payload.get("simulated") else ""
    return (
        f"{payload['timestamp']} {label}{event:<18} {payload.get('departmentId', ''):<12} {text_of(payload)}".rstrip()
    )


def _raw(payload: Payload) -> str:
    return json.dumps(payload)


def _usage(payload: Payload) -> str:
    metrics = payload["metrics"]
    return (
        f"{size_text(metrics['bytesTransferred'])} today, {metrics['activeConnections']} connections, "
        f"line {metrics['bandwidthUtilization']:.1%}"
    )


def _alert(payload: Payload) -> str:
    quota = payload["quota"]
    return (
        f"{payload['type']}: {quota['type']} {size_text(quota['used'])} of {size_text(quota['limit'])} "
        f"({quota['percentage']:.1f} %)"
    )


def _incident(payload: Payload) -> str:
    incident = payload["incident"]
    return f"{payload['severity']} {incident['type']} by {incident['source']}: {incident['details']}"


def _status(payload: Payload) -> str:
    status = payload["status"]
    reasons = "; ".join(status.get("reasons", []))
    state = "active" if status["active"] else "INACTIVE"
    return f"{state}, {status['connectedUsers']} users, health {status['healthScore']:.2f} {reasons}"


def _blocked(payload: Payload) -> str:
    ip = payload["ip"]
    lasting = f"for {ip['duration']} s" if ip["duration"] else "until lifted"
    note = "" if ip.get("enforced", True) else " (not enforced in this position)"
    return f"{ip['address']} {lasting}: {ip['reason']}{note}"


def _analytics(payload: Payload) -> str:
    metrics = payload["metrics"]
    sites = ", ".join(f"{one['domain']} {one['visits']}" for one in metrics["topWebsites"][:5])
    bandwidth = metrics["bandwidth"]
    return f"{metrics['activeUsers']} users, {size_text(bandwidth['current'])}/s {bandwidth['trend']}; {sites}"


def _anomaly(payload: Payload) -> str:
    anomaly = payload["anomaly"]
    return f"{anomaly['severity']} {anomaly['type']} ({anomaly['confidence']:.0%}): {anomaly['details']}"


def _health(payload: Payload) -> str:
    cpu, memory, storage = (payload["status"][part] for part in ("cpu", "memory", "storage"))
    heat = "no sensor" if cpu["temperature"] is None else f"{cpu['temperature']:.0f} °C"
    return (
        f"cpu {cpu['usage']:.0f} % ({heat}), memory {size_text(memory['used'])} of {size_text(memory['total'])}, "
        f"storage {size_text(storage['used'])} of {size_text(storage['total'])}"
    )


def _maintenance(payload: Payload) -> str:
    facts = payload["maintenance"]
    return f"{facts['type']} from {facts['startTime']}, {facts['duration']} s: {facts['impact']}"


_SENTENCES: dict[str, Callable[[Payload], str]] = {
    "usage:update": _usage,
    "quota:alert": _alert,
    "quota:host": lambda payload: f"{payload['host']} {_alert(payload)}",
    "security:incident": _incident,
    "department:status": _status,
    "ip:blocked": _blocked,
    "ip:unblocked": lambda payload: f"{payload['ip']['address']}: {payload['ip']['reason']}",
    "analytics:update": _analytics,
    "analytics:anomaly": _anomaly,
    "system:health": _health,
    "system:maintenance": _maintenance,
    "error": lambda payload: f"{payload['code']}: {payload['message']}",
}
