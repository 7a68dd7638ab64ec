"""The appliance's server without the appliance, in a process of its own: what `peer/server.js` does, done by ours.

Orders come over standard input, as that one takes them; the port goes out as JSON.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, monotonic_ns
from typing import Any

import eventlet
import msgspec
from eventlet.hubs import trampoline

from appliance import events
from appliance.config import LimitsSection
from appliance.core.moment import Moment, timestamp
from appliance.events import DepartmentCondition, DepartmentStatus, IncidentFacts, SecurityIncident
from appliance.server.access import Keeper
from appliance.server.app import Server
from appliance.server.calls import Desk
from appliance.server.fanout import Fanout
from appliance.system.register import SqliteRegister

# All come from one address, at once.
LIMITS = LimitsSection(connections=2000, connections_per_address=2000)


def now() -> Moment:
    return Moment(datetime.now(UTC), monotonic())


class Emitter:
    """Publishes what is ordered."""

    def __init__(self, fanout: Fanout, department: str, padding: str) -> None:
        self._fanout = fanout
        self._department = department
        self._padding = padding

    def obey(self, kind: str, count: int) -> None:
        for _ in range(count):
            self._fanout.publish(self._state() if kind == "state" else self._alert())

    def _state(self) -> DepartmentStatus:
        status = DepartmentCondition(active=True, connected_users=25, health_score=0.95, reasons=[self._text()])
        return DepartmentStatus(department_id=self._department, timestamp=timestamp(now().wall), status=status)

    def _alert(self) -> SecurityIncident:
        facts = IncidentFacts(type="unusual_traffic", source="192.168.1.100", details=self._text())
        return SecurityIncident(
            department_id=self._department, timestamp=timestamp(now().wall), severity="high", incident=facts
        )

    def _text(self) -> str:
        return f"{monotonic_ns()} {self._padding}"


def _lines() -> Iterable[bytes]:
    rest = b""
    while True:
        trampoline(0, read=True)
        data = os.read(0, 65536)
        if not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from lines


def _event(name: str, payload: dict[str, Any]) -> events.Event:
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type) and getattr(kind, "name", "") == name]
    event: events.Event = msgspec.convert(payload, kinds[0])
    return event


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    options = json.loads(sys.argv[1])
    fanout = Fanout(limits=LIMITS, plain=options["plain"])
    nobody: Any = None
    desk = Desk(*[nobody] * len(Desk.__dataclass_fields__))
    register = SqliteRegister(Path(options["folder"]) / "people.sqlite3")
    keeper = Keeper(bytes.fromhex(options["secret"]), {}, register, None, lambda now: True, now())
    server = Server(fanout, keeper, options["departments"], desk, now, LIMITS)
    for name, payload in options["states"]:
        fanout.publish(_event(name, payload))
    emitter = Emitter(fanout, options["departments"][0], options["padding"])
    listener = eventlet.listen(("127.0.0.1", 0), backlog=512)
    eventlet.spawn(server.serve, listener)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    for line in _lines():
        kind, count = line.decode().split(" ")
        emitter.obey(kind, int(count))
        eventlet.sleep(0)  # each order is a step of its own


if __name__ == "__main__":
    main()
