"""Tables of the command line: the snapshot, imported lists, books and history of the running service."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from time import monotonic, sleep
from typing import Any

from tabulate import tabulate

from appliance.cli.event_lines import Payload, line_of, maintenance_sentence
from appliance.cli.wording import in_shell_words, time_text
from appliance.client import SETTLE_S, CallFailed, Client
from appliance.core.duration import duration_text
from appliance.core.size import size_text

MOST_NOTES = 20  # lines about single addresses of blocked names; `ip:list` has all
RETRY_S = 0.5  # between two attempts to reach a service that restarts


def status_of(client: Client) -> dict[str, Any]:
    """The snapshot by event, each a list of payloads, and the blocks."""
    found: dict[str, Any] = {}
    for event, payload in client.events(gap_s=SETTLE_S):
        found.setdefault(event, {})[payload.get("departmentId", "")] = payload
    page = client.call("ip:list")
    snapshot = {event: list(latest.values()) for event, latest in found.items()}
    return {**snapshot, "blocks": page["blocks"], "blocksTotal": page["total"]}


def status_text(found: dict[str, Any]) -> str:
    """The snapshot as tables for a person."""
    health = found.get("system:health", [])
    usage = {one["departmentId"]: one["metrics"] for one in found.get("usage:update", [])}
    rows = [_department_row(one, usage.get(one["departmentId"], {})) for one in found.get("department:status", [])]
    is_simulated = any(one.get("simulated") for event in found if ":" in event for one in found[event])
    parts = ["SIMULATED: nothing here is real"] if is_simulated else []
    parts += [f"certificate, SHA-256: {found['certificate']}"] if "certificate" in found else []
    parts += [line_of("system:health", one) for one in health]
    parts += [line_of("system:maintenance", one) for one in found.get("system:maintenance", [])]
    parts.append(tabulate(rows, headers=["department", "active", "users", "health", "today", "line", "reasons"]))
    parts += [f"trouble: {in_shell_words(one)}" for payload in health for one in payload["status"].get("troubles", [])]
    parts += [f"issue: {in_shell_words(one)}" for payload in health for one in lesser_issues(payload["status"])]
    blocks = [
        [
            one["address"],
            one.get("departmentId") or "all",
            _left_text(one["duration"]),
            one["reason"],
            _resolved_text(one),
        ]
        for one in found["blocks"]
    ]
    parts.append(tabulate(blocks, headers=["blocked", "department", "left", "reason", "addresses"]))
    more = found["blocksTotal"] - len(blocks)
    parts += [f"and {more} more blocks"] if more else []
    notes = [note for one in found["blocks"] for note in _notes(one)]
    parts += ["\n".join(notes[:MOST_NOTES])] if notes else []
    return "\n\n".join(parts)


def lesser_issues(status: Payload) -> list[str]:
    """Sentences about the issues that are no troubles."""
    issues = [one for one in status.get("issues", []) if one["severity"] not in {"high", "critical"}]
    return [f"{one['cause']}; {one['suggestion']} (since {time_text(one['since'])})" for one in issues]


def _resolved_text(block: Payload) -> str:
    """How many addresses a blocked name holds; nothing for a block of an address."""
    if "resolved" not in block:
        return ""
    blocked, spared = block["resolved"]["blocked"], block["resolved"]["spared"]
    return f"{blocked} blocked" + (f", {spared} spared" if spared else "")


def _notes(block: Payload) -> Iterator[str]:
    """A sentence for each address of a blocked name that is not blocked, or that others need too."""
    for one in block.get("resolved", {}).get("addresses", []):
        if "spared" in one:
            yield f"{block['address']}: {one['address']} is not blocked: {one['spared']} ({one['why']})"
        elif "shared" in one:
            yield f"{block['address']}: {one['address']} is blocked, although {one['shared']} ({one['why']})"


def lists_text(found: list[Payload]) -> str:
    """The imported lists as a table, and the faults of each."""
    rows = [
        [
            one["name"],
            one["departmentId"] or "all",
            "not read yet" if one["entries"] is None else one["entries"],
            one["pending"],
            time_text(one["readAt"]) if one["readAt"] else "never",
            one["source"],
        ]
        for one in found
    ]
    parts = [tabulate(rows, headers=["list", "department", "entries", "pending", "read", "source"])]
    for one in found:
        name = one["name"]
        parts += [f"{name}: not up to date: {one['trouble']}"] if one["trouble"] else []
        parts += [f"{name}:{fault['line']}: {fault['text']}: {fault['why']}" for fault in one["faults"]]
        more = one["faultCount"] - len(one["faults"])
        parts += [f"{name}: {more} more lines of which something is not used"] if more else []
        parts += [f"{name}: {left['address']} is not blocked: {left['why']}" for left in one["objections"]]
        more = one["objectionCount"] - len(one["objections"])
        parts += [f"{name}: {more} more are not blocked"] if more else []
    return "\n".join(parts)


def wait_for_trial(connect: Callable[[], AbstractContextManager[Client]], within_s: float) -> int | None:
    """Wait until the service runs a configuration on trial; its remaining seconds, or `None` if it never does."""
    deadline_s = monotonic() + within_s
    while monotonic() < deadline_s:
        sleep(RETRY_S)
        try:
            with connect() as client:
                trial = client.call("config:get")["trial"]
        except CallFailed:  # it restarts
            continue
        if trial is not None:
            return int(trial["remaining"])
    return None


def wait_for_service(connect: Callable[[], AbstractContextManager[Client]], within_s: float) -> bool:
    """Wait until a service that replaces itself answers again; false: it has not in this time."""
    deadline_s = monotonic() + within_s
    while monotonic() < deadline_s:
        sleep(RETRY_S)
        with suppress(CallFailed), connect() as client:
            client.call("config:get")
            return True
    return False


def _department_row(status: Payload, usage: Payload) -> list[object]:
    condition = status["status"]
    return [
        status["departmentId"],
        "yes" if condition["active"] else "no",
        condition["connectedUsers"],
        f"{condition['healthScore']:.2f}",
        size_text(usage.get("bytesTransferred", 0)),
        f"{usage.get('bandwidthUtilization', 0):.1%}",
        in_shell_words("; ".join(condition.get("reasons", []))),
    ]


def books_of(client: Client, department: str | None) -> list[Payload]:
    """The books of this department, or of each in the snapshot."""
    return [client.call("quota:get", one) for one in _departments(client, department)]


def _departments(client: Client, department: str | None) -> list[str]:
    """The one that is given, or each in the snapshot."""
    if department:
        return [department]
    return sorted(
        {payload["departmentId"] for _, payload in client.events(gap_s=SETTLE_S) if "departmentId" in payload}
    )


def books_text(found: list[Payload]) -> str:
    """The books as a table; under each department, the hosts that are nearest to their own limits."""
    rows = []
    for books in found:
        rows += [_books_row(books["departmentId"], quota) for quota in books["quotas"]]
        rows += [_books_row(_host_name(one), quota) for one in books["hosts"] for quota in one["quotas"]]
    return tabulate(rows, headers=["department", "period", "used", "limit", "of limit", "resets at"])


def _host_name(host: dict[str, Any]) -> str:
    return f"- {host['address']}{' (behind a router)' if host.get('behindRouter') else ''}"


def _books_row(name: str, quota: dict[str, Any]) -> list[str]:
    return [
        name,
        quota["type"],
        size_text(quota["used"]),
        size_text(quota["limit"]) if quota["limit"] is not None else "none",
        f"{quota['percentage']:.1f} %" if quota["percentage"] is not None else "",
        time_text(quota["resetsAt"]),
    ]


SHOWN_BUCKETS = 31  # a month of days, and a page of a terminal
# The longest bucket of each step; shorter buckets give a few more than are shown, which are cut off.
STEPS = {
    "minute": timedelta(minutes=1),
    "5min": timedelta(minutes=5),
    "hour": timedelta(hours=1),
    "day": timedelta(hours=25),
    "month": timedelta(days=31, hours=1),
}


def history_of(client: Client, department: str | None, step: str, now: datetime) -> list[Payload]:
    """The traffic of this department, or of each in the snapshot, in the latest buckets of this step."""
    span = {"from": (now - SHOWN_BUCKETS * STEPS[step]).isoformat(), "to": now.isoformat(), "step": step}
    asked = [{"departmentId": one, **span} for one in _departments(client, department)]
    found = [client.call("history:get", one) for one in asked]
    return [{**one, "points": one["points"][-SHOWN_BUCKETS:]} for one in found]


def history_text(found: list[Payload]) -> str:
    """The history as a table, in the terminal's time zone, oldest first."""
    rows = [
        [
            one["departmentId"],
            datetime.fromisoformat(start).astimezone().strftime("%Y-%m-%d %H:%M"),
            size_text(up_bytes),
            size_text(down_bytes),
            size_text(up_bytes + down_bytes),
        ]
        for one in found
        for start, up_bytes, down_bytes in one["points"]
    ]
    return tabulate(rows, headers=["department", "from", "up", "down", "both"])


def maintenance_status_of(client: Client) -> Payload:
    """The `maintenance` in the snapshot, `None` where there is none, and all that are `planned`."""
    snapshot = [one for event, one in client.events(gap_s=SETTLE_S) if event == "system:maintenance"]
    latest: Payload = snapshot[-1] if snapshot else {"maintenance": None}
    return {"maintenance": latest["maintenance"], "planned": latest.get("planned", [])}


def maintenance_text(found: Payload | None, planned: list[Payload]) -> str:
    """The maintenance as a sentence for a person, and a line for each other one that is planned."""
    current = [] if found is None or found["type"] == "completed" else [found]
    shown = [*current, *(one for one in planned if one not in current)]
    return "\n".join(map(maintenance_sentence, shown)) or "no maintenance"


def _left_text(duration_s: int) -> str:
    return duration_text(duration_s) if duration_s else "until lifted"
