from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path

import pytest

from appliance.core.blocking.block import Block, BlockRequest
from appliance.core.blocking.place import Hit
from appliance.core.detection.incident import Severity
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.incident_record import ADVICE
from appliance.core.detection.rates.outflow import SPANS, Outflow, Sent
from appliance.core.detection.response import Response
from appliance.core.machine import Counters, Frame, Link, Sighting
from appliance.core.metering.department import Department
from appliance.core.metering.quota import Limits
from appliance.core.moment import Moment
from appliance.core.refusal import Code, Refused
from appliance.core.traffic.devices.clue import NameSource
from appliance.core.traffic.devices.device_register import KnownDevice
from appliance.core.traffic.devices.server_sign import ServerSign
from appliance.core.traffic.dns import DnsAnswer
from appliance.core.traffic.naming import NameRules
from appliance.core.traffic.questions import MOST_OPEN, PATIENCE_S
from appliance.events import AnalyticsAnomaly, AnalyticsUpdate, Event, SecurityIncident, Website
from appliance.monitor.traffic.incident_log import IncidentLog
from appliance.monitor.traffic.incident_watch import OPEN_S, IncidentWatch
from appliance.monitor.traffic.insight import Insight
from appliance.system.storage.store import SqliteStore
from tests.core import frames

SALES = Department("sales", "Sales", "eth1", Limits({}))
LAB = Department("lab", "Lab", "eth2", Limits({}))
ADDRESSES = (ip_interface("192.168.1.1/24"),)  # of eth1
CLIENT, OTHER, OUTSIDE = "192.168.1.10", "192.168.1.11", "203.0.113.5"
LAST_TWO_LABELS = NameRules(lambda name: ".".join(name.split(".")[-2:]))
SPOOFER = "02:00:00:00:00:66"


NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(second: float) -> Moment:
    return Moment(NOON + timedelta(seconds=second), 1000.0 + second, is_trusted=True)


class Replay:
    """A capture that replays crafted frames, in the batches of the real one."""

    def __init__(self) -> None:
        self.waiting: deque[Frame] = deque()

    def attach(self, interfaces: Iterable[str]) -> None:
        """Replays whatever it was given."""

    def frames(self) -> Sequence[Frame]:
        return [self.waiting.popleft() for _ in range(min(64, len(self.waiting)))]

    def lost(self) -> int:
        return 0


class Metered:
    """Rates and links as a test sets them."""

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}
        self.links = {"eth1": Link("eth1", 2, "02:00:00:00:00:01", "boot", True, Counters(0, 0), addresses=ADDRESSES)}

        self.heard: list[tuple[str, str, str]] = []
        self.router_macs: tuple[str, ...] = ()

    @property
    def lines(self) -> "Metered":
        return self

    @property
    def devices(self) -> "Metered":
        return self

    def hear(self, department: str, mac: str, address: str, now: Moment) -> None:
        self.heard.append((department, mac, address))

    def routers(self, department: str) -> Sequence[str]:
        return self.router_macs

    def rate_bytes_s(self, department: str) -> float:
        return self.rates.get(department, 0.0)


class Blocking:
    """Remembers answers and requests; `refusal`: why nothing can be blocked."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []
        self.requested: list[BlockRequest] = []
        self.refusal: Code | None = None
        self.refused_names: set[str] = set()

    def refuses(self, department: str, name: str) -> bool:
        return name in self.refused_names

    def hear(self, department: str, answer: DnsAnswer, now: Moment) -> None:
        self.answers.append((department, answer.name))

    def block(self, requests: Sequence[BlockRequest], now: Moment) -> None:
        self.requested += requests
        if self.refusal is not None:
            raise Refused(self.refusal, "not now")


class Neighbours:
    """The kernel's neighbour tables: Sales' client, at the address and with the MAC of the crafted frames."""

    def __init__(self) -> None:
        self.seen = [Sighting("eth1", frames.MAC["client"], 1.0, ip_address(CLIENT))]
        self.readings = 0

    def sightings(self) -> Sequence[Sighting]:
        self.readings += 1
        return self.seen


class NoDevices:
    """Learns of no device, and knows those that a test names."""

    def __init__(self) -> None:
        self.register: dict[str, KnownDevice] = {}  # by address and hardware address

    def known(self, departments: Sequence[str], asked: str) -> KnownDevice | None:
        return self.register.get(asked) if departments == ["sales"] else None

    def vendor(self, mac: str) -> str | None:
        return "Example Corp"

    def hear(self, *_: object) -> None: ...
    def read_packet(self, *_: object) -> Sequence[tuple[str, ServerSign]]:
        return ()

    def read_frame(self, *_: object) -> Sequence[tuple[str, ServerSign]]:
        return ()


class Rig:
    """An `Insight` of two departments with what it publishes; the lab's interface has no addresses."""

    def __init__(self, rules: NameRules = LAST_TWO_LABELS) -> None:
        self.capture, self.metered, self.blocking = Replay(), Metered(), Blocking()
        self.neighbours, self.store = Neighbours(), SqliteStore(Path(":memory:"))
        self.devices = NoDevices()
        self.published: list[Event] = []
        self.usual: dict[str, tuple[float, float]] = {}
        self.sent: dict[str, list[Sent]] = {}
        self.insight = self.built(Response(Severity.MEDIUM, 600), rules)
        self.insight.step(at(0))

    def built(self, response: Response, rules: NameRules = LAST_TWO_LABELS) -> Insight:
        return Insight(
            departments=[SALES, LAB],
            capture=self.capture,
            rules=rules,
            metering=self.metered,
            blocking=self.blocking,
            response=response,
            usual_rates=self,
            devices=self.devices,
            incidents=IncidentWatch(
                incident_log=IncidentLog(self.store),
                neighbours=self.neighbours,
                register=self.devices,
                blocks=self.blocking,
                publish=self.published.append,
            ),
            publish=self.published.append,
        )

    def expected(self, department: str, now: Moment) -> tuple[float, float] | None:
        """The usual rates, as a test sets them."""
        return self.usual.get(department)

    def outflows(self, department: str) -> Sequence[Sent]:
        """What a test has found."""
        return self.sent.pop(department, ())

    def anomalies(self, *_: object) -> Sequence[AnalyticsAnomaly]:
        """None."""
        return []

    def arrive(self, second: float, *arriving: bytes, interface: str = "eth1") -> None:
        self.capture.waiting.extend(Frame(interface, frame) for frame in arriving)
        while self.insight.process_frames(at(second)):
            pass

    def step(self, second: float) -> list[Event]:
        """What one analytics period publishes."""
        self.published.clear()
        self.insight.step(at(second))
        return [*self.published]

    def update(self, second: float, department: str = "sales") -> AnalyticsUpdate:
        return next(
            event
            for event in self.step(second)
            if isinstance(event, AnalyticsUpdate) and event.department_id == department
        )


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_each_department_is_published_every_period(rig: Rig) -> None:
    events = rig.step(5)
    assert [(event.name, event.department_id) for event in events if isinstance(event, AnalyticsUpdate)] == [
        ("analytics:update", "sales"),
        ("analytics:update", "lab"),
    ]
    assert events[0].payload() == {
        "timestamp": "2026-11-23T12:00:05.000Z",
        "departmentId": "sales",
        "metrics": {"activeUsers": 0, "topWebsites": [], "bandwidth": {"current": 0, "trend": "stable"}},
    }


def test_visited_sites_become_those_of_their_department(rig: Rig) -> None:
    rig.arrive(
        1, *frames.visited(CLIENT, "www.example.org"), *frames.visited(CLIENT, "mail.example.org", "203.0.113.81")
    )
    rig.arrive(3, *frames.visited(OTHER, "mail.example.org", source_mac=SPOOFER))
    rig.arrive(3, *frames.visited(OTHER, "other.test", "203.0.113.82", source_mac=SPOOFER))
    rig.arrive(3, *frames.visited("10.0.0.9", "lab.test"), interface="eth2")
    metrics = rig.update(5).metrics
    assert metrics.top_websites == [
        Website(domain="example.org", visits=2, devices=2),
        Website(domain="other.test", visits=1, devices=1),
    ]
    assert metrics.active_users == 2
    assert metrics.unnamed_share == 0
    assert rig.update(6, "lab").metrics.top_websites == [Website(domain="lab.test", visits=1, devices=1)]


def test_a_stranger_is_no_user_and_visits_nothing(rig: Rig) -> None:
    rig.arrive(1, *frames.visited(OUTSIDE, "www.example.org"), frames.syn(OUTSIDE, CLIENT, 22))
    metrics = rig.update(5).metrics
    assert (metrics.active_users, metrics.top_websites) == (0, [])
    assert rig.insight.devices("sales", at(5)) == frozenset()


def test_without_known_networks_every_host_at_the_interface_is_a_user(rig: Rig) -> None:
    rig.arrive(1, frames.syn(OUTSIDE, CLIENT, 22), interface="eth2")
    assert rig.update(5, "lab").metrics.active_users == 1


def test_an_answer_counts_only_once_and_only_if_its_question_was_seen_a_moment_ago(rig: Rig) -> None:
    question, answer = frames.lookup(CLIENT, "www.example.org")
    rig.arrive(1, answer, question)
    assert rig.blocking.answers == []
    rig.arrive(2, answer, answer)
    assert rig.blocking.answers == [("sales", "www.example.org")]
    rig.arrive(3, question)
    rig.arrive(3 + PATIENCE_S + 1, answer)
    assert len(rig.blocking.answers) == 1


def forged(**changes) -> bytes:
    """An answer to the question of `CLIENT` for www.example.org, but for these."""
    asked = {
        "client": CLIENT,
        "resolver": "192.0.2.53",
        "name": "www.example.org",
        "port": 50000,
        "kind": "A",
    } | changes
    message = bytearray(frames.dns_answer(asked["name"], asked["kind"], f"{asked['name']}. A 203.0.113.9"))
    message[:2] = changes.get("identity", b"\x12\x34")
    return frames.udp(asked["resolver"], 53, asked["client"], asked["port"], bytes(message))


@pytest.mark.parametrize(
    "changes",
    [
        {"client": OTHER},
        {"resolver": OUTSIDE},
        {"name": "example.org"},
        {"name": "www.example.org.evil.test"},
        {"port": 50001},
        {"kind": "AAAA"},
        {"identity": b"\x12\x35"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_answer_that_repeats_all_but_one_of_a_question_is_not_believed(rig: Rig, changes: dict[str, str]) -> None:
    asked = frames.udp(CLIENT, 50000, "192.0.2.53", 53, frames.question_of(forged()[42:]))
    rig.arrive(1, asked, forged(**changes))
    assert rig.blocking.answers == []
    rig.arrive(1, forged())
    assert rig.blocking.answers == [("sales", "www.example.org")]


def test_a_question_that_is_refused_teaches_nothing_whatever_answers_it(rig: Rig) -> None:
    rig.blocking.refused_names = {"www.example.org"}
    rig.arrive(1, *frames.lookup(CLIENT, "www.example.org", "A", "www.example.org. A 203.0.113.9"))
    assert rig.blocking.answers == []


def test_a_flood_of_questions_is_bounded_and_the_latest_are_known(rig: Rig) -> None:
    last = frames.lookup(CLIENT, "last.example.org")
    first = frames.lookup(CLIENT, "first.example.org")
    rig.arrive(1, first[0])
    query = bytearray(frames.question_of(forged()[42:]))
    for number in range(MOST_OPEN):
        query[:2] = number.to_bytes(2, "big")
        rig.arrive(1, frames.udp(CLIENT, 50000, "192.0.2.53", 53, bytes(query)))
    rig.arrive(1, *last, first[1])
    assert rig.blocking.answers == [("sales", "last.example.org")]


def test_devices_are_known_by_their_mac_for_five_minutes(rig: Rig) -> None:
    phone, laptop = "02:00:00:00:00:0a", "02:00:00:00:00:0b"
    rig.arrive(1, frames.syn(CLIENT, OUTSIDE, 443, source_mac=phone))
    rig.arrive(200, frames.syn("192.168.1.12", OUTSIDE, 443, source_mac=laptop))
    assert rig.insight.devices("sales", at(300)) == {phone, laptop}
    assert rig.insight.devices("sales", at(302)) == {laptop}
    assert rig.insight.devices("lab", at(300)) == frozenset()


def test_a_device_that_only_receives_an_answer_is_known_by_its_destination_mac(rig: Rig) -> None:
    rig.arrive(1, *frames.lookup(CLIENT, "www.example.org"))
    assert rig.insight.devices("sales", at(2)) == {frames.MAC["client"]}


def test_a_port_scan_is_published_when_it_opens_and_when_it_closes(rig: Rig) -> None:
    for port in range(1, 21):
        rig.arrive(1, frames.syn(CLIENT, OTHER, port), frames.rst(CLIENT, OTHER, port))
    incidents = [event for event in rig.step(2) if isinstance(event, SecurityIncident)]
    [record] = rig.insight.incidents.log.records({"sales"})
    assert [event.payload() for event in incidents] == [
        {
            "timestamp": "2026-11-23T12:00:02.000Z",
            "departmentId": "sales",
            "severity": "medium",
            "incident": {
                "type": "port_scan",
                "source": CLIENT,
                "details": (
                    f"{CLIENT} failed to connect to 20 different ports of {OTHER} within 1 s, among them 1, 2, 3, 4, 5"
                ),
                "state": "open",
                "proven": True,
                "openedAt": "2026-11-23T12:00:02.000Z",
                "times": 1,
                "count": 20,
                "incidentId": record.id,
                "expected": "fewer than 10 in 10 s, or as many that succeed",
                "peers": [OTHER],
                "ports": ["1", "2", "3", "4", "5"],
                "devices": [frames.MAC["client"]],
                "inside": True,
                "advice": ADVICE[IncidentKind.PORT_SCAN],
                "values": {
                    "form": "ports",
                    "count": 20,
                    "where": OTHER,
                    "seconds": 1,
                    "examples": "1, 2, 3, 4, 5",
                    "least": 10,
                    "within": 10,
                },
            },
        }
    ]
    assert rig.insight.open_incidents("sales", at(0)) == 1
    assert rig.insight.open_incidents("lab", at(0)) == 0
    closed = [event for event in rig.step(200) if isinstance(event, SecurityIncident)]
    assert [event.incident.state for event in closed] == ["closed"]
    assert rig.insight.open_incidents("sales", at(0)) == 0


@pytest.mark.parametrize(
    ("origin", "target", "department", "is_told"),
    [
        ("list:bad", OUTSIDE, None, True),
        ("list:bad", "203.0.113.0/24", "sales", True),
        ("list:bad", "203.0.113.0/24", "lab", False),
        ("list:bad", "198.51.100.0/24", None, False),  # it was a stranger who tried
        ("list:bad", "ads.example", None, False),
        ("manual", OUTSIDE, None, False),
    ],
)
def test_who_connects_to_a_listed_address_and_is_refused_is_an_incident(
    rig: Rig, origin: str, target: str, department: str | None, *, is_told: bool
) -> None:
    rig.arrive(1, frames.syn(CLIENT, OUTSIDE, 443), frames.rst(CLIENT, OUTSIDE, 443))
    rig.step(2)
    block = Block(target, "listed", "list", origin, NOON, department)
    rig.insight.report_stopped([(block, Hit(1, CLIENT, 7)), (block, Hit(1, "10.0.0.9", 7))], at(3))
    incidents = [event.incident for event in rig.step(4) if isinstance(event, SecurityIncident)]
    assert [(one.type, one.source, one.peers, one.count) for one in incidents] == (
        [("listed_contact", CLIENT, [OUTSIDE], 7)] if is_told else []
    )


def test_an_incident_names_the_devices_of_its_source_its_victim_and_its_sender(rig: Rig) -> None:
    laptop = KnownDevice(frames.MAC["client"], 0, 0, names={NameSource.DHCP: "annas-laptop"})
    rig.devices.register = {
        CLIENT: laptop,
        frames.MAC["client"]: laptop,
        OTHER: KnownDevice(SPOOFER, 0, 0, label="Printer, 2nd floor"),
    }
    for port in range(1, 21):
        rig.arrive(1, frames.syn(CLIENT, OTHER, port), frames.rst(CLIENT, OTHER, port))
    told = incident(rig.step(2))
    known = [
        {"mac": frames.MAC["client"], "address": CLIENT, "name": "annas-laptop", "vendor": "Example Corp"},
        {"mac": SPOOFER, "address": OTHER, "name": "Printer, 2nd floor", "vendor": "Example Corp"},
    ]
    assert told["knownDevices"] == known
    rig.devices.register = {}  # what was known then stays in the evidence
    [record] = IncidentLog(rig.store).records({"sales"})
    assert [(one.mac, one.address, one.name) for one in record.known_devices] == [
        (one["mac"], one["address"], one["name"]) for one in known
    ]


def test_a_scanner_is_blocked_once_and_again_only_after_a_refusal_in_maintenance(rig: Rig) -> None:
    rig.blocking.refusal = Code.MAINTENANCE
    for port in range(1, 21):
        rig.arrive(1, frames.syn(CLIENT, OTHER, port), frames.rst(CLIENT, OTHER, port))
    rig.step(2)
    rig.blocking.refusal = None
    for second in (3, 4):
        rig.step(second)
    assert [(one.target, one.department, one.origin, one.duration_s) for one in rig.blocking.requested] == [
        (CLIENT, "sales", "detection", 600)
    ] * 2
    assert "20 different ports" in rig.blocking.requested[0].reason


def test_the_trend_and_what_is_usual_are_told(rig: Rig) -> None:
    for second in range(1, 36):
        rig.metered.rates = {"sales": 20e6 if second > 30 else 200e3}
        rig.step(second)
    rig.usual["sales"] = (90_000.4, 800_000.0)
    bandwidth = rig.update(36).metrics.bandwidth
    assert (bandwidth.current, bandwidth.trend) == (20_000_000, "increasing")
    assert rig.update(37).payload()["metrics"]["expected"] == {"low": 90_000, "high": 800_000}
    assert "expected" not in rig.update(38, "lab").payload()["metrics"]


def test_frames_are_processed_in_the_captures_batches(rig: Rig) -> None:
    rig.capture.waiting.extend(Frame("eth1", frames.syn(CLIENT, OUTSIDE, 443)) for _ in range(100))
    assert [rig.insight.process_frames(at(1)) for _ in range(3)] == [64, 36, 0]


def test_garbage_and_frames_of_other_interfaces_are_ignored(rig: Rig) -> None:
    rig.arrive(1, b"", b"\xff" * 60, frames.syn(CLIENT, OUTSIDE, 443)[:30])
    rig.arrive(1, frames.syn(CLIENT, OUTSIDE, 443), interface="eth9")
    assert rig.update(2).metrics.active_users == 0


def test_a_packet_at_a_shared_interface_counts_for_the_department_of_its_ends() -> None:
    capture, published, blocking = Replay(), list[Event](), Blocking()
    upstairs = Department("up", "Upstairs", "eth1", Limits({}), subnets=(ip_network("10.0.0.0/25"),))
    downstairs = Department("down", "Downstairs", "eth1", Limits({}), subnets=(ip_network("10.0.0.128/25"),))
    insight = Insight(
        departments=[upstairs, downstairs],
        capture=capture,
        rules=NameRules(lambda name: name),
        metering=Metered(),
        blocking=blocking,
        response=None,
        usual_rates=Rig(),
        devices=NoDevices(),
        incidents=IncidentWatch(
            incident_log=IncidentLog(SqliteStore(Path(":memory:"))),
            neighbours=Neighbours(),
            register=NoDevices(),
            blocks=blocking,
            publish=published.append,
        ),
        publish=published.append,
    )
    visits = (*frames.visited("10.0.0.5", "up.test"), *frames.visited("10.0.0.200", "down.test", "203.0.113.81"))
    capture.waiting.extend(Frame("eth1", frame) for frame in visits)
    insight.process_frames(at(1))
    insight.step(at(3))
    seen = {one.department_id: one.metrics.top_websites for one in published if isinstance(one, AnalyticsUpdate)}
    assert seen == {
        "up": [Website(domain="up.test", visits=1, devices=1)],
        "down": [Website(domain="down.test", visits=1, devices=1)],
    }
    assert blocking.answers == [("up", "up.test"), ("down", "down.test")]


def attempts(source: str, ports: Iterable[int], **macs: str) -> list[bytes]:
    return [
        frame for port in ports for frame in (frames.syn(source, OTHER, port, **macs), frames.rst(source, OTHER, port))
    ]


def completed(source: str, port: int, server: str = OTHER, **macs: str) -> list[bytes]:
    """A connection from its SYN to its end."""
    end = frames.tcp(source, 40000, server, port, frames.FIN_ACK, numbers=(2, 2), **macs)
    return [frames.syn(source, server, port, **macs), frames.syn_ack(source, server, port), end]


def incident(events: Iterable[Event]) -> dict[str, object]:
    [found] = [event.payload()["incident"] for event in events if isinstance(event, SecurityIncident)]
    return found


def test_a_scan_in_the_name_of_an_outsider_is_told_and_blocks_nobody(rig: Rig) -> None:
    rig.arrive(1, *attempts(OUTSIDE, range(1, 21)))
    told = incident(rig.step(2))
    assert (told["source"], told["proven"]) == (OUTSIDE, False)
    assert "anyone may have sent this" in str(told["notBlocked"])
    assert rig.blocking.requested == []


def test_an_outsider_who_completes_a_connection_with_the_scanned_host_is_blocked(rig: Rig) -> None:
    rig.arrive(1, *attempts(OUTSIDE, range(1, 21)), *completed(OUTSIDE, 22))
    told = incident(rig.step(2))
    assert told["proven"] is True
    assert "notBlocked" not in told
    assert [one.target for one in rig.blocking.requested] == [OUTSIDE]


def test_an_outsider_whose_connections_are_elsewhere_is_not_blocked_for_a_scan_in_its_name(rig: Rig) -> None:
    rig.arrive(1, *attempts(OUTSIDE, range(1, 21)), *completed(OUTSIDE, 443, server=CLIENT))
    assert incident(rig.step(2))["proven"] is False
    assert rig.blocking.requested == []


def test_a_proof_that_comes_later_blocks_then(rig: Rig) -> None:
    rig.arrive(1, *attempts(OUTSIDE, range(1, 21)))
    rig.step(2)
    rig.arrive(3, *completed(OUTSIDE, 22))
    rig.step(4)
    assert [one.target for one in rig.blocking.requested] == [OUTSIDE]


def test_a_neighbour_s_address_with_another_s_hardware_address_blocks_nobody(rig: Rig) -> None:
    rig.arrive(1, *attempts(CLIENT, range(1, 21), source_mac=SPOOFER))
    assert incident(rig.step(2))["proven"] is False
    assert rig.blocking.requested == []


def test_forged_failures_do_not_make_a_neighbour_s_own_few_a_scan(rig: Rig) -> None:
    rig.arrive(1, *attempts(CLIENT, range(1, 6)), *attempts(CLIENT, range(100, 300), source_mac=SPOOFER))
    told = incident(rig.step(2))
    assert (told["proven"], rig.blocking.requested) == (False, [])


def test_forged_failures_do_not_hide_a_neighbour_s_own_scan(rig: Rig) -> None:
    forged = (f"02:00:00:00:02:{number:02x}" for number in range(250))
    rig.arrive(1, *attempts(CLIENT, range(1, 21)))
    for port, mac in enumerate(forged, 1000):
        rig.arrive(1, *attempts(CLIENT, [port], source_mac=mac))
    assert incident(rig.step(2))["proven"] is True
    assert [one.target for one in rig.blocking.requested] == [CLIENT]


def test_a_grave_incident_of_which_only_a_little_is_proven_blocks_nobody(rig: Rig) -> None:
    rig.insight = rig.built(Response(Severity.HIGH, 600))
    rig.arrive(1, *attempts(CLIENT, range(1, 21)), *attempts(CLIENT, range(100, 300), source_mac=SPOOFER))
    told = incident(rig.step(2))
    assert told["proven"] is True
    assert "anyone may have sent this" in str(told["notBlocked"])
    assert rig.blocking.requested == []


def test_news_is_told_by_a_new_reading_of_the_neighbour_tables(rig: Rig) -> None:
    second_client = "192.168.1.12"
    known, rig.neighbours.seen = rig.neighbours.seen, []
    rig.arrive(1, *attempts(CLIENT, range(1, 21)))
    assert incident(rig.step(2))["proven"] is False
    rig.neighbours.seen = [*known, Sighting("eth1", frames.MAC["client"], 1.0, ip_address(second_client))]
    rig.arrive(3, *attempts(second_client, range(1, 21)))
    assert incident(rig.step(3))["proven"] is True
    assert {one.target for one in rig.blocking.requested} == {CLIENT, second_client}


def test_while_nothing_is_new_the_neighbour_tables_are_read_now_and_then(rig: Rig) -> None:
    rig.neighbours.seen = []
    rig.arrive(1, *attempts(CLIENT, range(1, 21)))
    for second in range(2, 32):
        rig.arrive(second, *attempts(CLIENT, range(1, 3)))
        rig.step(second)
    assert rig.neighbours.readings <= 1 + 30 / OPEN_S


def test_where_the_kernel_keeps_no_neighbours_the_answers_tell_whose_address_it_is(rig: Rig) -> None:
    rig.neighbours.seen = []
    for port in range(1, 21):
        answer = frames.rst(
            CLIENT, OUTSIDE, port, source_mac=frames.MAC["server"], destination_mac=frames.MAC["client"]
        )
        rig.arrive(1, frames.syn(CLIENT, OUTSIDE, port), answer)
    assert incident(rig.step(2))["proven"] is True
    assert [one.target for one in rig.blocking.requested] == [CLIENT]


def test_answers_that_go_to_the_true_neighbour_do_not_prove_the_forger(rig: Rig) -> None:
    rig.neighbours.seen = []
    for port in range(1, 21):
        answer = frames.rst(
            CLIENT, OUTSIDE, port, source_mac=frames.MAC["server"], destination_mac=frames.MAC["client"]
        )
        rig.arrive(1, frames.syn(CLIENT, OUTSIDE, port, source_mac=SPOOFER), answer)
    assert incident(rig.step(2))["proven"] is False
    assert rig.blocking.requested == []


def test_the_router_s_hardware_address_proves_no_outsider(rig: Rig) -> None:
    for port in range(1, 21):
        router = frames.MAC["server"]
        answer = frames.rst(OUTSIDE, CLIENT, port, source_mac=frames.MAC["client"], destination_mac=router)
        rig.arrive(1, frames.syn(OUTSIDE, CLIENT, port, source_mac=router), answer)
    assert incident(rig.step(2))["proven"] is False
    assert rig.blocking.requested == []


def test_a_device_that_claims_the_appliances_address_spoofs_and_nobody_is_blocked_for_it(rig: Rig) -> None:
    claim = bytes.fromhex("0001080006040002") + bytes.fromhex(SPOOFER.replace(":", "")) + bytes([192, 168, 1, 1])
    frame = bytes.fromhex("ffffffffffff") + claim[8:14] + b"\x08\x06" + claim + bytes(10)
    for second in (1, 3, 5):
        rig.arrive(second, frame)
    told = incident(rig.step(6))
    assert (told["type"], told["source"], told["proven"]) == ("arp_spoofing", "192.168.1.1", False)
    assert str(told["details"]).startswith(f"{SPOOFER} claims 192.168.1.1, the appliance's own address, 3 times")
    assert rig.blocking.requested == []


def test_a_device_that_sends_far_too_much_is_an_incident_with_those_it_spoke_with(rig: Rig) -> None:
    rig.arrive(1, *completed(CLIENT, 443, server=OUTSIDE), *completed(CLIENT, 445, server=OTHER))
    found = Outflow(frames.MAC["client"], SPANS[0], 3 << 30, 120 << 20, 400 << 20, 24)
    rig.sent["sales"] = [Sent(found, frames.MAC["client"], (CLIENT,))]
    told = incident(rig.step(2))
    assert (told["type"], told["source"], told["count"], told["peers"]) == (
        "outbound_volume",
        CLIENT,
        3 << 30,
        [OUTSIDE],
    )
    assert (
        told["details"] == f"{CLIENT} sent 3.0 GiB out of the department within an hour, while it spoke with {OUTSIDE}"
    )
    assert told["expected"] == (
        "at most 120.0 MiB in an hour, as in the last four weeks; nearly all of 24 other devices send at most 400.0 MiB"
    )
    assert told["proven"] is True
    assert rig.blocking.requested == []  # unless block_kinds has it


EVERY_S = 2 * 86400  # what comes back within a day is the same incident, and is not told each time


def look_for_hosts(
    rig: Rig, second: float, *, port: int = 9102, count: int = 30, mac: str = frames.MAC["client"]
) -> list[str]:
    """The incidents that are told of Sales' client, which looks for hosts that are not there."""
    for host in range(100, 100 + count):
        rig.arrive(second, frames.tcp(CLIENT, 40_000, f"192.168.1.{host}", port, frames.SYN, source_mac=mac))
    told = [one.incident for one in rig.step(second + 4) if isinstance(one, SecurityIncident)]
    rig.step(second + EVERY_S / 2)  # it is closed by then
    return [str(one.expected) for one in told if one.state == "open"]


def test_what_a_server_does_each_day_is_told_three_times_and_then_listed_as_usual(rig: Rig) -> None:
    rig.insight.step(at(0))
    first, *others = [look_for_hosts(rig, day * EVERY_S) for day in range(1, 7)]
    rule = "fewer than 25 in 5 minutes, or as many that succeed"
    assert first == [rule]
    assert others[:2] == [
        [f"{rule}; on 1 earlier day it did the same"],
        [f"{rule}; on 2 earlier days it did the same"],
    ]
    assert others[2:] == [[], [], []]
    log = rig.insight.incidents.log
    [usual] = log.mutes(["sales"], at(7 * EVERY_S))
    assert (usual.by, usual.kind, usual.source) == ("the appliance", "host_sweep", CLIENT)
    assert usual.reason is not None
    assert "9102 in 192.168.1.0/24" in usual.reason
    assert log.mutes(["lab"], at(7 * EVERY_S)) == []


def test_what_is_new_of_a_server_is_told_also_after_a_restart(rig: Rig) -> None:
    for day in range(1, 5):
        look_for_hosts(rig, day * EVERY_S)
    rig.insight = rig.built(Response(Severity.MEDIUM, 600))
    rig.insight.step(at(5 * EVERY_S))
    assert look_for_hosts(rig, 5 * EVERY_S) == []
    assert look_for_hosts(rig, 6 * EVERY_S, port=445) != []
    assert look_for_hosts(rig, 7 * EVERY_S, count=60) != []
    assert look_for_hosts(rig, 8 * EVERY_S, count=120) != []
    assert look_for_hosts(rig, 9 * EVERY_S, mac=SPOOFER) != []  # another in its name
    assert look_for_hosts(rig, 10 * EVERY_S) == []


def test_whoever_unmutes_what_is_usual_is_told_again(rig: Rig) -> None:
    for day in range(1, 5):
        look_for_hosts(rig, day * EVERY_S)
    log = rig.insight.incidents.log
    [usual] = log.mutes(["sales"], at(5 * EVERY_S))
    assert log.find_mute(usual.id, at(5 * EVERY_S)) == usual
    assert {one.source for one in log.covered(usual)} == {CLIENT}
    log.unmute(usual)
    assert log.mutes(["sales"], at(5 * EVERY_S)) == []
    assert look_for_hosts(rig, 5 * EVERY_S) != []
    rig.insight = rig.built(Response(Severity.MEDIUM, 600))
    rig.insight.step(at(6 * EVERY_S))
    assert look_for_hosts(rig, 6 * EVERY_S) != []


def test_a_stranger_outside_has_no_habits(rig: Rig) -> None:
    for day in range(1, 7):
        rig.arrive(day * EVERY_S, *attempts(OUTSIDE, range(1, 21)))
        assert incident(rig.step(day * EVERY_S + 4))["source"] == OUTSIDE
        rig.step(day * EVERY_S + EVERY_S / 2)
