"""The rival in Python: python-socketio as it comes does for a dashboard what `peer/server.js` does with Node's.

Orders come over standard input, as that one takes them; the port goes out as JSON.
"""

import json
import sys
from datetime import UTC, datetime
from time import monotonic_ns
from typing import Any

import eventlet
import jwt
import socketio
from eventlet import wsgi
from socketio.exceptions import ConnectionRefusedError as RefusedByServer

from tests.server.orders import lines


class PlainServer:
    """A server of one department's events, of which each client that logs in gets the snapshot first."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._department = options["departments"][0]
        self._sio = socketio.Server(async_mode="eventlet", cors_allowed_origins="*")
        self._sio.on("connect", self._admit)

    def serve(self, listening_socket: Any) -> None:
        pem = self._options["pem"]
        if pem is not None:
            listening_socket = eventlet.wrap_ssl(listening_socket, certfile=pem, keyfile=pem, server_side=True)
        wsgi.server(listening_socket, socketio.WSGIApp(self._sio), log_output=False)

    def emit(self, kind: str) -> None:
        name, body = (self._state if kind == "state" else self._moment)()
        payload = {"departmentId": self._department, "timestamp": datetime.now(UTC).isoformat(), **body}
        self._sio.emit(name, payload, room=self._department)

    def _admit(self, sid: str, _environ: dict[str, Any], auth: dict[str, str]) -> None:
        secret, rules = bytes.fromhex(self._options["secret"]), {"verify_exp": False, "verify_iat": False}
        try:
            grant = jwt.decode(auth["token"], secret, ["HS256"], rules, audience="appliance-clients")
        except jwt.InvalidTokenError as fault:
            raise RefusedByServer("The token is not one of this appliance") from fault
        if grant["exp"] <= self._options["at"]:  # the time is the tests'
            raise RefusedByServer("The token has expired")
        seen = grant["departments"]
        for department in self._options["departments"]:
            if seen == "*" or department in seen:
                self._sio.enter_room(sid, department)
        eventlet.spawn_after(0, self._welcome, sid)  # after the acknowledgement of the connection

    def _welcome(self, sid: str) -> None:
        for name, payload in self._options["states"]:
            self._sio.emit(name, payload, room=sid)

    def _state(self) -> tuple[str, dict[str, Any]]:
        status = {"active": True, "connectedUsers": 25, "healthScore": 0.95, "reasons": [self._text()]}
        return "department:status", {"status": status}

    def _moment(self) -> tuple[str, dict[str, Any]]:
        return "ip:blocked", {"ip": {"address": "192.168.1.100", "reason": self._text(), "duration": 3600}}

    def _text(self) -> str:
        return f"{monotonic_ns()} {self._options['padding']}"


def main() -> None:
    server = PlainServer(json.loads(sys.argv[1]))
    listening_socket = eventlet.listen(("127.0.0.1", 0), backlog=512)
    eventlet.spawn(server.serve, listening_socket)
    print(json.dumps({"port": listening_socket.getsockname()[1]}), flush=True)
    for line in lines():
        kind, count = line.decode().split(" ")
        for _ in range(int(count)):
            server.emit(kind)
        eventlet.sleep(0)  # each order is a step of its own


if __name__ == "__main__":
    main()
