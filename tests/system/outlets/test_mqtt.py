"""MQTT, to a real broker: Debian's mosquitto, with TLS and passwords, killed and begun again."""

import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from appliance.core.alerting.channels import BrokerReceiver
from appliance.core.alerting.message import AlertMessage
from appliance.system.outlets.mqtt import MqttOutlet
from appliance.system.outlets.secret_folder import secret_reader
from tests.documents import PROJECT
from tests.ports import reserve_port

PATIENCE_S = 30
HOST = socket.gethostname()
PREFIX = f"appliance/{HOST}"
CONFIG = """
user root
listener {port} 127.0.0.1
{rest}
persistence true
persistence_location {folder}/
"""
# What Home Assistant's documentation of the discovery of MQTT events asks for and allows.
TEXT = {"type": "string", "minLength": 1}
EVENT_ENTITY = {
    "type": "object",
    "required": ["state_topic", "event_types", "device", "unique_id", "origin"],
    "additionalProperties": False,
    "properties": {
        "name": TEXT,
        "unique_id": {**TEXT, "pattern": "^[A-Za-z0-9_-]+$"},
        "state_topic": TEXT,
        "event_types": {"type": "array", "items": TEXT, "minItems": 1, "uniqueItems": True},
        "availability_topic": TEXT,
        "payload_available": TEXT,
        "payload_not_available": TEXT,
        "qos": {"enum": [0, 1, 2]},
        "icon": {**TEXT, "pattern": "^mdi:"},
        "device": {
            "type": "object",
            "required": ["identifiers", "name"],
            "additionalProperties": False,
            "properties": {
                "identifiers": {"type": "array", "items": TEXT, "minItems": 1},
                "name": TEXT,
                "model": TEXT,
                "sw_version": TEXT,
            },
        },
        "origin": {
            "type": "object",
            "required": ["name"],
            "additionalProperties": False,
            "properties": {"name": TEXT, "sw_version": TEXT},
        },
    },
}


class Broker:
    """A mosquitto."""

    def __init__(self, port: int, folder: Path, rest: str) -> None:
        self.port, self._file = port, folder / "mosquitto.conf"
        self._file.write_text(CONFIG.format(port=port, folder=folder, rest=rest))
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        self._process = subprocess.Popen(["/usr/sbin/mosquitto", "-c", str(self._file)])
        while self._process.poll() is None:
            with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.05)
        raise AssertionError("mosquitto has ended")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)


Serve = Callable[[str], Broker]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    begun: list[Broker] = []
    with reserve_port() as reserved:

        def start(rest: str) -> Broker:
            begun.append(Broker(reserved.getsockname()[1], tmp_path, rest))
            begun[-1].begin()
            return begun[-1]

        yield start
        for one in begun:
            one.kill()


class Listener:
    """A client that hears everything."""

    def __init__(self, port: int) -> None:
        self.heard: queue.SimpleQueue[MQTTMessage] = queue.SimpleQueue()
        is_subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _, __, message: self.heard.put(message)
        self._client.on_subscribe = lambda *_: is_subscribed.set()
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert is_subscribed.wait(PATIENCE_S)

    def next(self, topic: str) -> bytes:
        """The next payload of this topic."""
        while True:
            message = self.heard.get(timeout=PATIENCE_S)
            if message.topic == topic:
                return bytes(message.payload)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port)
    yield listener
    listener.close()


def outlet(port: int, folder: Path = Path("/nowhere"), **more: Any) -> MqttOutlet:
    plain: dict[str, Any] = {
        "name": "it",
        "ca": None,
        "server": "localhost",
        "seal": "none",
        "user": None,
        "prefix": "appliance",
        "discovery": "homeassistant",
    }
    receiver = BrokerReceiver(port=port, **plain | more)
    return MqttOutlet(receiver, secret_reader(folder, receiver.secret), "1.0")


def test_home_assistant_finds_the_appliance_and_sees_it_go(serve: Serve, message: AlertMessage) -> None:
    broker = serve("allow_anonymous true")
    one = outlet(broker.port)
    with listening(broker) as listener:
        assert one.open() is None
        assert one.is_open
        assert listener.next(f"{PREFIX}/availability") == b"online"
        found = json.loads(listener.next(f"homeassistant/event/{HOST}/notices/config"))
        jsonschema.validate(found, EVENT_ENTITY)
        assert (found["state_topic"], found["availability_topic"]) == (f"{PREFIX}/notices", f"{PREFIX}/availability")
        assert one.send(message) is None
        event = json.loads(listener.next(f"{PREFIX}/notices"))
        assert event["event_type"] in found["event_types"]
        assert (event["id"], event["title"], event["count"]) == (message.id, message.title, 2)
        one.turn()
        assert one.is_open


def test_the_broker_says_that_an_appliance_that_is_killed_is_gone(serve: Serve) -> None:
    broker = serve("allow_anonymous true")
    program = "from tests.system.outlets.test_mqtt import outlet; one = outlet(int(sys.argv[1])); one.open()"
    words = [sys.executable, "-c", f"import sys; {program}; sys.stdin.read()", str(broker.port)]
    with listening(broker) as listener, subprocess.Popen(words, cwd=PROJECT, stdin=subprocess.PIPE) as appliance:
        assert listener.next(f"{PREFIX}/availability") == b"online"
        appliance.kill()
        assert listener.next(f"{PREFIX}/availability") == b"offline"


def test_a_message_is_acknowledged_once_through_the_broker_s_kill(serve: Serve, message: AlertMessage) -> None:
    broker = serve("allow_anonymous true")
    one = outlet(broker.port, discovery="")
    assert one.send(message) is None
    broker.kill()
    while one.is_open:
        one.turn()
        time.sleep(0.05)
    assert one.send(message) == "Connection refused"
    broker.begin()
    with listening(broker) as listener:
        assert one.send(message) is None
        heard = json.loads(listener.next(f"{PREFIX}/notices"))
        assert heard["id"] == message.id
        assert one.send(message) is None  # another attempt would have the same id
        assert json.loads(listener.next(f"{PREFIX}/notices"))["id"] == message.id


def test_a_message_goes_sealed_and_with_a_password(
    serve: Serve, pem: Path, tmp_path: Path, message: AlertMessage
) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "pi", "geheim"], check=True)
    broker = serve(f"password_file {passwords}\ncertfile {pem}\nkeyfile {pem}\nallow_anonymous false")
    (tmp_path / "mqtt").write_text("geheim")
    sealed: dict[str, Any] = {"seal": "tls", "user": "pi", "secret": "mqtt"}
    assert outlet(broker.port, tmp_path, ca=str(pem), **sealed).send(message) is None
    (tmp_path / "mqtt").write_text("falsch")
    fault = outlet(broker.port, tmp_path, ca=str(pem), **sealed).send(message)
    assert fault == "the broker refuses: Not authorized"
    fault = outlet(broker.port, tmp_path, **sealed).send(message)
    assert fault == "the server's certificate is not good: self-signed certificate"


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x02\x00\x05"])
def test_a_server_that_is_no_broker_is_said(answer: bytes, message: AlertMessage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve_one() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve_one)
        thread.start()
        fault = outlet(server.getsockname()[1]).send(message)
        thread.join(PATIENCE_S)
    assert fault is not None
    assert fault.startswith("the broker ")
