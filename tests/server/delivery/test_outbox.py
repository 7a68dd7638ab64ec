import pytest
from engineio.packet import MESSAGE, PING, Packet
from eventlet.queue import Empty

from appliance.server.delivery.outbox import LARGEST_BURST_BYTES, MOST_WAITING_BYTES, EventPacket, Outbox


def _state(kind, number):
    return EventPacket(b'2["%s",%d]' % (kind.encode(), number), key=kind)


def _alert(number):
    return EventPacket(b'2["alert",%d]' % number)


def _texts(data):
    """The texts of unmasked frames, which must be whole."""
    texts = []
    while data:
        size, head = data[1], 2
        if size == 126:
            size, head = int.from_bytes(data[2:4], "big"), 4
        elif size == 127:
            size, head = int.from_bytes(data[2:10], "big"), 10
        assert len(data) >= head + size
        texts.append(data[head : head + size].decode())
        data = data[head + size :]
    return texts


def _attached():
    outbox = Outbox()
    outbox.attach(lambda _: None, None)
    return outbox


def test_packets_leave_in_order_while_the_client_keeps_up() -> None:
    outbox = _attached()
    for packet in (_state("a", 1), _alert(2), Packet(PING), _state("a", 3)):
        assert outbox.put(packet)
    assert _texts(outbox.take_frames(1 << 20)) == ['42["a",1]', '42["alert",2]', "2", '42["a",3]']
    assert outbox.take_frames(1 << 20) == b""


def test_a_newer_state_replaces_the_older_one_when_the_client_is_behind() -> None:
    outbox = _attached()
    outbox.fall_behind(moved=True)
    for packet in (_state("a", 1), _alert(2), _state("b", 3), _state("a", 4), _alert(5), _state("b", 6)):
        assert outbox.put(packet)
    assert _texts(outbox.take_frames(1 << 20)) == ['42["a",4]', '42["alert",2]', '42["b",6]', '42["alert",5]']


def test_take_frames_returns_whole_frames_and_little_more_than_asked_for() -> None:
    outbox = _attached()
    for number in range(100):
        outbox.put(_alert(number))
    first = outbox.take_frames(100)
    assert 100 <= len(first) < 150
    assert _texts(first) + _texts(outbox.take_frames(1 << 20)) == [f'42["alert",{number}]' for number in range(100)]


def test_a_client_is_not_given_up_for_states() -> None:
    outbox = _attached()
    outbox.fall_behind(moved=True)
    assert all(outbox.put(_state("a", number)) for number in range(100_000))


def test_a_client_with_too_many_alerts_waiting_is_given_up() -> None:
    outbox = _attached()
    outbox.fall_behind(moved=True)
    big = EventPacket(b"x" * (LARGEST_BURST_BYTES // 4))
    assert [outbox.put(EventPacket(big.text[1:])) for _ in range(5)] == [True, True, True, False, False]


def test_a_client_that_takes_nothing_for_too_long_is_given_up() -> None:
    outbox = Outbox(longest_stall_s=-1)
    outbox.attach(lambda _: None, None)
    assert outbox.put(_alert(1))
    outbox.fall_behind(moved=False)
    assert not outbox.put(_alert(2))


def test_a_client_that_caught_up_may_fall_behind_again() -> None:
    outbox = _attached()
    for _ in range(3):
        outbox.fall_behind(moved=True)
        assert outbox.put(EventPacket(b"x" * (MOST_WAITING_BYTES // 2)))
        outbox.take_frames(1 << 20)
        outbox.catch_up()


def test_packets_that_come_together_wake_the_websocket_once() -> None:
    wakes = []
    outbox = Outbox()
    outbox.attach(wakes.append, 1)
    for number in range(3):
        outbox.put(_alert(number))
    assert len(wakes) == 1
    outbox.take_frames(1 << 20)
    outbox.put(_alert(3))
    assert len(wakes) == 2


def test_packets_that_were_not_polled_leave_by_the_websocket() -> None:
    outbox = Outbox()
    outbox.put(_state("a", 1))
    outbox.put(Packet(MESSAGE, "0"))
    wakes = []
    outbox.attach(wakes.append, 1)
    assert wakes
    assert _texts(outbox.take_frames(1 << 20)) == ['42["a",1]', "40"]


def test_a_poll_gets_the_waiting_packets_and_then_raises_empty() -> None:
    outbox = Outbox()
    for packet in (_state("a", 1), _alert(2), _state("a", 3)):
        outbox.put(packet)
    assert [outbox.get(block=False).encode(b64=True) for _ in range(2)] == ['42["a",3]', '42["alert",2]']
    with pytest.raises(Empty):
        outbox.get(block=False)
    with pytest.raises(Empty):
        outbox.get(timeout=0)
    outbox.put(None)
    assert [outbox.get(), outbox.get(block=False)] == [None, None]


def test_a_second_poll_at_a_time_is_refused() -> None:
    import eventlet

    outbox = Outbox()
    first = eventlet.spawn(outbox.get, timeout=5)
    eventlet.sleep(0)
    with pytest.raises(Empty):
        outbox.get(timeout=5)
    outbox.put(_alert(1))
    assert first.wait().encode() == '42["alert",1]'
