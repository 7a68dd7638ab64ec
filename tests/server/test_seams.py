"""The seams of the libraries under the send path: a test that fails here means that a release has moved one."""

import inspect
import socket

import eventlet
import pytest
import socketio
from engineio.base_socket import BaseSocket
from engineio.packet import PING, Packet
from engineio.socket import Socket as Session
from eventlet import wsgi
from eventlet.greenio import GreenSocket
from eventlet.hubs import get_hub

from appliance.server.delivery import transport
from appliance.server.delivery.outbox import EventPacket, Outbox
from appliance.server.delivery.transport import EngineServer

POLLING = {"REQUEST_METHOD": "GET", "PATH_INFO": "/socket.io/", "QUERY_STRING": "EIO=4&transport=polling"}
UPGRADE = {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "Upgrade"}


@pytest.fixture
def sio():
    return transport.DirectServer(async_mode="eventlet", monitor_clients=False)


class Pair:
    """A TCP connection with itself, and a request that comes by it."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.client = socket.create_connection(listener.getsockname())
            self.server, _ = listener.accept()
        self.server.setblocking(False)
        self.client.settimeout(0)
        self.is_forgotten = False

    def request(self, **more):
        return {**POLLING, "REMOTE_ADDR": "192.0.2.1", "appliance.release": self._release, **more}

    def _release(self, break_off):
        return self.server, self._forget

    def _forget(self):
        self.is_forgotten = True

    def received(self):
        for _ in range(5):
            eventlet.sleep(0)
        try:
            return self.client.recv(65536)
        except BlockingIOError:
            return b""


def _answer(sio, environ):
    told = []
    body = b"".join(sio.handle_request(environ, lambda status, headers, *_: told.append(status)))
    return told, body


def _websocket(sio, pair):
    environ = pair.request(**UPGRADE, HTTP_SEC_WEBSOCKET_KEY="AAAAAAAAAAAAAAAAAAAAAA==")
    _answer(sio, environ | {"QUERY_STRING": "EIO=4&transport=websocket"})
    *_, session = sio.eio.sockets.values()
    return session


def _masked(text):
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text.encode()


def test_python_socketio_asks_the_server_for_its_engine_class() -> None:
    assert isinstance(transport.DirectServer(async_mode="eventlet").eio, EngineServer)
    assert "_handle_eio_connect" in inspect.getsource(socketio.Server._handle_eio_connect)


def test_the_engine_gives_each_session_a_queue_that_the_server_makes(sio) -> None:
    status, body = _answer(sio, Pair().request())
    assert status == ["200 OK"]
    assert body.startswith(b'0{"sid":')  # put by the library, fetched by its poll
    [session] = sio.eio.sockets.values()
    assert isinstance(session.queue, Outbox)
    assert "create_queue()" in inspect.getsource(BaseSocket.__init__)


def test_a_session_keeps_only_a_few_keys_of_the_request(sio) -> None:
    _answer(sio, Pair().request())
    assert list(sio.environ.values()) == [{"REMOTE_ADDR": "192.0.2.1"}]


def test_a_session_s_ping_is_started_by_the_server_and_can_be_a_timer(sio) -> None:
    session = Session(sio.eio, "sid")
    before = get_hub().get_timers_count()
    session.schedule_ping()
    assert session.last_ping is None
    assert get_hub().get_timers_count() == before + 1
    transport._ping(transport.ref(session))
    assert session.last_ping
    assert session.queue.get(block=False).packet_type == PING


def test_the_driver_s_class_for_websockets_is_called_with_the_session_s_handler(sio) -> None:
    pair = Pair()
    session = _websocket(sio, pair)
    assert (session.connected, session.upgraded, session.closed) == (True, True, False)
    received = pair.received()
    assert received.startswith(b"HTTP/1.1 101 ")
    assert b'0{"sid":' in received.partition(b"\r\n\r\n")[2]
    assert wsgi.WSGI_LOCAL.already_handled is True


def test_a_message_reaches_the_library_and_its_answer_the_client(sio) -> None:
    pair = Pair()
    sio.on("connect", lambda sid, environ, auth=None: None)
    _websocket(sio, pair)
    pair.received()
    pair.client.send(_masked("40"))
    assert pair.received()[2:].startswith(b'40{"sid":')


def test_a_handler_gets_the_number_that_the_client_gave_its_packet(sio) -> None:
    pair, got = Pair(), []
    sio.on("connect", lambda sid, environ, auth=None: None)
    sio.on("*", lambda event, sid, *arguments: got.append((event, *arguments)))
    _websocket(sio, pair)
    pair.received()
    for text in ("40", '427["one",{"a":1}]', '42["two"]'):
        pair.client.send(_masked(text))
        pair.received()
    assert got == [("one", 7, {"a": 1}), ("two", None)]


def test_the_manager_knows_the_sessions_in_a_room_and_delivers_to_them(sio) -> None:
    pair = Pair()
    session = _websocket(sio, pair)
    sid = sio.manager.connect(session.sid, transport.NAMESPACE)
    sio.enter_room(sid, "room")
    pair.received()
    assert list(sio.manager.get_participants(transport.NAMESPACE, "room")) == [(sid, session.sid)]
    for room in ("room", sid, None, "nobody"):
        sio.manager.deliver(EventPacket(b'2["x"]'), room)
    assert pair.received() == b'\x81\x0742["x"]' * 3


def test_whoever_enters_or_leaves_a_room_gets_its_next_event_or_not(sio) -> None:
    pairs = [Pair(), Pair()]
    sids = []
    for pair in pairs:
        sids.append(sio.manager.connect(_websocket(sio, pair).sid, transport.NAMESPACE))
        pair.received()

    def told(room):
        sio.manager.deliver(EventPacket(b'2["x"]'), room)
        return [bool(pair.received()) for pair in pairs]

    assert told("room") == [False, False]
    sio.enter_room(sids[0], "room")
    assert told("room") == [True, False]
    sio.enter_room(sids[1], "room")
    assert told("room") == [True, True]
    sio.leave_room(sids[0], "room")
    assert (told("room"), told(None)) == ([False, True], [True, True])
    sio.manager.disconnect(sids[1], transport.NAMESPACE)
    assert (told("room"), told(None)) == ([False, False], [True, False])


def test_a_poll_again_has_what_the_library_would_answer_and_nothing_once_the_session_has_ended(sio) -> None:
    _, opening = _answer(sio, POLLING)
    [session] = sio.eio.sockets.values()
    assert opening.startswith(b"0{")
    environ = {**POLLING, "QUERY_STRING": f"{POLLING['QUERY_STRING']}&sid={session.sid}"}
    for poll in (lambda: _answer(sio, environ)[1], lambda: sio.eio.poll_again(session.sid, environ)):
        session.queue.put(EventPacket('2["ä"]'.encode()))
        session.queue.put(Packet(PING))
        assert poll() == '42["ä"]\x1e2'.encode()
    session.close(wait=False)
    assert sio.eio.poll_again(session.sid, environ) is None
    assert sio.eio.poll_again("nobody", environ) is None


def test_a_session_that_the_library_closes_closes_its_connection(sio) -> None:
    pair = Pair()
    session = _websocket(sio, pair)
    pair.received()
    session.close(wait=False)
    assert pair.received() == b"\x81\x011\x88\x02\x03\xe8"
    assert pair.is_forgotten


def test_a_client_that_closes_the_connection_ends_its_session(sio) -> None:
    pair, left = Pair(), []
    session = _websocket(sio, pair)
    sio.eio.on("disconnect", lambda eio_sid, reason: left.append(eio_sid))
    pair.received()
    pair.client.close()
    for _ in range(5):
        eventlet.sleep(0)
    assert session.closed
    assert left == [session.sid]
    assert not sio.eio.sockets
    assert pair.is_forgotten


def test_an_event_packet_is_the_library_s_packet_for_long_polling() -> None:
    assert EventPacket('2["ä"]'.encode()).encode(b64=True) == '42["ä"]' == Packet(4, '2["ä"]').encode(b64=True)


def test_the_hub_calls_a_listener_until_it_is_removed() -> None:
    one, other = socket.socketpair()
    calls = []
    listener = get_hub().add("read", one.fileno(), calls.append, lambda *_: None, lambda *_: None)
    other.send(b"x")
    for _ in range(3):
        eventlet.sleep(0)
    assert len(calls) >= 2
    get_hub().remove(listener)
    count = len(calls)
    eventlet.sleep(0)
    assert len(calls) == count
    one.close()
    other.close()


def test_a_green_socket_can_give_its_descriptor_to_a_plain_one() -> None:
    one, other = socket.socketpair()
    green = GreenSocket(one)
    free = socket.socket(fileno=green.fd.detach())
    green.close()
    free.send(b"x")
    assert other.recv(1) == b"x"
    free.close()
    other.close()
