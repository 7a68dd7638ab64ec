"""Checks the Socket.IO packets of clients before any of their content is used.

python-socketio accepts more than our clients send, and some of that harms: it keeps binary attachments without bound,
and an event called `connect` or `*` reaches a handler that trusts its arguments. Here a packet is one that `socket.io-
client` would send to this server, or it is `Malformed`.

python-socketio gets the packet class and the logger of this module.
"""

import json
import logging
import sys

from socketio.packet import CONNECT, DISCONNECT, EVENT, Packet

from appliance.core.text import clipped
from appliance.server.strict_json import Malformed

# A list of 5,000 addresses to block at once is four fifths of it, and a connect with the longest token a tenth.
# A message of 1 MiB would take 20 ms to decode.
LONGEST_MESSAGE_BYTES = 128 * 1024
RESERVED_EVENTS = frozenset({"connect", "connect_error", "disconnect", "*"})  # python-socketio's names for handlers


class StrictPacket(Packet):  # type: ignore[misc]  # the library ships no types
    """A Socket.IO packet that decodes only what a client of ours has reason to send."""

    def decode(self, encoded_packet: object) -> int:
        """Decode a packet into `data`. Returns 0, the number of attachments. Raises `Malformed`."""
        if not isinstance(encoded_packet, str):
            raise Malformed("binary data, which no call takes")
        if encoded_packet[:1] not in _SHAPES:
            raise Malformed("a packet of a type that clients do not send")
        try:
            attachments = super().decode(encoded_packet)
            if "\\u" in encoded_packet:  # half a surrogate pair, which neither UTF-8 nor the store could take
                json.dumps(self.data, ensure_ascii=False).encode()
        except Malformed:
            raise
        except (ValueError, IndexError, RecursionError):
            raise Malformed("a packet that cannot be read") from None
        if attachments or not _SHAPES[encoded_packet[0]](self.data):
            raise Malformed("a packet whose content does not fit its type")
        return 0


def _is_event(data: object) -> bool:
    return isinstance(data, list) and len(data) > 0 and isinstance(data[0], str) and data[0] not in RESERVED_EVENTS


# What the data of each packet type must be. Acknowledgements are missing: the server asks for none.
_SHAPES = {
    str(CONNECT): lambda data: data is None or isinstance(data, dict),
    str(DISCONNECT): lambda data: data is None,
    str(EVENT): _is_event,
}


class OneLineLogger(logging.LoggerAdapter[logging.Logger]):
    """Writes one clipped line for each error of a library that a stranger can provoke, and never a traceback.

    Records below an error are dropped: the libraries write every packet, with its token, and every bad request.
    """

    def log(self, level: int, msg: object, *args: object, **options: object) -> None:
        """Write an error as one line; of an exception only its kind and text."""
        if level >= logging.ERROR:
            text = str(msg) % args if args else str(msg)
            fault = sys.exception() if options.get("exc_info") else None
            self.logger.log(level, "%s", clipped(f"{text}: {fault!r}" if fault else text))
