"""Messages to a broker, by paho-mqtt: with acknowledgement, over a connection that stays, whose end is seen.

Connecting and delivering wait for the network, beside the event loop. In between, `turn` in the event loop answers the
broker without waiting. A broker that dies before it acknowledges gets the message again, with the same `id`.
"""

import socket
from threading import Lock
from time import monotonic

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from appliance.core.alerting.channels import BrokerReceiver, ReadSecret, Seal, SecretMissing
from appliance.core.alerting.home_assistant import (
    OFFLINE,
    ONLINE,
    Topics,
    discovery_payload,
    discovery_topic,
    message_payload,
)
from appliance.core.alerting.message import AlertMessage
from appliance.system.outlets.connection import WAIT_S, WHOLE_S, context_of, fault_text

KEEPALIVE_S = 60  # after one and a half of it, the broker says that the appliance is gone
TURN_S = 0.2  # of a wait for the broker's answers
AT_LEAST_ONCE = 1  # MQTT's quality of service


class NotTaken(Exception):
    """The broker has not taken something; the text says why."""


class MqttOutlet:
    """`ports.Outlet` and `ports.KeptConnection` by MQTT 3.1.1."""

    def __init__(self, receiver: BrokerReceiver, secret: ReadSecret, version: str) -> None:
        """`version`: of the appliance, as Home Assistant shows it."""
        self._receiver, self._secret, self._version = receiver, secret, version
        self._topics = Topics(receiver.prefix, socket.gethostname())
        self._lock = Lock()  # a person may try the channel while it delivers
        self._client: Client | None = None

    @property
    def is_open(self) -> bool:
        """Whether the broker knows the appliance as there."""
        return self._client is not None

    def open(self) -> str | None:
        """Connect, and say that the appliance is there; returns `None`, or why that failed."""
        with self._lock:
            return self._carried_out(None)

    def send(self, message: AlertMessage) -> str | None:
        """Deliver a message; returns `None`, or why the broker has not acknowledged it."""
        with self._lock:
            return self._carried_out(message)

    def turn(self) -> None:
        """Answer the broker, without waiting; nothing while something is delivered."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._client is not None and self._client.loop(0.0) != MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._client = None
        finally:
            self._lock.release()

    def _carried_out(self, message: AlertMessage | None) -> str | None:
        deadline_s = monotonic() + WHOLE_S
        try:
            client = self._client or self._connected(deadline_s)
            self._client = client
            if message is not None:
                self._publish(client, self._topics.notices, message_payload(message), deadline_s)
        except (NotTaken, SecretMissing) as error:
            self._client = None
            return str(error)
        except (OSError, ValueError, RuntimeError) as error:  # the last: what was not published
            self._client = None
            return fault_text(error) if isinstance(error, OSError) else f"no answer in MQTT: {error}"
        return None

    def _connected(self, deadline_s: float) -> Client:
        receiver, answers = self._receiver, list[ReasonCode]()
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=f"appliance-{self._topics.node}", reconnect_on_failure=False
        )
        client.connect_timeout = WAIT_S
        client.on_connect = lambda _, __, ___, reason, ____: answers.append(reason)
        client.will_set(self._topics.availability, OFFLINE, AT_LEAST_ONCE, retain=True)
        if receiver.user:
            client.username_pw_set(receiver.user, self._secret())
        if receiver.seal == Seal.TLS:
            client.tls_set_context(context_of(receiver.ca))
        client.connect(receiver.server, receiver.port, KEEPALIVE_S)
        while not answers:
            if not _turned(client, deadline_s) and not answers:
                raise NotTaken("the broker ended the connection without an answer; does the port speak MQTT?")
        if answers[0].is_failure:
            raise NotTaken(f"the broker refuses: {answers[0]}")
        self._publish(client, self._topics.availability, ONLINE, deadline_s, retain=True)
        if receiver.discovery:
            topic = discovery_topic(self._topics, receiver.discovery)
            self._publish(client, topic, discovery_payload(self._topics, self._version), deadline_s, retain=True)
        return client

    def _publish(self, client: Client, topic: str, payload: bytes, deadline_s: float, *, retain: bool = False) -> None:
        published = client.publish(topic, payload, AT_LEAST_ONCE, retain)
        while not published.is_published():
            if not _turned(client, deadline_s):
                raise NotTaken("the broker ended the connection")


def _turned(client: Client, deadline_s: float) -> bool:
    """Wait for the broker's next answer; returns whether the connection is still there. Raises `NotTaken`."""
    if monotonic() > deadline_s:
        raise NotTaken("the broker does not answer")
    return client.loop(TURN_S) == MQTTErrorCode.MQTT_ERR_SUCCESS
