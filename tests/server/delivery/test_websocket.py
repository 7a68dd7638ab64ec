"""The states of a WebSocket's receiving side, over a pair of sockets."""

import socket
from collections.abc import Callable, Iterator
from itertools import product

import eventlet
import pytest

from appliance.server.delivery.outbox import EventPacket, Outbox
from appliance.server.delivery.websocket import (
    FEW_FRAMES,
    NEXT,
    TRANSITIONS,
    State,
    WebSocket,
    WriteBatch,
)
from appliance.server.delivery.websocket_frames import Opcode
from tests.server import wire

PATIENCE_S = 30
MORE_THAN_THE_KERNEL_TAKES = b"x" * (4 << 20)


class Conversation:
    """A WebSocket, the client's end of its connection, and the messages that were handled.

    `work`: done for each message that is handled; what it raises is the server's bug.
    """

    def __init__(self) -> None:
        self.client, server = socket.socketpair()
        for end in (self.client, server):
            end.setblocking(False)
        self.handled: list[str | bytes] = []
        self.end_reasons: list[str] = []
        self.work: Callable[[], object] = lambda: None
        self.websocket = WebSocket(server, self, WriteBatch(), longest_bytes=1000)
        self.outbox = Outbox()
        self.websocket.attach(self.outbox)

    def handle_at_once(self, text: bytes) -> bool:
        return text == b"at once"

    def handle(self, content: str | bytes) -> None:
        self.handled.append(content)
        self.work()

    def ended(self, reason: str) -> None:
        self.end_reasons.append(reason)

    def send(self, *texts: str, opcode: Opcode = Opcode.TEXT) -> None:
        self.client.sendall(b"".join(wire.frame(text, opcode) for text in texts))

    def fall_behind(self) -> None:
        """Send more than the kernel takes while the client reads nothing."""
        self.outbox.put(EventPacket(MORE_THAN_THE_KERNEL_TAKES))
        eventlet.sleep(0)

    def read_everything(self) -> None:
        """Read until nothing more comes for a turn of the hub."""
        is_silent = False
        while not is_silent:
            is_silent = True
            for _ in range(3):
                eventlet.sleep(0)
                try:
                    is_silent = not self.client.recv(1 << 20) and is_silent
                except BlockingIOError:
                    continue

    def wait_until(self, state: State) -> None:
        with eventlet.Timeout(PATIENCE_S):
            while self.websocket.state is not state:
                eventlet.sleep(0)


@pytest.fixture
def conversation() -> Iterator[Conversation]:
    one = Conversation()
    yield one
    one.websocket.end("the test is over")
    one.client.close()


def test_a_message_is_handled_by_a_greenlet_that_ends_with_the_inbox(conversation: Conversation) -> None:
    states: list[State] = []
    conversation.work = lambda: states.append(conversation.websocket.state)
    conversation.send("a", "b")
    conversation.wait_until(State.WORKING)
    conversation.wait_until(State.READING)
    assert conversation.handled == ["a", "b"]
    assert states == [State.WORKING] * 2


def test_a_message_that_is_handled_at_once_interrupts_no_reading(conversation: Conversation) -> None:
    conversation.send("at once")
    for _ in range(5):
        eventlet.sleep(0)
        assert conversation.websocket.state is State.READING
    assert conversation.handled == []


def test_more_frames_than_an_honest_client_sends_cost_it_a_pause(conversation: Conversation) -> None:
    conversation.send(*["a"] * (FEW_FRAMES + 1))
    conversation.wait_until(State.PAUSED)
    assert conversation.handled == []
    conversation.wait_until(State.WORKING)
    conversation.wait_until(State.READING)
    assert len(conversation.handled) == FEW_FRAMES + 1


def test_a_client_that_reads_no_answers_has_its_messages_wait(conversation: Conversation) -> None:
    conversation.fall_behind()
    assert conversation.websocket.state is State.READING
    conversation.send("a")
    conversation.wait_until(State.WAITING)
    assert conversation.handled == []
    conversation.read_everything()
    conversation.wait_until(State.READING)
    assert conversation.handled == ["a"]


def test_work_stops_where_an_answer_finds_the_client_behind(conversation: Conversation) -> None:
    conversation.work = conversation.fall_behind
    conversation.send("a", "b")
    conversation.wait_until(State.WAITING)
    assert conversation.handled == ["a"]


def test_a_client_that_is_behind_is_still_heard_when_it_leaves(conversation: Conversation) -> None:
    conversation.fall_behind()
    conversation.client.close()
    conversation.wait_until(State.CLOSED)


def test_a_bug_in_the_handling_of_a_message_closes_the_connection(conversation: Conversation) -> None:
    def fail() -> None:
        raise ValueError

    conversation.work = fail
    conversation.send("a")
    conversation.wait_until(State.CLOSED)
    assert conversation.end_reasons == ["the server failed at what the client sent"]


@pytest.mark.parametrize("make", [lambda one: one.send(*["a"] * 20), lambda one: one.send("", opcode=Opcode.CLOSE)])
def test_a_connection_is_closed_once_whatever_it_was_doing(conversation: Conversation, make) -> None:
    make(conversation)
    eventlet.sleep(0)
    for _ in range(2):
        conversation.websocket.end("enough")
    eventlet.sleep(0)
    assert conversation.websocket.state is State.CLOSED
    assert conversation.end_reasons == ["enough"]


def test_every_step_that_next_chooses_is_legal_from_the_states_that_ask_for_it() -> None:
    working_ends_when = {(False, False), (True, False), (True, True)}  # the inbox is empty or the client is behind
    waiting_ends_when = {(False, False), (False, True)}  # the client has caught up
    reading_ends_when = {(False, True), (True, True)}  # a message is in the inbox
    chosen = {
        *product([State.WORKING], working_ends_when),
        *product([State.WAITING], waiting_ends_when),
        *product([State.READING], reading_ends_when),
        *product([State.PAUSED], NEXT),
    }
    steps = {(state, NEXT[case]) for state, case in chosen}
    others = {(State.READING, State.PAUSED)} | {(state, State.CLOSED) for state in State if state is not State.CLOSED}
    assert steps | others == {(state, after) for state, afters in TRANSITIONS.items() for after in afters}


def test_an_illegal_step_is_a_bug(conversation: Conversation) -> None:
    conversation.websocket.end("enough")
    with pytest.raises(RuntimeError, match="cannot go from CLOSED to READING"):
        conversation.websocket._enter(State.READING)
