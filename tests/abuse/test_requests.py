"""Requests: bodies that are too long, sessions that are opened and left, unfinished upgrades."""

import json
import time

from tests.abuse.service import Service

POLLING = "/socket.io/?EIO=4&transport=polling"
BURST = 100  # `connections_per_address`: so many sessions may an address open at once, and again in each login's time
LOGIN_DEADLINE_S = 2.0  # of the service in these tests


def ask(service: Service, request: str, origin: str = "127.0.0.66") -> bytes:
    """All that the server answers until it hangs up."""
    with service.connect(origin) as connection:
        connection.sendall(request.encode())
        answer = b""
        try:
            while data := connection.recv(65536):
                answer += data
        except ConnectionResetError:
            pass
        return answer


def session(service: Service, origin: str) -> str:
    answer = ask(service, f"GET {POLLING} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", origin)
    return str(json.loads(answer.partition(b"\r\n\r\n")[2][1:])["sid"])


def test_a_thousand_oversized_posts_do_no_harm(service: Service) -> None:
    with service.unharmed():
        for number in range(1000):
            if number % 50 == 0:
                origin = f"127.0.5.{1 + number // 50}"
                path = f"{POLLING}&sid={session(service, origin)}"
            post = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
            assert b" 413 " in ask(service, post, origin).splitlines()[0]


def test_sessions_that_are_opened_and_left_do_not_pile_up(service: Service) -> None:
    with service.unharmed():
        began_s = time.monotonic()
        answers = [
            ask(service, f"GET {POLLING} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "127.0.6.1")
            for _ in range(500)
        ]
        took_s = time.monotonic() - began_s
        opened = [answer for answer in answers if b" 429 " not in answer.splitlines()[0]]
        assert len(opened) <= BURST + BURST / LOGIN_DEADLINE_S * took_s  # a slow machine asks less often
        service.serves_an_honest_client()


def test_an_unfinished_upgrade_keeps_nothing(service: Service) -> None:
    with service.unharmed():
        for number in range(50):
            origin = f"127.0.7.{1 + number}"
            path = f"/socket.io/?EIO=4&transport=websocket&sid={session(service, origin)}"
            service.websocket(origin, path=path)  # left open, and forgotten


def test_odd_requests_are_answered_or_disconnected(service: Service) -> None:
    odd = (
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        "GET /" + "x" * 9000 + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" + "".join(f"X-{n}: {'x' * 100}\r\n" for n in range(900)) + "\r\n",
        "GET / HTTP/1.1\r\nX: " + "x" * 9000 + "\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "GET / HTTP/1.1\r\nHost x\r\n: \r\n\r\n",
        "CONNECT x:1 HTTP/1.1\r\n\r\n",
        "GET //////////// HTTP/1.1\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        "POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n",
    )
    with service.unharmed():
        for number, request in enumerate(odd):
            ask(service, request, f"127.0.8.{1 + number}")
