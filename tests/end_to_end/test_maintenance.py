"""In maintenance, with every change of a file traced: not one byte to the state directory from entering to leaving."""

import hashlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.node import NodeClient
from tests.end_to_end.installed import DEPARTMENT, Installed
from tests.lab.network import WEB_V4, Network

# All by which a file or folder is changed. What SQLite writes through memory is seen by the digests.
CHANGES = (
    "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,ftruncate,truncate,fallocate,rename,renameat,"
    "renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat,utimensat,msync"
)
OPENS_TO_WRITE = re.compile(r"open(?:at)?\(.*O_(?:WRONLY|RDWR|CREAT|TRUNC)")
# A web server that says that it has nothing, and takes what is put to it only once there is the file `takes`.
SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

class Server(BaseHTTPRequestHandler):
    def answer(self, status):
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):
        self.answer(404)

    def do_PUT(self):
        print("PUT", flush=True)
        while not Path(sys.argv[1]).exists():
            time.sleep(0.1)
        self.rfile.read(int(self.headers["Content-Length"]))
        print("taken", flush=True)
        self.answer(201)

    do_DELETE = do_HEAD

server = ThreadingHTTPServer(("", 8080), Server)
print("ready", flush=True)
server.serve_forever()
"""
CHECKPOINTS = 2  # of the books, a minute apart: one falls due while everything is held, whenever it began


@contextmanager
def traced(pid: int, to: Path) -> Iterator[None]:
    """All threads of the process are traced; returns when the trace has begun, and has ended."""
    words = ["strace", "-f", "-y", "-o", str(to), "-e", f"trace={CHANGES},open,openat", "-p", str(pid)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        assert "attached" in strace.stderr.readline()
        yield
        strace.send_signal(signal.SIGINT)
        strace.communicate()


def files_of(folder: Path) -> dict[str, tuple[int, str]]:
    """Of each file, when it was written last, and a digest of its content."""
    return {
        str(one.relative_to(folder)): (one.stat().st_mtime_ns, hashlib.sha256(one.read_bytes()).hexdigest())
        for one in sorted(folder.rglob("*"))
        if one.is_file()
    }


def writes_below(folder: Path, trace: Path) -> list[str]:
    """The traced calls that change something below this folder."""
    lines = [line for line in trace.read_text().splitlines() if str(folder) in line]
    return [line for line in lines if not re.search(r" open(?:at)?\(", line) or OPENS_TO_WRITE.search(line)]


def updates(client: NodeClient) -> int:
    return len(client.named("usage:update"))


@pytest.mark.slow
def test_in_maintenance_not_a_byte_is_written_and_the_traffic_is_filed_afterwards(
    gateway: Network, tmp_path: Path
) -> None:
    trace = tmp_path / "trace"
    gateway.start_iperf3()
    appliance = Installed(gateway, tmp_path)
    appliance.start()
    assert appliance.program is not None
    with appliance.client() as client:
        blocked = client.call("ip:block", {"address": "203.0.113.9"})
        assert blocked["success"], blocked
        begun = client.call("maintenance:start", {"duration": 3600})
        assert begun["success"], begun
        before = files_of(appliance.state)
        with traced(appliance.program.process.pid, trace):
            gateway.hosts[0].run(["iperf3", "-c", WEB_V4[0], "-n", "20M"])
            assert client.call("ip:block", {"address": "203.0.113.8"})["code"] == "E_MAINTENANCE"
            refused = client.call("user:add", {"name": "eva", "password": "a-long-enough-one", "role": "viewer"})
            assert refused["code"] == "E_MAINTENANCE", refused
            seen = updates(client)
            client.wait_for("usage:update", count=seen + CHECKPOINTS * 120, within_s=CHECKPOINTS * 60 * 5)
        assert writes_below(appliance.state, trace) == []
        assert trace.read_text(), "nothing was traced"
        assert files_of(appliance.state) == before
        assert client.call("maintenance:stop")["success"]
        used = client.named("usage:update")[-1]["metrics"]["bytesTransferred"]
        actions = [one["action"] for one in client.call("audit:get", {"limit": 10})["entries"]]
        assert {"maintenance:start", "maintenance:stop"} <= {*actions}
    assert used > 10_000_000  # iperf3 ends before all of its 20 MB has left
    appliance.kill()
    with appliance, appliance.client() as client:
        told = client.wait_for("usage:update", lambda data: data["departmentId"] == DEPARTMENT)
        assert told["metrics"]["bytesTransferred"] >= used


@pytest.mark.slow
def test_a_backup_that_goes_on_gives_way_before_the_order_is_answered_and_is_made_afterwards(
    gateway: Network, tmp_path: Path
) -> None:
    takes, trace = tmp_path / "takes", tmp_path / "trace"
    server = gateway.uplink.spawn([sys.executable, "-u", "-c", SERVER, str(takes)], ready="ready")
    section = f'[backup]\nurl = "http://{gateway.uplink.ipv4}:8080/nas/"\nsecret = "backup"\n'
    appliance = Installed(gateway, tmp_path, "", section)
    (appliance.state / "secrets").mkdir(parents=True)
    (appliance.state / "secrets/backup").write_text("correct horse battery\n")
    appliance.start()
    assert appliance.program is not None
    pid = appliance.program.process.pid
    server.wait_for("PUT", within_s=120)
    assert [*appliance.state.glob("backup-*/*")], "its copy is in the state directory meanwhile"
    with appliance.client() as client:
        assert client.call("maintenance:start", {"duration": 3600})["success"]
        before = files_of(appliance.state)
        assert not [*appliance.state.glob("backup-*")]
        with traced(pid, trace):
            client.wait_for("usage:update", count=updates(client) + 40)
        assert writes_below(appliance.state, trace) == []
        assert files_of(appliance.state) == before
        takes.touch()
        assert client.call("maintenance:stop")["success"]
        server.wait_for("taken", within_s=120)


@pytest.mark.slow
def test_the_power_may_fail_in_maintenance_and_it_goes_on_afterwards(gateway: Network, tmp_path: Path) -> None:
    appliance = Installed(gateway, tmp_path)
    appliance.start()
    with appliance.client() as client:
        assert client.call("maintenance:start", {"duration": 3600, "impact": "the card is changed"})["success"]
    appliance.kill()
    with appliance, appliance.client() as client:
        found = client.wait_for("system:maintenance")["maintenance"]
        assert (found["impact"], found["begun"]) == ("the card is changed", True)
        before = files_of(appliance.state)
        seen = updates(client)
        client.wait_for("usage:update", count=seen + 20)
        assert files_of(appliance.state) == before
        assert client.call("maintenance:stop")["success"]
        assert files_of(appliance.state) != before
