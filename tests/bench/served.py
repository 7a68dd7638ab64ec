"""The appliance's server without the appliance, in a process of its own: what `peer/server.js` does, done by ours.

Orders come over standard input, as that one takes them; the port goes out as JSON.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns

import eventlet

from appliance.config import LimitsSection, ServerSection
from appliance.core.machine import Position
from appliance.core.moment import timestamp
from appliance.events import BlockedIp, DepartmentCondition, DepartmentStatus, IpBlocked
from appliance.server.delivery.fanout import Fanout
from appliance.server.http.tls import Tls
from tests.server.harness import Harness
from tests.server.orders import lines

# All come from one address, at once.
LIMITS = LimitsSection(connections=2000, connections_per_address=2000)


class Emitter:
    """Publishes what is ordered."""

    def __init__(self, fanout: Fanout, department: str, padding: str) -> None:
        self._fanout = fanout
        self._department = department
        self._padding = padding

    def obey(self, kind: str, count: int) -> None:
        for _ in range(count):
            self._fanout.publish(self._state() if kind == "state" else self._moment())

    def _state(self) -> DepartmentStatus:
        status = DepartmentCondition(active=True, connected_users=25, health_score=0.95, reasons=[self._text()])
        return DepartmentStatus(department_id=self._department, timestamp=_timestamp(), status=status)

    def _moment(self) -> IpBlocked:
        block = BlockedIp(address="192.168.1.100", reason=self._text(), duration=3600)
        return IpBlocked(department_id=self._department, timestamp=_timestamp(), ip=block)

    def _text(self) -> str:
        return f"{monotonic_ns()} {self._padding}"


def _timestamp() -> str:
    return timestamp(datetime.now(UTC))


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    options = json.loads(sys.argv[1])
    tls = Tls(Path(options["pem"]), Path(options["pem"])) if options["pem"] else None
    harness = Harness(Path(options["folder"]), Position.HOST, False, LIMITS, ServerSection(), tls)
    for state in options["states"]:
        harness.obey({"publish": [state]})
    emitter = Emitter(harness.fanout, options["departments"][0], options["padding"])
    listener = eventlet.listen(("127.0.0.1", 0), backlog=512)
    eventlet.spawn(harness.server.serve, listener)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    for line in lines():
        kind, count = line.decode().split(" ")
        emitter.obey(kind, int(count))
        eventlet.sleep(0)  # each order is a step of its own


if __name__ == "__main__":
    main()
