"""The real nmap, against a server behind the appliance and against the department's own network."""

import time
from collections.abc import Iterator

import pytest

from appliance.core.detection.arp import claim_in, question_in
from appliance.core.detection.incident import IncidentChange, Incidents, IncidentUpdate
from appliance.core.traffic.packet import decode
from appliance.system.network.capture import PacketCapture
from tests.lab.network import DEPARTMENT_V4, WEB_V4, WEB_V6, Network, network

JUDGED_S = 1.0  # as often as the service does
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


@pytest.fixture
def lab() -> Iterator[Network]:
    with network("gateway") as made:
        made.start_web()
        yield made


def told_while(lab: Network, command: list[str]) -> list[IncidentUpdate]:
    """What is told while the first host runs this, and until all its attempts have failed."""
    incidents, news, judged_s = Incidents(), list[IncidentUpdate](), 0.0
    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=False)
        capture.attach({"eth1"})
    running = lab.hosts[0].spawn(command)
    ended_s: float | None = None
    while ended_s is None or time.monotonic() < ended_s + ENDED_S:
        now_s = time.monotonic()
        for frame in capture.frames():
            packet = decode(frame.data)
            if packet is not None:
                incidents.follow(packet, now_s)
            elif (claim := claim_in(frame.data)) is not None:
                incidents.follow_claim(claim, (), now_s)
                if (question := question_in(frame.data)) is not None:
                    incidents.follow_question(question, now_s)
        if now_s - judged_s >= JUDGED_S:
            news += incidents.judge(now_s)
            judged_s = now_s
        if ended_s is None and running.process.poll() is not None:
            ended_s = now_s
        time.sleep(0.01)
    capture.close()
    return news


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_scan_of_nmap_is_told(lab: Network, way: str) -> None:
    found = told_while(lab, ["nmap", *(QUICK if way != "hosts" else QUICK[:1]), *WAYS[way]])
    opened = [one.incident for one in found if one.change is IncidentChange.OPENED]
    kind = "host_sweep" if way == "hosts" else "port_scan"
    sources = {lab.hosts[0].ipv4, lab.hosts[0].ipv6}
    assert [one for one in opened if one.kind == kind and one.source in sources], opened
