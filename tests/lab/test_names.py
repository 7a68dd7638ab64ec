"""Names in the packets of real programs, captured in each position."""

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from select import select

import pytest

from appliance.core.traffic.naming import NameRules
from appliance.core.traffic.packet import decode
from appliance.monitor.traffic.site_watch import SiteWatch, Websites
from appliance.system.network.capture import PacketCapture
from appliance.system.public_suffixes import PublicSuffixes
from tests.core.frames import is_of_neighbours
from tests.lab.fixtures import PATIENCE_S, Until
from tests.lab.network import WEB_V4, WEB_V6, Network, network

PORT = 4433
HTTP3 = Path(__file__).with_name("http3.py")
CERTIFICATE = [
    "openssl",
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-subj",
    "/CN=a",
]
SERVER = """
import http.server, socket, ssl, sys
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
server = Server(("::", int(sys.argv[1])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[2:])
server.socket = context.wrap_socket(server.socket, server_side=True)
print("ready")
server.serve_forever()
"""


@pytest.fixture(params=["gateway", "bridge", "mirror"])
def lab(request: pytest.FixtureRequest) -> Iterator[Network]:
    with network(request.param) as lab:
        yield lab


def make_certificate(folder: Path) -> tuple[str, str]:
    """The files of a certificate and its key."""
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subprocess.run([*CERTIFICATE, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def serve_tls(lab: Network, folder: Path) -> None:
    """A web server over TLS on all of the uplink's addresses."""
    certificate, key = make_certificate(folder)
    lab.uplink.spawn([sys.executable, "-u", "-c", SERVER, str(PORT), certificate, key], ready="ready")


def test_a_descriptor_tells_whether_frames_wait(lab: Network, until: Until) -> None:
    def waits(for_s: float = 0.0) -> bool:
        return bool(select([capture.descriptor], [], [], for_s)[0])

    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=lab.position == "mirror")
        assert not waits()
        capture.attach(["eth1"])
    lab.hosts[1].run(["curl", "--silent", f"http://{WEB_V4[0]}:{PORT}/"], check=False)  # which nobody serves
    assert waits(PATIENCE_S)
    until(lambda: not capture.frames() and not waits())
    lab.hosts[1].run(["curl", "--silent", f"http://{WEB_V4[0]}:{PORT}/"], check=False)
    assert waits(PATIENCE_S)
    capture.attach([])
    assert not waits()
    capture.close()


def test_curl_over_tls_names_its_site_and_a_refused_connection_does_not(
    lab: Network, tmp_path: Path, until: Until
) -> None:
    serve_tls(lab, tmp_path)
    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=lab.position == "mirror")
        capture.attach(["eth1"])
    host = lab.hosts[1]
    for name, address, port in (
        ("www.example.org", WEB_V4[0], PORT),
        ("www.example.co.uk", f"[{WEB_V6[0]}]", PORT),
        ("www.refused.org", WEB_V4[0], PORT + 1),
        ("last.example.net", WEB_V4[0], PORT),
    ):
        asked = ["curl", "--silent", "--insecure", "--tlsv1.3", "--resolve", f"{name}:{port}:{address}"]
        answered = host.run([*asked, "--output", "/dev/null", f"https://{name}:{port}/secret"], check=False)
        assert (answered.returncode == 0) is (port == PORT), answered.stderr
    watch, websites = SiteWatch(NameRules(PublicSuffixes()), lambda _: False), Websites()
    captured: list[bytes] = []

    def has_come() -> bool:
        for frame in capture.frames():
            if is_of_neighbours(frame.data):
                continue
            captured.append(frame.data)
            packet = decode(frame.data)
            assert packet is not None
            for one in websites.read(frame.interface, packet, 0.0):
                watch.take(one, 0.0)
        return "example.net" in {one.domain for one in watch.top_sites(0.0)}

    until(has_come)
    capture.close()
    assert {one.domain: one.visits for one in watch.top_sites(0.0)} == {
        "example.org": 1,
        "example.co.uk": 1,
        "example.net": 1,
    }
    assert max(map(len, captured)) <= 1600  # hellos, and of what the server says the first segment


# It is not among the tests' own packages: it needs pyOpenSSL, which eventlet loads wherever it is, and then the service
# under test would be another than the one on the appliance.
@pytest.mark.slow
@pytest.mark.skipif(find_spec("aioquic") is None, reason="aioquic, which has the server and the client, is not here")
def test_a_client_of_http_3_names_its_site_and_one_that_nobody_answers_does_not(
    lab: Network, tmp_path: Path, until: Until
) -> None:
    for address in (WEB_V4[0], WEB_V6[0]):
        serving = [sys.executable, "-u", str(HTTP3), "serve", address, str(PORT), *make_certificate(tmp_path)]
        lab.uplink.spawn(serving, ready="ready")
    with lab.appliance.entered():
        capture = PacketCapture(promiscuous=lab.position == "mirror")
        capture.attach(["eth1"])
    host = lab.hosts[1]
    silent = host.spawn([sys.executable, "-u", str(HTTP3), "get", WEB_V4[1], str(PORT), "www.silent.org"])
    for name, address in (("www.example.org", WEB_V4[0]), ("www.example.co.uk", WEB_V6[0])):
        answered = host.run([sys.executable, "-u", str(HTTP3), "get", address, str(PORT), name])
        assert answered.stdout == "answered\n"
    watch, websites = SiteWatch(NameRules(PublicSuffixes()), lambda _: False), Websites()
    names = set()

    def have_come() -> bool:
        for frame in capture.frames():
            if (packet := decode(frame.data)) is None:
                continue
            for one in websites.read(frame.interface, packet, 0.0):
                watch.take(one, 0.0)
                names.add(one.contact.hello.name if one.contact.hello is not None else "")
        return {one.domain for one in watch.top_sites(0.0)} == {"example.org", "example.co.uk"}

    until(have_come)
    until(lambda: have_come() and "www.silent.org" in names)  # its name was read, and is no visit
    silent.stop()
    capture.close()
    assert {one.domain: one.visits for one in watch.top_sites(0.0)} == {"example.org": 1, "example.co.uk": 1}
