"""What 200 hostile packets a second do to others: the worst answer of `/healthz` with them and without, in turns.

The real service stands in the lab as a gateway. A host of the department sends the frames of `worst_frames`, and a
computer on the other side asks for `/healthz` all the time. Part of `tests/bench/run names`.
"""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep

from tests.end_to_end.installed import Installed
from tests.lab.host import Host
from tests.lab.network import TRANSIT_V4, Network, network

A_SECOND, SECONDS, TURNS = 200, 10, 5
APART_S = 0.02
PROJECT = Path(__file__).parents[2]


def answers_ms(asking: Host, seconds: float) -> list[float]:
    """How long each answer took."""
    found, ends_s = [], monotonic() + seconds
    while monotonic() < ends_s:
        began_s = monotonic()
        with asking.entered():
            connection = HTTPConnection(f"{TRANSIT_V4}1", 5001, timeout=10)
            connection.connect()
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        connection.close()
        found.append((monotonic() - began_s) * 1000)
        sleep(APART_S)
    return found


def send_worst(lab: Network, seconds: float = SECONDS, a_second: int = A_SECOND) -> None:
    """Begin to send the frames, from the department's last host."""
    command = [sys.executable, "-m", "tests.bench.worst_frames", "eth0", str(a_second), str(seconds)]
    lab.hosts[-1].spawn(command, ready="ready", environment={"PYTHONPATH": str(PROJECT)})


def rows() -> Iterator[str]:
    """The worst answer of each turn, as a median, and the 99th percentile of all."""
    without: list[list[float]] = []
    beside: list[list[float]] = []
    with TemporaryDirectory() as folder, network("gateway") as lab:
        served = 'host = "0.0.0.0"'
        # The service's log is nobody's row.
        with redirect_stdout(StringIO()), Installed(lab, Path(folder), server=served):
            answers_ms(lab.uplink, 3)  # until everything is warm
            for _ in range(TURNS):
                without.append(answers_ms(lab.uplink, SECONDS))
                send_worst(lab)
                beside.append(answers_ms(lab.uplink, SECONDS))
    worst = [median(max(turn) for turn in one) for one in (without, beside)]
    late = [quantiles([ms for turn in one for ms in turn], n=100)[-1] for one in (without, beside)]
    yield (
        f"{A_SECOND} hostile packets a second: worst /healthz {worst[1]:.1f} ms, without {worst[0]:.1f} ms, "
        f"{worst[1] / worst[0]:.2f} times (<= 2); 99 of 100 within {late[1]:.1f} ms, without {late[0]:.1f} ms"
    )
