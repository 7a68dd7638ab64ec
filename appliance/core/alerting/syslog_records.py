"""Records of syslog: a message as RFC 5424 writes them and RFC 5425 frames them, each with its length before it.

A record of each notice has the notice's time and severity, and its number as `sequenceId`, by which a collector knows a
repetition. A storm is one record, as everywhere.
"""

from appliance.core.alerting.message import MOST_LINES, AlertMessage
from appliance.core.detection.incident import Severity
from appliance.core.moment import timestamp

FACILITY = 16  # local0: none of the facilities of RFC 5424 is for networks
SEVERITIES = {Severity.LOW: 5, Severity.MEDIUM: 4, Severity.HIGH: 3, Severity.CRITICAL: 2}
LONGEST_BYTES = 8192  # of a record, that each receiver should take (RFC 5425, section 4.3.1)
LARGEST_SEQUENCE = 2**31 - 1  # RFC 5424, section 7.3.1
APP_NAME = "appliance"


def records(message: AlertMessage, host: str) -> bytes:
    """The records of a message, for one write. `host`: this computer's name."""
    if not 1 <= len(message.notices) <= MOST_LINES:
        text = " | ".join((message.title, *filter(None, message.lines)))
        return _framed(_record(message.severity, timestamp(message.at), host, "digest", "-", text))
    return b"".join(
        _framed(
            _record(
                one.severity,
                timestamp(one.at),
                host,
                one.topic,
                f'[meta sequenceId="{one.number % LARGEST_SEQUENCE + 1}"]',
                f"department={one.department or '-'} {one.text}",
            )
        )
        for one in message.notices
    )


def _record(severity: Severity, at: str, host: str, kind: str, structure: str, text: str) -> bytes:
    head = f"<{FACILITY * 8 + SEVERITIES[severity]}>1 {at} {_name(host)} {APP_NAME} - {kind} {structure} "
    mark = b"" if text.isascii() else b"\xef\xbb\xbf"  # says that the text is UTF-8 (section 6.4)
    body = head.encode() + mark + text.encode()
    return body[:LONGEST_BYTES].decode(errors="ignore").encode()


def _name(host: str) -> str:
    """A name of printable ASCII, as the header takes it."""
    return "".join(one for one in host if "!" <= one <= "~")[:255] or "-"


def _framed(record: bytes) -> bytes:
    return b"%d %s" % (len(record), record)
