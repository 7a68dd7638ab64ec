"""Syslog over TLS (RFC 5425), by the standard library's `ssl`.

Syslog knows no acknowledgement. A connection for each message ends with TLS's own end, which the receiver answers when
it has read everything before: what was sent to a receiver that died is sent again. What it had read, and not written
when it died, is lost.
"""

import socket
from contextlib import closing

from appliance.core.alerting.channels import ReadSecret, SyslogReceiver
from appliance.core.alerting.message import AlertMessage
from appliance.core.alerting.syslog_records import records
from appliance.system.outlets.connection import bounded, connected, context_of, fault_text


class SyslogOutlet:
    """`ports.Outlet` by syslog."""

    def __init__(self, receiver: SyslogReceiver, _: ReadSecret) -> None:
        self._receiver = receiver

    def send(self, message: AlertMessage) -> str | None:
        """Deliver a message; returns `None`, or why the receiver has not read it."""
        receiver = self._receiver
        try:
            with (
                closing(connected(receiver.server, receiver.port)) as plain,
                bounded(plain),
                closing(context_of(receiver.ca).wrap_socket(plain, server_hostname=receiver.server)) as sealed,
            ):
                sealed.sendall(records(message, socket.gethostname()))
                sealed.unwrap()
        except OSError as error:
            return fault_text(error)
        return None
