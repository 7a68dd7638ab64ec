"""The bench's own servers and load: that they do what is measured."""

import pytest

from tests.bench.load import Client, PollingClient
from tests.bench.rivals import SERVERS, running


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("kind", [Client, PollingClient])
@pytest.mark.parametrize("server", ["ours", "plain"])
def test_every_client_of_the_load_gets_its_snapshot_and_each_event(server, kind, tls):
    with running(SERVERS[server], tls=tls) as one:
        one.connect(3, kind)
        one.emit("moment", 2)
        one.load.run(lambda: one.load.deliveries == 6)
        one.emit("state", 1)
        one.load.run(lambda: one.load.deliveries == 9)
        assert one.load.event_bytes == pytest.approx(400, abs=60)
        assert one.load.lost == 0
