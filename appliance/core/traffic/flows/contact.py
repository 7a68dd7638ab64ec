"""A connection between a device and a server, and what happens to it: a hello is read, the server goes on, it ends."""

from enum import Enum
from typing import NamedTuple, Self

from appliance.core.traffic.flows.client_hello import ClientHello, HelloStream
from appliance.core.traffic.flows.pieces import Pieces
from appliance.core.traffic.packet import Packet


class Ends(NamedTuple):
    """Both ends of a contact, from the client's side. `scope`: the interface at which it was captured."""

    scope: str
    client: str
    client_port: int
    server: str
    server_port: int

    @classmethod
    def of(cls, scope: str, packet: Packet) -> Self:
        """The ends of a packet from a client."""
        return cls(scope, packet.source, packet.source_port, packet.destination, packet.destination_port)

    @classmethod
    def answered_by(cls, scope: str, packet: Packet) -> Self:
        """The ends of a packet from a server."""
        return cls(scope, packet.destination, packet.destination_port, packet.source, packet.source_port)


class Contact:
    """One contact. `begin`, `server_begin`: TCP's numbers of each side's first byte; `None`: not known.
    `stream_begin`: that of the first byte of `pieces`, in which the hello is searched for by `stream`.

    `goes_on`: the server has answered the hello with its own; `None`: not known yet. `site`: what it was counted for,
    which the one who counts sets. `bytes_told`: of its bytes, those that an end of it has told already.
    """

    __slots__ = (
        "began_s",
        "begin",
        "bytes_told",
        "client_mac",
        "ended_by",
        "ends",
        "goes_on",
        "hello",
        "is_met",
        "is_quic",
        "pieces",
        "server_begin",
        "site",
        "stream",
        "stream_begin",
    )

    def __init__(
        self,
        ends: Ends,
        client_mac: str,
        began_s: float,
        *,
        begin: int = 0,
        hello: ClientHello | None = None,
        is_quic: bool = False,
    ) -> None:
        self.ends, self.client_mac, self.began_s = ends, client_mac, began_s
        self.begin = self.stream_begin = begin
        self.hello, self.is_quic = hello, is_quic
        self.server_begin: int | None = None
        self.goes_on: bool | None = None
        self.is_met = False
        self.site: str | None = None
        self.bytes_told = 0
        self.ended_by: str = ""
        self.pieces: Pieces | None = None
        self.stream: HelloStream | None = None

    @property
    def is_read(self) -> bool:
        """Whether all was read that may have a hello, or its room was needed."""
        return self.stream is not None and self.pieces is None


class What(Enum):
    """What happens to a contact."""

    HELLO = "its hello was read; whether anybody answers is not known yet"
    MET = "the server has answered, and the hello is read or does not come"
    END = "a side has ended it, which tells the bytes"


class Happening(NamedTuple):
    """`bytes`: of both directions, that this tells of."""

    what: What
    contact: Contact
    bytes: int = 0
