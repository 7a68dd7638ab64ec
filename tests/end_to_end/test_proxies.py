"""The service behind real reverse proxies, with the samples of the documents; and what nobody else may claim."""

import http.client
import json
import re
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from appliance.system import certificate
from appliance.system.storage.files import write_private
from tests.client.node import NodeClient
from tests.documents import blocks
from tests.end_to_end.simulated import PATIENCE_S, Simulated, without_dashboard
from tests.ports import reserve_port

FROM_ADDRESS = Path(__file__).parents[1] / "client/from_address.js"
HOME, FOREIGN = "127.0.0.77", "203.0.113.9"
PASSWORD = "correct horse battery"
MOST = 10  # connections of one address, and twice a second a new session

NGINX = (
    "daemon off;\nuser root;\npid {folder}/pid;\nerror_log {folder}/error;\nevents {{}}\nhttp {{\n{paths}{sample}\n}}\n"
)
NGINX_PATHS = "".join(
    f"{kind}_temp_path {{folder}}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
)


def _nginx(sample: str, folder: Path) -> tuple[list[str], str]:
    paths = "access_log off;\n" + NGINX_PATHS.format(folder=folder)
    return ["nginx", "-c", "{file}"], NGINX.format(folder=folder, paths=paths, sample=sample)


def _haproxy(sample: str, _: Path) -> tuple[list[str], str]:
    return ["haproxy", "-db", "-f", "{file}"], sample


def _caddy(sample: str, _: Path) -> tuple[list[str], str]:
    text = "{\nadmin off\nauto_https disable_redirects\n}\n" + sample.replace("127.0.0.1 {", "127.0.0.1:{port} {", 1)
    return ["caddy", "run", "--adapter", "caddyfile", "--config", "{file}"], text


# The kind of the sample in the documents, and how it is run.
PROXIES: dict[str, Callable[[str, Path], tuple[list[str], str]]] = {
    "nginx": _nginx,
    "haproxy": _haproxy,
    "caddyfile": _caddy,
}


class Proxy:
    """A reverse proxy in a process of its own, configured as the document's sample says."""

    def __init__(self, kind: str, folder: Path, service_port: int) -> None:
        folder.mkdir()
        self._reserved = reserve_port()
        self.port = self._reserved.getsockname()[1]
        self.stranger = (
            f"127.0.1.{list(PROXIES).index(kind) + 1}"  # of its own: the service remembers what strangers do
        )
        pem = folder / "server.pem"
        certificate.ensure(pem, ["127.0.0.1"], datetime.now(UTC), write_private, even_if_old=True)
        [sample] = blocks(kind)
        text = re.sub(r"/etc/ssl/[\w-]+\.(pem|key)", str(pem), sample.text)
        text = text.replace("pi.example", "127.0.0.1").replace(":5001", f":{service_port}")
        command, text = PROXIES[kind](text, folder)
        text = text.replace("listen 443", f"listen {self.port}").replace("bind :443", f"bind :{self.port}")
        file = folder / "proxy.conf"
        file.write_text(text.replace("{port}", str(self.port)))
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [word.format(file=file) for word in command],
            stdout=self._log,
            stderr=self._log,
            env={"HOME": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )
        self._wait_until_it_listens(folder)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_S)
        self._log.close()
        self._reserved.close()

    def _wait_until_it_listens(self, folder: Path) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise AssertionError(f"the proxy does not start: {(folder / 'log').read_text()}")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    simulated = Simulated(
        tmp_path_factory.mktemp("service"),
        extra=f"[limits]\nconnections_per_address = {MOST}\nlogin_deadline = 5\n",
        server='trusted_proxies = ["127.0.0.1"]',
        environment=without_dashboard(tmp_path_factory.mktemp("programs")),  # its text shows the scheme
    )
    try:
        simulated.start()
        added = simulated.ask("user:add", {"name": "anna", "password": PASSWORD, "role": "admin"})
        assert added["success"], added
        yield simulated
    finally:
        simulated.close()


@pytest.fixture(scope="module")
def token(service: Simulated) -> str:
    return service.cli("token", "--role", "admin").stdout.strip()


@pytest.fixture(scope="module", params=PROXIES)
def proxy(
    request: pytest.FixtureRequest, service: Simulated, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    running = Proxy(request.param, tmp_path_factory.mktemp("proxies") / request.param, service.port)
    yield running
    running.close()


def _client(
    url: str, token: str, source: str, transports: tuple[str, ...] = ("websocket",), **headers: str
) -> NodeClient:
    options = {
        "transports": list(transports),
        "rejectUnauthorized": False,
        "reconnection": False,
        "extraHeaders": headers,
    }
    environment = (f"NODE_OPTIONS=--require {FROM_ADDRESS}", f"LOCAL_ADDRESS={source}")
    return NodeClient(url, token, options=options, prefix=("env", *environment))


def _latest(client: NodeClient, action: str) -> dict[str, Any]:
    return client.call("audit:get", {"action": action, "limit": 1})["entries"][0]


def _log_in(
    port: int, source: str, password: str, *, tls: bool = True, name: str = "anna", **headers: str
) -> tuple[int, dict[str, Any]]:
    context = ssl._create_unverified_context() if tls else None
    kind: Any = http.client.HTTPSConnection if tls else http.client.HTTPConnection
    connection = kind(
        "127.0.0.1", port, timeout=PATIENCE_S, source_address=(source, 0), **({"context": context} if tls else {})
    )
    try:
        body = json.dumps({"name": name, "password": password})
        connection.request("POST", "/login", body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read().decode()
        return answer.status, json.loads(text) if text.startswith("{") else {"error": text}
    finally:
        connection.close()


@pytest.mark.parametrize("transports", [("websocket",), ("polling",), ("polling", "websocket")])
def test_a_client_behind_a_proxy_has_its_own_address(
    service: Simulated, token: str, proxy: Proxy, transports: tuple[str, ...]
) -> None:
    invented = {"X-Forwarded-For": FOREIGN, "Forwarded": f"for={FOREIGN}"}  # which the proxy does not pass on as it is
    with _client(f"https://127.0.0.1:{proxy.port}", token, HOME, transports, **invented) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        if len(transports) == 2:
            assert client.wait_for("upgrade") == "websocket"
        assert client.wait_for("system:health")
        assert client.call("user:password", {"name": "anna", "password": PASSWORD})["success"]
        assert _latest(client, "user:password")["address"] == HOME


def test_wrong_passwords_delay_only_the_client_that_sends_them(service: Simulated, token: str, proxy: Proxy) -> None:
    wrong = [_log_in(proxy.port, proxy.stranger, "wrong wrong wrong", name="eve")[0] for _ in range(8)]
    assert wrong[-1] == 429
    status, answer = _log_in(proxy.port, HOME, PASSWORD)
    assert status == 200
    with _client(f"https://127.0.0.1:{proxy.port}", answer["token"], HOME) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        assert _latest(client, "login")["address"] == HOME


def test_each_client_behind_a_proxy_has_its_own_limit_of_connections(
    service: Simulated, token: str, proxy: Proxy
) -> None:
    url = f"https://127.0.0.1:{proxy.port}"
    with ExitStack() as stack:
        for _ in range(MOST):
            stack.enter_context(_client(url, token, proxy.stranger)).wait_for("connect", within_s=PATIENCE_S)
        stack.enter_context(_client(url, token, proxy.stranger)).wait_for("connect_error", within_s=PATIENCE_S)
        other = stack.enter_context(_client(url, token, HOME))
        other.wait_for("connect", within_s=PATIENCE_S)
        assert other.call("ip:list")["success"]


def test_the_page_behind_a_proxy_shows_the_scheme_that_the_browser_uses(proxy: Proxy) -> None:
    connection = http.client.HTTPSConnection(
        "127.0.0.1", proxy.port, timeout=PATIENCE_S, context=ssl._create_unverified_context()
    )
    connection.request("GET", "/")
    assert f"https://127.0.0.1:{proxy.port}" in connection.getresponse().read().decode()
    connection.close()


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": FOREIGN}, {"Forwarded": f"for={FOREIGN}"}])
def test_the_address_behind_the_proxy_is_the_one_a_command_comes_from(
    service: Simulated, token: str, headers: dict[str, str]
) -> None:
    with _client(f"http://127.0.0.1:{service.port}", token, "127.0.0.1", **headers) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        answer = client.call("ip:block", {"address": FOREIGN})
        assert (answer["code"], "this command comes from it" in answer["error"]) == ("E_PROTECTED_ADDRESS", True)


def test_nobody_but_the_proxy_is_believed(service: Simulated, token: str) -> None:
    headers = {"X-Forwarded-For": FOREIGN, "X-Forwarded-Proto": "nonsense"}
    with _client(f"http://127.0.0.1:{service.port}", token, HOME, **headers) as client:
        client.wait_for("connect", within_s=PATIENCE_S)
        assert client.call("user:password", {"name": "anna", "password": PASSWORD})["success"]
        assert _latest(client, "user:password")["address"] == HOME


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "nonsense"},
        {"X-Forwarded-For": f"{FOREIGN}, unknown"},
        {"X-Forwarded-For": ""},
        {"Forwarded": "for=_hidden"},
        {"X-Forwarded-For": FOREIGN, "Forwarded": "for=198.51.100.1"},
        {"X-Forwarded-For": FOREIGN, "X-Forwarded-Proto": "gopher"},
        {"X-Forwarded-For": "1.1.1.1," * 250 + FOREIGN},
    ],
)
def test_a_request_whose_client_cannot_be_told_is_refused(service: Simulated, headers: dict[str, str]) -> None:
    status, answer = _log_in(service.port, "127.0.0.1", PASSWORD, tls=False, **headers)
    assert status == 400
    assert answer["error"].startswith("400 Bad Request: ")


def test_the_command_line_beside_the_proxy_is_itself(service: Simulated) -> None:
    assert service.cli("status").returncode == 0


def test_the_sample_for_traefik_has_what_the_others_have() -> None:
    [sample] = blocks("yaml")
    routers, services = sample.text.index("routers:"), sample.text.index("services:")
    named = re.findall(r"^ {4}([\w-]+):$", sample.text, re.MULTILINE)
    assert named == ["appliance", "one-header", "appliance"]
    assert f"middlewares: [{named[1]}]" in sample.text[routers:]
    assert f"service: {named[2]}" in sample.text[routers:services]
    assert 'Forwarded: ""' in sample.text
    assert "url: http://127.0.0.1:5001" in sample.text[services:]
