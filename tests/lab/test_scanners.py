"""The real nmap, arpspoof and floods against a department and a server beyond the appliance, and an hour without."""

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from operator import itemgetter
from random import Random

import pytest

from appliance.core.detection.abuse.arp import claim_in, question_in
from appliance.core.detection.incident import Incident, IncidentChange, IncidentUpdate
from appliance.core.detection.incident_kind import IncidentKind
from appliance.core.detection.open_incidents import Incidents
from appliance.core.traffic.packet import decode
from appliance.system.network.capture import PacketCapture
from tests.bench.hostile import Timed
from tests.bench.ordinary import ORDINARY
from tests.core import frames
from tests.lab.host import Program
from tests.lab.network import DEPARTMENT_V4, WEB_V4, WEB_V6, Network, network

HOUR_S, SPEED = 3600.0, 50
JUDGED_S = 1.0  # as often as the service does
ASKED_AGAIN_S = 5.0  # devices for their neighbours, as those do that have been away
TOLD_S = 120.0  # far beyond what is waited for
AT_ONCE = 10  # packets of a flood, between two looks: some hundreds a second
ENDED_S = 6.0  # after the scan: what is not answered by then has failed, and is told
QUICK = ("-n", "-Pn", "--max-retries", "1", "--host-timeout", "60s")
PORTS = ("-p", "1-120")
WAYS = {
    "SYN": ("-sS", *PORTS, WEB_V4[0]),
    "connect": ("-sT", *PORTS, WEB_V4[0]),
    "FIN": ("-sF", *PORTS, WEB_V4[0]),
    "NULL": ("-sN", *PORTS, WEB_V4[0]),
    "Xmas": ("-sX", *PORTS, WEB_V4[0]),
    "ACK": ("-sA", *PORTS, WEB_V4[0]),
    "window": ("-sW", *PORTS, WEB_V4[0]),
    "Maimon": ("-sM", *PORTS, WEB_V4[0]),
    "UDP": ("-sU", "-p", "1-40", WEB_V4[0]),
    "fragments": ("-sS", "-f", *PORTS, WEB_V4[0]),
    "from port 53": ("-sS", "-g", "53", *PORTS, WEB_V4[0]),
    "polite": ("-sS", "--scan-delay", "300ms", "-p", "1-30", WEB_V4[0]),
    "decoys": ("-sS", "-D", f"{DEPARTMENT_V4}21,{DEPARTMENT_V4}22,ME", *PORTS, WEB_V4[0]),
    "IPv6": ("-6", "-sS", *PORTS, WEB_V6[0]),
    "hosts": ("-sn", f"{DEPARTMENT_V4}0/26"),
}


class Watch:
    """The incidents at the department's interface, judged as often as the service does. `read`: frames until now."""

    def __init__(self, lab: Network) -> None:
        self.news: list[IncidentUpdate] = []
        self.read = 0
        self._lab, self._incidents, self._judged_s = lab, Incidents(), 0.0
        self._own = {lab.appliance.ipv4: {lab.appliance.mac("eth1")}} if lab.position == "gateway" else {}
        with lab.appliance.entered():
            self._capture = PacketCapture(promiscuous=lab.position != "gateway")
            self._capture.attach({"eth1"})

    def look(self) -> None:
        """Read what has come, and judge it if it is time."""
        now_s = time.monotonic()
        for frame in self._capture.frames():
            self.read += 1
            packet = decode(frame.data)
            if packet is not None:
                self._incidents.follow(packet, now_s)
            elif (claim := claim_in(frame.data)) is not None:
                self._incidents.follow_claim(claim, self._own.get(claim.address, ()), now_s)
                if (question := question_in(frame.data)) is not None:
                    self._incidents.follow_question(question, now_s)
        if now_s - self._judged_s >= JUDGED_S:
            self.news += self._incidents.judge(now_s)
            self._judged_s = now_s
        time.sleep(0.01)

    def look_until_all_ended(self, programs: Sequence[Program]) -> None:
        """Go on until these programs have ended, and all their attempts have failed."""
        ended_s: float | None = None
        while ended_s is None or time.monotonic() < ended_s + ENDED_S:
            self.look()
            if ended_s is None and all(one.process.poll() is not None for one in programs):
                ended_s = time.monotonic()

    def opened(self) -> list[Incident]:
        """The incidents that have begun."""
        return [one.incident for one in self.news if one.change is IncidentChange.OPENED]

    def close(self) -> None:
        """End the capture."""
        self._capture.close()


@contextmanager
def watched(position: str) -> Iterator[tuple[Network, Watch]]:
    """A network, and what is told of it."""
    with network(position) as lab, closing(Watch(lab)) as watch:
        lab.start_web()
        yield lab, watch


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_scan_of_nmap_is_told(way: str) -> None:
    with watched("gateway") as (lab, watch):
        command = ["nmap", *(QUICK if way != "hosts" else QUICK[:1]), *WAYS[way]]
        watch.look_until_all_ended([lab.hosts[0].spawn(command)])
        kind = "host_sweep" if way == "hosts" else "port_scan"
        sources = {lab.hosts[0].ipv4, lab.hosts[0].ipv6}
        opened = watch.opened()
        assert [one for one in opened if one.kind == kind and one.source in sources], opened


@pytest.mark.slow
@pytest.mark.parametrize("position", ["gateway", "bridge"])
@pytest.mark.parametrize("way", ["to all", "between two"])
def test_arpspoof_is_told_with_the_device_that_does_it(position: str, way: str) -> None:
    with watched(position) as (lab, watch):
        victim, neighbour, thief = lab.hosts
        router = lab.appliance if position == "gateway" else lab.uplink
        assert victim.ping(WEB_V4[0])
        target = ["-t", victim.ipv4, "-r"] if way == "between two" else []
        thief.spawn(["arpspoof", "-i", "eth0", *target, router.ipv4])
        asked_s = began_s = time.monotonic()
        while not spoofings(watch) and time.monotonic() < began_s + TOLD_S:
            watch.look()
            if time.monotonic() >= asked_s + ASKED_AGAIN_S:
                asked_s = time.monotonic()
                for host in (victim, neighbour, router):
                    host.run(["ip", "neigh", "flush", "all"])
                for host in (victim, neighbour):
                    host.ping(WEB_V4[0], wait_s=0.2)
        [found, *_] = spoofings(watch)
        assert found.peers[0] == thief.mac()
        assert f"look for {thief.mac()} in the switch's table of addresses" in found.details


def spoofings(watch: Watch) -> list[Incident]:
    return [one for one in watch.opened() if one.kind == "arp_spoofing"]


@pytest.mark.slow
@pytest.mark.parametrize("position", ["gateway", "bridge"])
@pytest.mark.parametrize("senders", ["one", "forged"])
@pytest.mark.parametrize("kind", [IncidentKind.SYN_FLOOD, IncidentKind.UDP_FLOOD])
def test_a_flood_is_told_with_the_device_that_sends_it(kind: IncidentKind, senders: str, position: str) -> None:
    with watched(position) as (lab, watch):
        host, target, chance = lab.hosts[0], WEB_V4[0], Random(position)
        next_hop = lab.appliance.mac("eth1") if position == "gateway" else lab.uplink.mac()
        macs = b"".join(bytes.fromhex(one.replace(":", "")) for one in (next_hop, host.mac()))
        with host.entered():
            out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            out.bind(("eth0", 0))
        ends_s, told = time.monotonic() + TOLD_S, []
        while not told and time.monotonic() < ends_s:
            for _ in range(AT_ONCE):
                source = host.ipv4 if senders == "one" else f"10.{chance.randrange(99)}.{chance.randrange(256)}.9"
                port = chance.randrange(1024, 65_000)
                if kind is IncidentKind.SYN_FLOOD:
                    frame = frames.tcp(source, port, target, 80, frames.SYN, numbers=(1000, 0))
                else:
                    frame = frames.udp(source, port, target, chance.randrange(1, 99), b"x" * 400)
                out.send(macs + frame[len(macs) :])
            watch.look()
            told = [one for one in watch.opened() if one.kind is kind]
        out.close()
        [found] = told
        assert found.source == (host.ipv4 if senders == "one" else target)
        assert f"they came by {host.mac()}" in found.details


def an_hour_at_fifty_times_its_speed() -> list[Timed]:
    """What servers and administrators do in an hour, all of it side by side.

    Not the station that logs in at each host every five minutes: at this speed it does so every six seconds.
    """
    names = [name for name in ORDINARY if not name.startswith("monitoring")]
    hour = (one for name in names for one in ORDINARY[name](Random(name)) if one[0] < HOUR_S)
    return sorted(((at_s / SPEED, frame) for at_s, frame in hour), key=itemgetter(0))


@pytest.mark.slow
def test_an_hour_of_ordinary_traffic_at_fifty_times_its_speed_is_no_incident() -> None:
    with watched("mirror") as (lab, watch):
        with lab.switch.entered():
            out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            out.bind(("appliance", 0))
        began_s, sent = time.monotonic(), an_hour_at_fifty_times_its_speed()
        for at_s, frame in sent:
            while time.monotonic() < began_s + at_s:
                watch.look()
            out.send(frame)
        watch.look_until_all_ended([])
        out.close()
        assert watch.read > len(sent) / 20  # the kernel passes what matters
        assert watch.news == []
