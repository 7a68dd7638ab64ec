"""A web server and a client over HTTP/3, both of aioquic: `http3.py serve ADDRESS PORT CERTIFICATE KEY`,
`http3.py get ADDRESS PORT NAME`."""

import asyncio
import ssl
import sys
from typing import Any

from aioquic.asyncio import QuicConnectionProtocol, connect, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

PATIENCE_S = 20


class Peer(QuicConnectionProtocol):
    """An end of a connection; a server answers each request, and a client waits for the answer."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.http: H3Connection | None = None
        self.answered = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        for one in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(one, HeadersReceived):
                self.answered.set()
                if not self._quic.configuration.is_client:
                    self.send(one.stream_id, (b":status", b"204"))

    def send(self, stream: int, *headers: tuple[bytes, bytes]) -> None:
        """Send headers without a body."""
        assert self.http is not None
        self.http.send_headers(stream, [*headers], end_stream=True)
        self.transmit()

    def ask(self, name: str) -> None:
        """Ask for the first page."""
        fields = {":method": "GET", ":scheme": "https", ":authority": name, ":path": "/"}
        self.send(self._quic.get_next_available_stream_id(), *((a.encode(), b.encode()) for a, b in fields.items()))


async def answer(address: str, port: int, certificate: str, key: str) -> None:
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, is_client=False)
    configuration.load_cert_chain(certificate, key)
    await serve(address, port, configuration=configuration, create_protocol=Peer)
    print("ready", flush=True)
    await asyncio.Event().wait()


async def get(address: str, port: int, name: str) -> None:
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=name, verify_mode=ssl.CERT_NONE)
    async with (
        asyncio.timeout(PATIENCE_S),
        connect(address, port, configuration=configuration, create_protocol=Peer) as peer,
    ):
        assert isinstance(peer, Peer)
        peer.ask(name)
        await peer.answered.wait()
    print("answered")


if __name__ == "__main__":
    asyncio.run({"serve": answer, "get": get}[sys.argv[1]](sys.argv[2], int(sys.argv[3]), *sys.argv[4:]))
