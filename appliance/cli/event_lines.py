"""Event lines: each event of the running service as one line for a person, or as JSON."""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from appliance.cli.wording import in_shell_words, time_text
from appliance.core.duration import duration_text
from appliance.core.size import size_text

if TYPE_CHECKING:
    from appliance.client import Client

Payload = dict[str, Any]


class Watch:
    """Prints events as lines, analytics included: it subscribes to each department that an event names."""

    def __init__(self, client: "Client", events: Sequence[str], as_json: bool) -> None:
        """`events`: the names to show; empty: all."""
        self._client = client
        self._events = frozenset(events)
        self._as_json = as_json
        self._subscribed: set[str] = set()
        client.on_connect(self._subscribed.clear)  # a subscription ends with its connection

    def lines(self, count: int | None) -> Iterator[str]:
        """A line for each event, at most `count`."""
        return islice(self._lines(), count)

    def _lines(self) -> Iterator[str]:
        for event, payload in self._client.events():
            department = payload.get("departmentId")
            if department is not None and department not in self._subscribed:
                self._subscribed.add(department)
                self._client.emit("analytics:subscribe", department)
            if not self._events or event in self._events:
                yield json.dumps({"event": event, "data": payload}) if self._as_json else line_of(event, payload)


def line_of(event: str, payload: Payload) -> str:
    """An event as one line: time, name, department and content."""
    text_of: Callable[[Payload], str] = _SENTENCES.get(event, json.dumps)
    label = "SIMULATED " if payload.get("simulated") else ""
    return (
        f"{time_text(payload['timestamp'])} {label}{event:<18} {payload.get('departmentId', ''):<12} {text_of(payload)}"
    ).rstrip()


def _usage(payload: Payload) -> str:
    metrics = payload["metrics"]
    today, line = size_text(metrics["bytesTransferred"]), metrics["bandwidthUtilization"]
    return f"{today} today, {metrics['activeConnections']} connections, line {line:.1%}"


def _alert(payload: Payload) -> str:
    quota = payload["quota"]
    used, limit = size_text(quota["used"]), size_text(quota["limit"])
    return f"{payload['type']}: {quota['type']} {used} of {limit} ({quota['percentage']:.1f} %)"


def _status(payload: Payload) -> str:
    status = payload["status"]
    reasons = "; ".join(status.get("reasons", []))
    state = "active" if status["active"] else "INACTIVE"
    return f"{state}, {status['connectedUsers']} users, health {status['healthScore']:.2f} {reasons}"


def _blocked(payload: Payload) -> str:
    ip = payload["ip"]
    lasting = f"for {duration_text(ip['duration'])}" if ip["duration"] else "until lifted"
    note = "" if ip.get("enforced", True) else " (not enforced in this position)"
    return f"{ip['address']} {lasting}: {ip['reason']}{note}"


def _analytics(payload: Payload) -> str:
    metrics = payload["metrics"]
    sites = ", ".join(f"{one['domain']} {one['visits']}" for one in metrics["topWebsites"][:5])
    bandwidth = metrics["bandwidth"]
    return f"{metrics['activeUsers']} users, {size_text(bandwidth['current'])}/s {bandwidth['trend']}; {sites}"


def maintenance_sentence(maintenance: Payload) -> str:
    """A maintenance as a sentence: what it is, from when on, how long, and what people notice."""
    start, lasting = time_text(maintenance["startTime"]), duration_text(maintenance["duration"])
    repeat = f"{maintenance['repeat']}, next " if "repeat" in maintenance else ""
    name = f" ({maintenance['id']})" if maintenance.get("begun") is False else ""
    return f"{maintenance['type']} maintenance{name} {repeat}from {start} for {lasting}: {maintenance['impact']}"


def _trial(payload: Payload) -> str:
    trial = payload["trial"]
    if trial is None:
        return "no configuration is on trial"
    return f"a configuration of {trial['actor']} is on trial for {duration_text(trial['remaining'])} more"


def update_sentence(update: Payload) -> str:
    """An update as a sentence: what it is, how far, and why it went no further."""
    version = f" to {update['version']}" if update["version"] else ""
    percent = f", {update['percent']} %" if update["percent"] is not None else ""
    reason = f": {update['reason']}" if update["reason"] else ""
    return f"update{version}: {update['state']}{percent}{reason}"


def _update(payload: Payload) -> str:
    runs = f"{payload['version']} runs in root {payload['root']}" if payload["root"] else "not run by the image"
    return runs if payload["update"] is None else f"{runs}; {update_sentence(payload['update'])}"


def _health(payload: Payload) -> str:
    cpu = payload["status"]["cpu"]
    heat = "no sensor" if cpu["temperature"] is None else f"{cpu['temperature']:.0f} °C"
    fills = [(part, payload["status"][part]) for part in ("memory", "storage")]
    shown = [f"{part} {size_text(fill['used'])} of {size_text(fill['total'])}" for part, fill in fills]
    lights = payload["status"].get("panel")
    panel = f", lights: status {lights['status']}, alert {lights['alert']}" if lights else ""
    return f"cpu {cpu['usage']:.0f} % ({heat}), {', '.join(shown)}{panel}"


def _incident(payload: Payload) -> str:
    incident = payload["incident"]
    why = f" (not blocked: {incident['notBlocked']})" if "notBlocked" in incident else ""
    known = (one["name"] for one in incident.get("knownDevices", ()) if one.get("address") == incident["source"])
    name = next((f" ({one})" for one in known if one), "")
    return f"{payload['severity']} {incident['type']} by {incident['source']}{name}: {incident['details']}{why}"


def _device(payload: Payload) -> str:
    device = payload["device"]
    made = (
        ", an address that it made up" if device["isRandomised"] else f" by {device['vendor'] or 'an unknown vendor'}"
    )
    return (
        f"{device['name'] or 'no name'} ({device['mac']}{made}) at {', '.join(device['addresses']) or 'no address yet'}"
    )


_SENTENCES: dict[str, Callable[[Payload], str]] = {
    "usage:update": _usage,
    "quota:alert": _alert,
    "quota:host": lambda payload: f"{payload['host']} {_alert(payload)}",
    "quota:request": (
        "{request[state]}: {request[name]} at {request[address]} asks for more: {request[text]}".format_map
    ),
    "security:incident": _incident,
    "device:new": _device,
    "department:status": _status,
    "ip:blocked": _blocked,
    "ip:unblocked": "{ip[address]}: {ip[reason]}".format_map,
    "analytics:update": _analytics,
    "analytics:anomaly": (
        "{anomaly[severity]} {anomaly[type]} ({anomaly[confidence]:.0%}): {anomaly[details]}".format_map
    ),
    "system:health": _health,
    "system:maintenance": lambda payload: maintenance_sentence(payload["maintenance"]),
    "config:trial": _trial,
    "system:update": _update,
    "error": lambda payload: in_shell_words(payload["message"]),
}
EVENT_NAMES = tuple(_SENTENCES)
